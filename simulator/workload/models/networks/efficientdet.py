"""EfficientDet: an EfficientNet, levels that are fused in both directions again and again, and two shared heads.

Source: Tan, Pang & Le 2020, arXiv:1911.09070; compound scaling after its table 1, layers as in the published weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simulator.foundation.errors import InputError
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.mobile import efficient_stages
from simulator.workload.models.networks.network import FAMILIES
from simulator.workload.models.networks.resnet import Shape

#: variant -> backbone, channels of the levels, repeats of the fusion, convolutions of a head
_SCALED: Final = {
    "d0": ("b0", 64, 3, 3), "d1": ("b1", 88, 4, 3), "d2": ("b2", 112, 5, 3), "d3": ("b3", 160, 6, 4),
    "d4": ("b4", 224, 7, 4), "d5": ("b5", 288, 7, 4), "d6": ("b6", 384, 8, 5),
}  # fmt: skip
_TAPS: Final = (2, 4, 6)  # stages of the backbone that levels 3 to 5 stand on: strides 8, 16 and 32
_ACT: Final = "swish"


@FAMILIES.register("efficientdet")
def efficientdet(size: int, *, variant: str, classes: int = 90, anchors: int = 9) -> Canvas:
    """Draw an EfficientDet D0 to D6 for images of ``size`` pixels along an edge (the paper: 512 for D0, 640 for D1).

    Raises:
        InputError: a variant that the paper does not have, or a size that does not halve seven times.
    """
    if variant not in _SCALED:
        raise InputError(f"no EfficientDet {variant!r}. Known: {', '.join(_SCALED)}.")
    if size % 128:
        raise InputError(f"images of {size} pixels do not halve seven times; a multiple of 128 is needed.")
    backbone, width, repeats, depth = _SCALED[variant]
    canvas = Canvas(3, (size, size))
    stages = efficient_stages(canvas, backbone)
    levels = [stages[tap] for tap in _TAPS]
    _project(canvas, levels[-1], width)
    for _ in range(2):
        canvas.pool(3, stride=2, padding=1)
        levels.append((width, canvas.extent))
    for repeat in range(repeats):
        levels = _fuse(canvas, levels, width, first=repeat == 0)
    for out in (classes * anchors, 4 * anchors):
        _head(canvas, levels, width, depth, out)
    return canvas


def _project(canvas: Canvas, level: Shape, width: int) -> None:
    canvas.channels, canvas.extent = level
    canvas.conv(width, 1, bias=True, act=None, name="lateral")


def _fuse(canvas: Canvas, levels: Sequence[Shape], width: int, *, first: bool) -> list[Shape]:
    """Draw one fusion: coarse levels flow down into finer ones, then fine ones up into coarser ones.

    In the first one, levels of the backbone are projected to ``width`` where they enter, for each direction apart.
    """
    extents = [extent for _, extent in levels]
    top = len(levels) - 1
    for level in range(top - 1, -1, -1):
        _enter(canvas, levels[level], width)
        _join(canvas, width, extents[level + 1], extents[level], inputs=2)
    for level in range(1, top + 1):
        between = level < top  # what came in, what the way down made of it, and the finer level
        if between and first:
            _enter(canvas, levels[level], width)
        _join(canvas, width, extents[level - 1], extents[level], inputs=3 if between else 2)
    return [(width, extent) for extent in extents]


def _enter(canvas: Canvas, level: Shape, width: int) -> None:
    if level[0] != width:
        _project(canvas, level, width)


def _join(canvas: Canvas, width: int, source: Sequence[int], extent: Sequence[int], *, inputs: int) -> None:
    """Draw the weighted sum of ``inputs`` levels, one of them brought from another extent, and its convolution."""
    canvas.channels, canvas.extent = width, tuple(source)
    canvas.resample(extent)
    canvas.learned("fusion weights", inputs)
    for _ in range(inputs - 1):
        canvas.scale()
        canvas.add()
    canvas.act(_ACT)
    _separable(canvas, width)
    canvas.norm()


def _separable(canvas: Canvas, out: int) -> None:
    canvas.conv(canvas.channels, 3, groups=canvas.channels, norm=False, act=None, name="depthwise")
    canvas.conv(out, 1, bias=True, norm=False, act=None, name="pointwise")


def _head(canvas: Canvas, levels: Sequence[Shape], width: int, depth: int, out: int) -> None:
    """Draw a head: levels share its convolutions, and each has norms of its own."""
    for level, (_, extent) in enumerate(levels):
        canvas.channels, canvas.extent = width, extent
        for _ in range(depth):
            drawn = len(canvas.layers)
            _separable(canvas, width)
            if level:
                canvas.share_weights(since=drawn)
            canvas.norm()
            canvas.act(_ACT)
        drawn = len(canvas.layers)
        _separable(canvas, out)
        if level:
            canvas.share_weights(since=drawn)
