"""U-Nets for segmentation, in two and three dimensions."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.foundation.errors import InputError
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES, whole_numbers


@FAMILIES.register("unet")
def unet(
    size: int,
    *,
    filters: str = "64-128-256-512-1024",
    dimensions: int = 2,
    channels: int = 1,
    classes: int = 2,
    norm: bool = False,
    strided: bool = False,
) -> Canvas:
    """Draw a U-Net (Ronneberger et al. 2015, arXiv:1505.04597) for ``size`` pixels along each edge.

    Two padded convolutions of 3 per level, a transposed convolution of 2 on the way up, and the skipped data joined.

    Args:
        filters: channels of the levels, widest image first.
        dimensions: 2 for images, 3 for volumes.
        norm: a norm after each convolution (batch or instance), and then no biases.
        strided: the first convolution of a level goes down with stride 2; otherwise a pooling of 2 stands before it.
    """
    levels = _levels(size, filters)
    canvas = Canvas(channels, (size,) * dimensions)
    skipped: list[tuple[int, tuple[int, ...]]] = []
    for level, width in enumerate(levels):
        if level and not strided:
            canvas.pool(2)
        canvas.conv(width, 3, stride=2 if level and strided else 1, bias=not norm, norm=norm)
        canvas.conv(width, 3, bias=not norm, norm=norm)
        skipped.append((width, canvas.extent))
    for width, _ in reversed(skipped[:-1]):
        canvas.deconv(width, 2, stride=2, bias=not norm, norm=False, act=None)
        canvas.concat(2 * width)
        canvas.conv(width, 3, bias=not norm, norm=norm)
        canvas.conv(width, 3, bias=not norm, norm=norm)
    canvas.conv(classes, 1, bias=True, norm=False, act=None, name="classifier")
    return canvas


def _levels(size: int, filters: str) -> Sequence[int]:
    levels = whole_numbers(filters, "filters")
    if size % 2 ** (len(levels) - 1):
        raise InputError(f"a size of {size} does not halve {len(levels) - 1} times; "
                         f"it must be a multiple of {2 ** (len(levels) - 1)}.")  # fmt: skip
    return levels
