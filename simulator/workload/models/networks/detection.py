"""Detectors: SSD on a ResNet-34 or ResNet-50, RetinaNet on a feature pyramid."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.foundation.errors import InputError
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES
from simulator.workload.models.networks.resnet import STAGES, bottleneck, stem

_PYRAMID = 256  # channels of every level


def _features(
    size: int, *, depth: int, groups: int, group_width: int
) -> tuple[Canvas, list[tuple[int, tuple[int, ...]]]]:
    """Draw a bottleneck ResNet without its head; return the canvas and the shape after each stage."""
    if depth not in STAGES or depth < 50:
        raise InputError(f"no pyramid on a ResNet of depth {depth}. Known: 50, 101, 152.")
    canvas = Canvas(3, (size, size))
    stem(canvas)
    shapes = []
    for stage, count in enumerate(STAGES[depth]):
        for index in range(count):
            bottleneck(
                canvas, groups * group_width * 2**stage, 256 * 2**stage, 2 if stage and not index else 1, groups=groups
            )
        shapes.append((canvas.channels, canvas.extent))
    return canvas, shapes


@FAMILIES.register("retinanet")
def retinanet(
    size: int, *, depth: int = 50, groups: int = 1, group_width: int = 64, classes: int = 91, anchors: int = 9
) -> Canvas:
    """Draw a RetinaNet (Lin et al. 2017, arXiv:1708.02002) for images of ``size`` pixels along an edge.

    A pyramid of five levels from the last three stages; four convolutions of 256 in each of the two heads, which share
    their weights over the levels. Proposals are decoded on the host and left out.
    """
    canvas, shapes = _features(size, depth=depth, groups=groups, group_width=group_width)
    levels = [extent for _, extent in shapes[1:]]
    for channels, extent in shapes[1:]:
        canvas.channels, canvas.extent = channels, extent
        canvas.conv(_PYRAMID, 1, bias=True, norm=False, act=None, name="lateral")
        canvas.conv(_PYRAMID, 3, bias=True, norm=False, act=None, name="pyramid")
    for _ in range(2):
        canvas.conv(_PYRAMID, 3, stride=2, bias=True, norm=False, act=None, name="pyramid")
        levels.append(canvas.extent)
    for out in (classes * anchors, 4 * anchors):
        _shared_head(canvas, out, levels)
    return canvas


def _shared_head(canvas: Canvas, out: int, levels: Sequence[tuple[int, ...]]) -> None:
    """Draw four convolutions and the output on every level; the weights count once."""
    for level, extent in enumerate(levels):
        canvas.channels, canvas.extent = _PYRAMID, extent
        drawn = len(canvas.layers)
        for _ in range(4):
            canvas.conv(_PYRAMID, 3, bias=True, norm=False, name="head")
        canvas.conv(out, 3, bias=True, norm=False, act=None, name="head out")
        if level:
            canvas.share_weights(since=drawn)


_EXTRA = {  # channels inside and after each added pair of convolutions, and the stride of its second one
    300: ((256, 512, 2), (256, 512, 2), (128, 256, 2), (128, 256, 1), (128, 256, 1)),
    1200: ((256, 512, 1), (256, 512, 2), (128, 256, 2), (128, 256, 2), (128, 256, 2)),
}


@FAMILIES.register("ssd-resnet34")
def ssd_resnet34(size: int, *, classes: int = 81) -> Canvas:
    """Draw MLPerf's SSD on a ResNet-34 cut after its third stage, for images of 300 pixels along an edge.

    Source: Liu et al. 2016, arXiv:1512.02325, with the backbone of the training benchmark: the third stage keeps the
    resolution of the second (38 x 38), six feature maps carry 4, 6, 6, 6, 4 and 4 boxes.

    Raises:
        InputError: another size; the added layers fit 300 only.
    """
    if size != 300:
        raise InputError(f"this SSD is made for images of 300 pixels, not {size}.")
    canvas = Canvas(3, (size, size))
    stem(canvas)
    for stage, count in enumerate(STAGES[34][:3]):
        for index in range(count):
            _basic(canvas, 64 * 2**stage, 2 if stage == 1 and not index else 1)
    shapes = [(canvas.channels, canvas.extent)]
    for inner, out, stride in _EXTRA[300]:
        canvas.conv(inner, 1)
        canvas.conv(out, 3, stride=stride, padding=1 if stride == 2 else 0)
        shapes.append((canvas.channels, canvas.extent))
    _box_heads(canvas, shapes, classes)
    return canvas


def _basic(canvas: Canvas, out: int, stride: int) -> None:
    if canvas.channels != out:
        with canvas.branch():
            canvas.conv(out, 1, stride=stride, act=None, name="projection")
    canvas.conv(out, 3, stride=stride)
    canvas.conv(out, 3, act=None)
    canvas.add()
    canvas.act()


def _box_heads(canvas: Canvas, shapes: Sequence[tuple[int, tuple[int, ...]]], classes: int) -> None:
    for (channels, extent), boxes in zip(shapes, (4, 6, 6, 6, 4, 4), strict=True):
        for out in (4 * boxes, classes * boxes):
            canvas.channels, canvas.extent = channels, extent
            canvas.conv(out, 3, bias=True, norm=False, act=None, name="boxes")


@FAMILIES.register("ssd-resnet50")
def ssd_resnet50(size: int, *, classes: int = 81) -> Canvas:
    """Draw an SSD on a ResNet-50 cut after its third stage, which keeps the resolution of the second (38 x 38 at 300).

    The added layers and boxes are those of the SSD on a ResNet-34.

    Raises:
        InputError: another size; the added layers fit 300 only.
    """
    if size != 300:
        raise InputError(f"this SSD is made for images of 300 pixels, not {size}.")
    canvas = Canvas(3, (size, size))
    stem(canvas)
    for stage, count in enumerate(STAGES[50][:3]):
        for index in range(count):
            bottleneck(canvas, 64 * 2**stage, 256 * 2**stage, 2 if stage == 1 and not index else 1)
    shapes = [(canvas.channels, canvas.extent)]
    for inner, out, stride in _EXTRA[300]:
        canvas.conv(inner, 1)
        canvas.conv(out, 3, stride=stride, padding=1 if stride == 2 else 0)
        shapes.append((canvas.channels, canvas.extent))
    _box_heads(canvas, shapes, classes)
    return canvas
