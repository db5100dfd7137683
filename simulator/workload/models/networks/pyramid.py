"""Detectors that look at several scales at once: Mask R-CNN on a feature pyramid, and YOLOv3 on Darknet-53."""

from __future__ import annotations

from typing import Final

from simulator.foundation.errors import InputError
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES
from simulator.workload.models.networks.resnet import STAGES, bottleneck, stem

_WIDTH: Final = 256  # channels of every level of the pyramid
_BOX: Final = 7  # positions along an edge of a pooled region, for boxes
_MASK: Final = 14  # the same for masks


@FAMILIES.register("mask-rcnn")
def mask_rcnn(
    size: int, *, depth: int = 50, classes: int = 91, anchors: int = 3, regions: int = 1000, masks: int = 100
) -> Canvas:
    """Draw a Mask R-CNN with a feature pyramid (He et al. 2017, arXiv:1703.06870), ``size`` pixels along an edge.

    Args:
        regions: proposals that the box head sees per image (512 in training, 1,000 in inference).
        masks: regions that the mask head sees per image (positives in training, detections in inference).

    Raises:
        InputError: a depth without bottlenecks.
    """
    if depth not in STAGES or depth < 50:
        raise InputError(f"no pyramid on a ResNet of depth {depth}. Known: 50, 101, 152.")
    canvas = Canvas(3, (size, size))
    levels = _pyramid(canvas, depth)
    for level, extent in enumerate(levels):
        canvas.channels, canvas.extent = _WIDTH, extent
        drawn = len(canvas.layers)
        canvas.conv(_WIDTH, 3, bias=True, norm=False, name="proposals")
        for out in (anchors, 4 * anchors):
            with canvas.branch():
                canvas.conv(out, 1, bias=True, norm=False, act=None, name="proposals out")
        if level:
            canvas.share_weights(since=drawn)
    _box_head(canvas, regions, classes)
    _mask_head(canvas, masks, classes)
    return canvas


def _pyramid(canvas: Canvas, depth: int) -> list[tuple[int, ...]]:
    """Draw the backbone and the pyramid on its four stages; return the extents of the five levels."""
    stem(canvas)
    shapes = []
    for stage, count in enumerate(STAGES[depth]):
        for index in range(count):
            bottleneck(canvas, 64 * 2**stage, 256 * 2**stage, 2 if stage and not index else 1)
        shapes.append((canvas.channels, canvas.extent))
    for channels, extent in reversed(shapes):
        canvas.channels, canvas.extent = channels, extent
        canvas.conv(_WIDTH, 1, bias=True, norm=False, act=None, name="lateral")
        if extent != shapes[-1][1]:
            canvas.add()  # of the level above, interpolated
        canvas.conv(_WIDTH, 3, bias=True, norm=False, act=None, name="pyramid")
    coarsest = tuple((edge + 1) // 2 for edge in shapes[-1][1])
    return [*(extent for _, extent in shapes), coarsest]


def _box_head(canvas: Canvas, regions: int, classes: int) -> None:
    canvas.channels, canvas.extent = _WIDTH * _BOX**2, (regions,)
    canvas.gather()  # aligned pooling of the regions
    canvas.linear(1024, act="relu", name="box")
    canvas.linear(1024, act="relu", name="box")
    for out in (classes, 4 * classes):
        with canvas.branch():
            canvas.linear(out, name="box out")


def _mask_head(canvas: Canvas, masks: int, classes: int) -> None:
    canvas.channels, canvas.extent = _WIDTH, (masks * _MASK, _MASK)  # the regions below each other
    canvas.gather()
    for _ in range(4):
        canvas.conv(_WIDTH, 3, bias=True, norm=False, name="mask")
    canvas.deconv(_WIDTH, 2, stride=2, bias=True, norm=False)
    canvas.conv(classes, 1, bias=True, norm=False, act=None, name="mask out")


@FAMILIES.register("yolov3")
def yolov3(size: int, *, classes: int = 80) -> Canvas:
    """Draw YOLOv3 (Redmon & Farhadi 2018, arXiv:1804.02767) for images of ``size`` pixels along an edge.

    Raises:
        InputError: a size that does not halve five times.
    """
    if size % 32:
        raise InputError(f"images of {size} pixels do not halve five times; a multiple of 32 is needed.")
    canvas = Canvas(3, (size, size))
    canvas.conv(32, 3, act="leaky")
    skipped = []
    for width, blocks in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        canvas.conv(width, 3, stride=2, act="leaky")
        for _ in range(blocks):
            canvas.conv(width // 2, 1, act="leaky")
            canvas.conv(width, 3, act="leaky")
            canvas.add()
        skipped.append((canvas.channels, canvas.extent))
    for scale, width in enumerate((512, 256, 128)):
        if scale:
            channels, extent = skipped[-1 - scale]
            canvas.conv(width, 1, act="leaky", name="route")
            canvas.resample(extent)
            canvas.concat(width + channels)
        _scale(canvas, width, 3 * (classes + 5))
    return canvas


def _scale(canvas: Canvas, width: int, out: int) -> None:
    """Draw the five convolutions of one scale, and its output beside them."""
    for _ in range(2):
        canvas.conv(width, 1, act="leaky")
        canvas.conv(2 * width, 3, act="leaky")
    canvas.conv(width, 1, act="leaky")
    with canvas.branch():
        canvas.conv(2 * width, 3, act="leaky")
        canvas.conv(out, 1, bias=True, norm=False, act=None, name="boxes")
