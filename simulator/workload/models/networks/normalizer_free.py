"""Residual networks without batch norms: normalizer-free ones, and those with norms over groups of channels (BiT)."""

from __future__ import annotations

from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES, stages_of
from simulator.workload.models.networks.resnet import EXPANSION, bottleneck_stages

_ROUND = 8


@FAMILIES.register("nfnet")
def nfnet(
    size: int,
    *,
    depths: str,
    widths: str,
    group_width: int,
    ratio: float,
    last: float,
    squeeze: float = 0.25,
    efficient: bool = False,
    act: str = "gelu",
    classes: int = 1000,
) -> Canvas:
    """Draw an NFNet (Brock et al. 2021, arXiv:2102.06171) for images of ``size`` pixels along an edge.

    Weights are standardised in every pass, and each output channel has a gain of its own.

    Args:
        depths, widths: blocks and channels of the stages, as in "1-2-6-3" and "256-512-1536-1536".
        group_width: channels of one group of the 3x3 convolutions.
        ratio: channels inside a block over its own.
        last: channels before the classifier over those of the last stage.
        squeeze: width of the excitation over a block's channels.
        efficient: excitations that filter the means of neighbouring channels instead (ECA; arXiv:1910.03151).

    Raises:
        InputError: as many widths as depths are needed.
    """
    stages = stages_of(depths, widths)
    canvas = Canvas(3, (size, size))
    for width, stride in ((16, 2), (32, 1), (64, 1), (128, 2)):
        _scaled(canvas, width, 3, stride=stride)
        if width < 128:
            canvas.act(act)
    for stage, (count, width) in enumerate(stages):
        for index in range(count):
            inner = max(group_width, round(width * ratio / group_width) * group_width)
            stride = 2 if stage and not index else 1
            canvas.act(act)
            if index == 0:
                with canvas.branch():
                    if stride > 1:
                        canvas.pool(2, ceil=True)
                    _scaled(canvas, width, 1)
            _scaled(canvas, inner, 1)
            for step in (stride, 1):
                canvas.act(act)
                _scaled(canvas, inner, 3, stride=step, groups=inner // group_width)
            canvas.act(act)
            _scaled(canvas, width, 1)
            if efficient:
                with canvas.branch():
                    canvas.global_pool()
                canvas.scale()
            else:
                canvas.squeeze(max(_ROUND, round(width * squeeze / _ROUND) * _ROUND))
            canvas.rescale(learned=False)
            canvas.add()
    _scaled(canvas, int(stages[-1][1] * last), 1)
    canvas.act(act)
    canvas.global_pool()
    canvas.linear(classes)
    return canvas


def _scaled(canvas: Canvas, out: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
    canvas.conv(out, kernel, stride=stride, groups=groups, bias=True, norm=False, act=None)
    canvas.gains()


@FAMILIES.register("bit")
def bit(size: int, *, depth: int, classes: int = 1000) -> Canvas:
    """Draw a pre-activated ResNet with norms over groups (BiT; Kolesnikov et al. 2019, arXiv:1912.11370).

    Args:
        depth: 50, 101 or 152 layers.

    Raises:
        InputError: a depth without bottlenecks.
    """
    counts = bottleneck_stages(depth, "BiT")
    canvas = Canvas(3, (size, size))
    canvas.conv(64, 7, stride=2, padding=3, norm=False, act=None)
    canvas.pool(3, stride=2, padding=1)
    for stage, count in enumerate(counts):
        inner = 64 * 2**stage
        for index in range(count):
            stride = 2 if stage and not index else 1
            _normed(canvas)
            if index == 0:
                with canvas.branch():
                    canvas.conv(inner * EXPANSION, 1, stride=stride, norm=False, act=None, name="projection")
            canvas.conv(inner, 1, norm=False, act=None)
            _normed(canvas)
            canvas.conv(inner, 3, stride=stride, norm=False, act=None)
            _normed(canvas)
            canvas.conv(inner * EXPANSION, 1, norm=False, act=None)
            canvas.add()
    _normed(canvas)
    canvas.global_pool()
    canvas.linear(classes)
    return canvas


def _normed(canvas: Canvas) -> None:
    canvas.group_norm()
    canvas.act()
