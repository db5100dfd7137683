"""Residual networks with groups beside ResNeXt: dual paths, split attention, and the deep SENet."""

from __future__ import annotations

from simulator.foundation.errors import InputError
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES
from simulator.workload.models.networks.resnet import EXPANSION, STAGES, bottleneck_stages, shortcut, stem

_GROUPS = 32
_DUAL = {  # stem and its kernel, channels of the first residual path, of its bottleneck, blocks, channels added a block
    "68": (10, 3, 64, 128, (3, 4, 12, 3), (16, 32, 32, 64)),
    "92": (64, 7, 256, 96, (3, 4, 20, 3), (16, 32, 24, 128)),
}


@FAMILIES.register("dpn")
def dpn(size: int, *, variant: str, classes: int = 1000) -> Canvas:
    """Draw a dual path network (Chen et al. 2017, arXiv:1707.01629) for images of ``size`` pixels along an edge."""
    if variant not in _DUAL:
        raise InputError(f"no DPN {variant!r}. Known: {', '.join(_DUAL)}.")
    first, kernel, path, inner, counts, added = _DUAL[variant]
    canvas = Canvas(3, (size, size))
    canvas.conv(first, kernel, stride=2)
    canvas.pool(3, stride=2, padding=1)
    for stage, (count, more) in enumerate(zip(counts, added, strict=True)):
        for index in range(count):
            stride = 2 if stage and not index else 1
            _dual_block(canvas, path * 2**stage, inner * 2**stage, more, stride, enters=index == 0)
    canvas.norm()
    canvas.act("elu")
    canvas.global_pool()
    canvas.linear(classes)
    return canvas


def _dual_block(canvas: Canvas, path: int, inner: int, more: int, stride: int, *, enters: bool) -> None:
    dense = canvas.channels - path + more
    if enters:
        dense = 3 * more
        with canvas.branch():
            _normed(canvas, path + 2 * more, 1, stride=stride)
    else:
        canvas.concat(canvas.channels)
    _normed(canvas, inner, 1)
    _normed(canvas, inner, 3, stride=stride, groups=_GROUPS)
    _normed(canvas, path + more, 1)
    with canvas.branch():
        canvas.channels = path
        canvas.add()
        canvas.channels = dense
        canvas.concat(dense)
    canvas.channels = path + dense


def _normed(canvas: Canvas, out: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
    canvas.norm()
    canvas.act()
    canvas.conv(out, kernel, stride=stride, groups=groups, norm=False, act=None)


@FAMILIES.register("resnest")
def resnest(size: int, *, depth: int, classes: int = 1000) -> Canvas:
    """Draw a ResNeSt of two splits (Zhang et al. 2020, arXiv:2004.08955) for images of ``size`` pixels along an edge.

    Raises:
        InputError: a depth without bottlenecks.
    """
    counts = bottleneck_stages(depth, "ResNeSt")
    canvas = Canvas(3, (size, size))
    stem(canvas, deep=True)
    for stage, count in enumerate(counts):
        width = 64 * 2**stage
        for index in range(count):
            stride = 2 if stage and not index else 1
            shortcut(canvas, width * EXPANSION, stride, deep=True)
            canvas.conv(width, 1)
            _split_attention(canvas, width)
            if stage and not index:
                canvas.pool(3, stride=2, padding=1)
            elif not index:
                canvas.pool(3, stride=1, padding=1)
            _leave(canvas, width * EXPANSION)
    canvas.global_pool()
    canvas.linear(classes)
    return canvas


def _split_attention(canvas: Canvas, width: int) -> None:
    """Draw two splits that two small products weigh against each other."""
    canvas.conv(2 * width, 3, groups=2)
    canvas.channels = width
    canvas.add()
    with canvas.branch():
        canvas.global_pool()
        canvas.conv(max(32, width * 2 // 4), 1, bias=True)
        canvas.conv(2 * width, 1, bias=True, norm=False, act="softmax")
    canvas.scale()
    canvas.scale()
    canvas.add()


def _leave(canvas: Canvas, out: int) -> None:
    canvas.conv(out, 1, act=None)
    canvas.add()
    canvas.act()


@FAMILIES.register("senet")
def senet(size: int, *, classes: int = 1000) -> Canvas:
    """Draw SENet-154 (Hu et al. 2017, arXiv:1709.01507) for images of ``size`` pixels along an edge."""
    canvas = Canvas(3, (size, size))
    canvas.conv(64, 3, stride=2)
    canvas.conv(64, 3)
    canvas.conv(128, 3)
    canvas.pool(3, stride=2, ceil=True)
    for stage, count in enumerate(STAGES[152]):
        width = 64 * 2**stage
        for index in range(count):
            stride = 2 if stage and not index else 1
            shortcut(canvas, width * EXPANSION, stride, kernel=3 if stage else 1)
            canvas.conv(width * 2, 1)
            canvas.conv(width * EXPANSION, 3, stride=stride, groups=64)
            canvas.conv(width * EXPANSION, 1, act=None)
            canvas.squeeze(width * EXPANSION // 16)
            canvas.add()
            canvas.act()
    canvas.global_pool()
    canvas.linear(classes)
    return canvas
