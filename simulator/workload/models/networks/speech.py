"""Speech recognisers without recurrence: Jasper, QuartzNet and Conformer encoders over frames of a spectrogram."""

from __future__ import annotations

from typing import Final

from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES

_JASPER: Final = ((11, 256), (13, 384), (17, 512), (21, 640), (25, 768))
_QUARTZ: Final = ((33, 256), (39, 256), (51, 512), (63, 512), (75, 512))
_REPEATS: Final = 5  # convolutions of one block


@FAMILIES.register("jasper")
def jasper(size: int, *, blocks: int = 10, features: int = 64, labels: int = 29) -> Canvas:
    """Draw Jasper with dense residuals (Li et al. 2019, arXiv:1904.03288) for ``size`` frames (10 ms each).

    Every block adds 1 x 1 projections of the outputs of all blocks before it.
    """
    canvas = Canvas(features, (size,))
    canvas.conv(256, 11, stride=2)
    outputs = [canvas.channels]
    for kernel, width in _JASPER:
        for _ in range(blocks // len(_JASPER)):
            for earlier in outputs:
                with canvas.branch():
                    canvas.channels = earlier
                    canvas.conv(width, 1, act=None, name="residual")
            for repeat in range(_REPEATS):
                canvas.conv(width, kernel, act="relu" if repeat < _REPEATS - 1 else None)
            for _ in outputs:
                canvas.add()
            canvas.act()
            outputs.append(width)
    canvas.conv(896, 29, dilation=2)
    canvas.conv(1024, 1)
    canvas.conv(labels, 1, bias=True, norm=False, act=None, name="labels")
    return canvas


@FAMILIES.register("quartznet")
def quartznet(size: int, *, repeats: int = 3, features: int = 64, labels: int = 29) -> Canvas:
    """Draw QuartzNet (Kriman et al. 2019, arXiv:1910.10261) for ``size`` frames (10 ms each).

    Args:
        repeats: blocks of each of the five kinds (3 for 15x5).
    """
    canvas = Canvas(features, (size,))
    _separable(canvas, 256, 33, stride=2)
    for kernel, width in _QUARTZ:
        for _ in range(repeats):
            with canvas.branch():
                canvas.conv(width, 1, act=None, name="residual")
            for repeat in range(_REPEATS):
                _separable(canvas, width, kernel, act="relu" if repeat < _REPEATS - 1 else None)
            canvas.add()
            canvas.act()
    _separable(canvas, 512, 87, dilation=2)
    canvas.conv(1024, 1)
    canvas.conv(labels, 1, bias=True, norm=False, act=None, name="labels")
    return canvas


def _separable(
    canvas: Canvas, out: int, kernel: int, *, stride: int = 1, dilation: int = 1, act: str | None = "relu"
) -> None:
    canvas.conv(canvas.channels, kernel, stride=stride, dilation=dilation, groups=canvas.channels, norm=False, act=None,
                name="depthwise")  # fmt: skip
    canvas.conv(out, 1, act=act)


@FAMILIES.register("conformer")
def conformer(
    size: int, *, width: int, depth: int, heads: int, kernel: int = 31, features: int = 80, labels: int = 129
) -> Canvas:
    """Draw a Conformer encoder (Gulati et al. 2020, arXiv:2005.08100) with a linear decoder for ``size`` frames.

    A frame is 10 ms. Two strided convolutions take four frames to one; attention has relative positions.
    """
    canvas = Canvas(1, (size, features))
    for _ in range(2):
        canvas.conv(width, 3, stride=2, bias=True, norm=False)
    canvas.channels, canvas.extent = width * canvas.extent[1], canvas.extent[:1]
    canvas.linear(width, name="subsampled")
    for _ in range(depth):
        _half_ffn(canvas, width)
        canvas.norm()
        canvas.linear(3 * width, name="qkv")
        canvas.channels = width
        with canvas.branch():
            canvas.linear(width, bias=False, name="positions")
        canvas.attention(heads, width)
        canvas.learned("position biases", 2 * width)
        canvas.linear(width, name="attention out")
        canvas.add()
        canvas.norm()
        canvas.linear(2 * width, act="sigmoid", name="pointwise")
        canvas.channels = width
        canvas.conv(width, kernel, groups=width, bias=True, act="swish", name="depthwise")
        canvas.linear(width, name="pointwise")
        canvas.add()
        _half_ffn(canvas, width)
        canvas.norm()
    canvas.linear(labels, name="labels")
    return canvas


def _half_ffn(canvas: Canvas, width: int) -> None:
    canvas.norm()
    canvas.linear(4 * width, act="swish", name="ffn up")
    canvas.linear(width, name="ffn down")
    canvas.add()
