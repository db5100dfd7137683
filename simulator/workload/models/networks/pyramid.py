"""Detectors on a feature pyramid: RetinaNet, Mask R-CNN, and YOLOv3 on Darknet-53.

The stem and the first stage of a pyramid's ResNet are not trained, as in the published recipes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simulator.foundation.errors import InputError
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES
from simulator.workload.models.networks.resnet import BOTTLENECK_FROM, Shape, backbone, stem

_WIDTH: Final = 256  # channels of every level of the pyramid
_BOX: Final = 7  # positions along an edge of a pooled region, for boxes
_MASK: Final = 14  # the same for masks
#: small kernels that match the boxes of one image with the truth: overlaps, best ones, targets of classes and of edges;
#: fitted, as the sum of these three is, to steps of SSD and Mask R-CNN on one device (DeepLearningExamples)
_MATCHING: Final = 160
#: the same to propose regions: on each of five levels best scores, decoding, clipping and suppression, then a sample
_PROPOSING: Final = 5 * 20 + 20
#: for each region with a mask: crop, resize, compare
_PER_MASK: Final = 5


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
    canvas = Canvas(3, (size, size))
    shapes = _stages(canvas, depth)
    _pyramid(canvas, shapes)
    levels = [extent for _, extent in shapes]
    levels.append(tuple((edge + 1) // 2 for edge in levels[-1]))
    for level, extent in enumerate(levels):
        canvas.channels, canvas.extent = _WIDTH, extent
        drawn = len(canvas.layers)
        canvas.conv(_WIDTH, 3, bias=True, norm=False, name="proposals")
        for out in (anchors, 4 * anchors):
            with canvas.branch():
                canvas.conv(out, 1, bias=True, norm=False, act=None, name="proposals out")
        if level:
            canvas.share_weights(since=drawn)
    canvas.decide("proposals chosen", _MATCHING + _PROPOSING)
    _box_head(canvas, regions, classes)
    canvas.decide("masks matched", _PER_MASK * masks)
    _mask_head(canvas, masks, classes)
    return canvas


def _stages(canvas: Canvas, depth: int, *, groups: int = 1, group_width: int = 64, frozen: int = 1) -> list[Shape]:
    if depth < BOTTLENECK_FROM:
        raise InputError(f"no pyramid on a ResNet of depth {depth}. Known: 50, 101, 152.")
    stem(canvas)
    return backbone(canvas, depth, groups=groups, group_width=group_width, frozen=frozen)


def _pyramid(canvas: Canvas, shapes: Sequence[Shape]) -> None:
    """Draw a level on each stage, coarsest first; each finer one adds the level above, interpolated."""
    for channels, extent in reversed(shapes):
        canvas.channels, canvas.extent = channels, extent
        canvas.conv(_WIDTH, 1, bias=True, norm=False, act=None, name="lateral")
        if extent != shapes[-1][1]:
            canvas.add()
        canvas.conv(_WIDTH, 3, bias=True, norm=False, act=None, name="pyramid")


@FAMILIES.register("retinanet")
def retinanet(
    size: int,
    *,
    depth: int = 50,
    groups: int = 1,
    group_width: int = 64,
    classes: int = 91,
    anchors: int = 9,
    norms: bool = False,
) -> Canvas:
    """Draw a RetinaNet (Lin et al. 2017, arXiv:1708.02002) for images of ``size`` pixels along an edge.

    Three levels on the last three stages and two coarser ones; four convolutions of 256 in each of the two heads, which
    share their weights over the levels.

    Args:
        norms: each level has a norm of its own after each convolution of the heads, and all stages are trained (the SSD
            with a pyramid of TensorFlow's detection models).
    """
    canvas = Canvas(3, (size, size))
    shapes = _stages(canvas, depth, groups=groups, group_width=group_width, frozen=0 if norms else 1)[1:]
    _pyramid(canvas, shapes)
    levels = [extent for _, extent in shapes]
    canvas.extent = levels[-1]
    for _ in range(2):
        canvas.conv(_WIDTH, 3, stride=2, bias=True, norm=False, act=None, name="pyramid")
        levels.append(canvas.extent)
    canvas.decide("boxes matched", _MATCHING)
    for out in (classes * anchors, 4 * anchors):
        for level, extent in enumerate(levels):
            canvas.channels, canvas.extent = _WIDTH, extent
            for width, act, name in (*[(_WIDTH, "relu", "head")] * 4, (out, None, "head out")):
                drawn = len(canvas.layers)
                normed = norms and act is not None
                canvas.conv(width, 3, bias=not normed, norm=False, act=None, name=name)
                if level:
                    canvas.share_weights(since=drawn)
                if normed:
                    canvas.norm()
                if act is not None:
                    canvas.act(act)
    return canvas


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
