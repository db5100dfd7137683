"""SSD: one pass over feature maps of falling resolution, a few boxes at each of their positions."""

from __future__ import annotations

from typing import Final

from simulator.foundation.errors import InputError
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES
from simulator.workload.models.networks.resnet import backbone, stem

_EDGE: Final = 300  # pixels that the added layers are made for
_ADDED: Final = ((256, 512, 2), (256, 512, 2), (128, 256, 2), (128, 256, 1), (128, 256, 1))  # inside, out, last stride
_BOXES: Final = (4, 6, 6, 6, 4, 4)  # per position of each feature map


@FAMILIES.register("ssd-resnet")
def ssd_resnet(size: int, *, depth: int = 34, classes: int = 81) -> Canvas:
    """Draw an SSD on a ResNet cut after its third stage, for images of 300 pixels along an edge.

    Source: Liu et al. 2016, arXiv:1512.02325, with the backbone of the MLPerf training benchmark: the third stage keeps
    the resolution of the second (38 x 38). Five pairs of convolutions are added; six feature maps carry boxes.

    Raises:
        InputError: another size; the added layers fit 300 only.
    """
    if size != _EDGE:
        raise InputError(f"this SSD is made for images of {_EDGE} pixels, not {size}.")
    canvas = Canvas(3, (size, size))
    stem(canvas)
    shapes = backbone(canvas, depth, strides=(1, 2, 1))[-1:]
    for inner, out, stride in _ADDED:
        canvas.conv(inner, 1)
        canvas.conv(out, 3, stride=stride, padding=1 if stride == 2 else 0)
        shapes.append((canvas.channels, canvas.extent))
    for (channels, extent), boxes in zip(shapes, _BOXES, strict=True):
        for out in (4 * boxes, classes * boxes):
            canvas.channels, canvas.extent = channels, extent
            canvas.conv(out, 3, bias=True, norm=False, act=None, name="boxes")
    return canvas
