"""HRNet: branches of several resolutions side by side, that hear each other after every few blocks."""

from __future__ import annotations

from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES
from simulator.workload.models.networks.resnet import EXPANSION, Shape, basic, bottleneck

_MODULES = (1, 4, 3)  # of the stages with two, three and four branches
_BLOCKS = 4  # of a branch in a module
_STEM = 64
_HEAD = (32, 64, 128, 256)
_LAST = 2048


@FAMILIES.register("hrnet")
def hrnet(size: int, *, width: int, classes: int = 1000) -> Canvas:
    """Draw an HRNet for classes of images (Wang et al. 2019, arXiv:1908.07919) of ``size`` pixels along an edge.

    Args:
        width: channels of the branch with the largest images; each further one has twice as many.
    """
    canvas = Canvas(3, (size, size))
    canvas.conv(_STEM, 3, stride=2)
    canvas.conv(_STEM, 3, stride=2)
    for _ in range(_BLOCKS):
        bottleneck(canvas, _STEM, _STEM * EXPANSION)
    branches: list[Shape] = [(canvas.channels, canvas.extent)]
    for stage, modules in enumerate(_MODULES, start=2):
        branches = _enter(canvas, branches, [width * 2**branch for branch in range(stage)])
        for _ in range(modules):
            for shape in branches:
                _at(canvas, shape)
                for _ in range(_BLOCKS):
                    basic(canvas, canvas.channels)
            for into in range(len(branches)):
                _hear(canvas, branches, into)
    for branch, (inner, shape) in enumerate(zip(_HEAD, branches, strict=True)):
        before = canvas.channels, canvas.extent
        _at(canvas, shape)
        bottleneck(canvas, inner, inner * EXPANSION)
        if branch:
            entering, extent = canvas.channels, canvas.extent
            _at(canvas, before)
            canvas.conv(entering, 3, stride=2, bias=True)
            _at(canvas, (entering, extent))
            canvas.add()
    canvas.conv(_LAST, 1, bias=True)
    canvas.global_pool()
    canvas.linear(classes)
    return canvas


def _at(canvas: Canvas, shape: Shape) -> None:
    canvas.channels, canvas.extent = shape


def _enter(canvas: Canvas, branches: list[Shape], widths: list[int]) -> list[Shape]:
    """Bring the branches to the widths of a stage, and draw the one that it adds from the last."""
    entered: list[Shape] = []
    for branch, width in enumerate(widths):
        fresh = branch >= len(branches)
        _at(canvas, branches[-1] if fresh else branches[branch])
        if fresh or canvas.channels != width:
            canvas.conv(width, 3, stride=2 if fresh else 1)
        entered.append((canvas.channels, canvas.extent))
    return entered


def _hear(canvas: Canvas, branches: list[Shape], into: int) -> None:
    """Sum all branches on one of them: smaller images are enlarged, larger ones filtered down by halves."""
    channels, extent = branches[into]
    for other, shape in enumerate(branches):
        if other == into:
            continue
        _at(canvas, shape)
        if other > into:
            canvas.conv(channels, 1, act=None)
            canvas.resample(extent)
        for step in range(into - other):
            last = step == into - other - 1
            canvas.conv(channels if last else canvas.channels, 3, stride=2, act=None if last else "relu")
        _at(canvas, (channels, extent))
        canvas.add()
    _at(canvas, (channels, extent))
    canvas.act()
