"""GoogLeNet and Inception-v3: branches of several kernels, joined by channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES

Kernel = int | tuple[int, int]


def _branches(canvas: Canvas, *branches: Callable[[], None]) -> None:
    """Draw the branches from the same input and join them."""
    channels, extent = 0, canvas.extent
    for draw in branches:
        with canvas.branch():
            draw()
            channels, extent = channels + canvas.channels, canvas.extent
    canvas.extent = extent
    canvas.concat(channels)


def _chain(canvas: Canvas, *convs: tuple[int, Kernel], stride: int = 1) -> Callable[[], None]:
    """Return the drawing of convolutions one after another; the last one has the stride, and then no padding."""

    def draw() -> None:
        for out, kernel in convs[:-1]:
            canvas.conv(out, kernel)
        out, kernel = convs[-1]
        canvas.conv(out, kernel, stride=stride, padding=0 if stride > 1 else None)

    return draw


def _pooled(canvas: Canvas, out: int) -> Callable[[], None]:
    def draw() -> None:
        canvas.pool(3, stride=1, padding=1)
        canvas.conv(out, 1)

    return draw


@FAMILIES.register("googlenet")
def googlenet(size: int, *, classes: int = 1000) -> Canvas:
    """Draw GoogLeNet (Szegedy et al. 2014, arXiv:1409.4842) for images of ``size`` pixels along an edge.

    With batch norm, 3x3 kernels in the third branch and no auxiliary heads, as it is mostly run today.
    """
    canvas = Canvas(3, (size, size))
    canvas.conv(64, 7, stride=2, padding=3)
    canvas.pool(3, stride=2, ceil=True)
    canvas.conv(64, 1)
    canvas.conv(192, 3)
    canvas.pool(3, stride=2, ceil=True)
    stages: Sequence[Sequence[tuple[int, ...]]] = (
        ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
        ((192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64),
         (112, 144, 288, 32, 64, 64), (256, 160, 320, 32, 128, 128)),
        ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
    )  # fmt: skip
    for stage, cells in enumerate(stages):
        for one, three_in, three, five_in, five, pooled in cells:
            _branches(canvas, _chain(canvas, (one, 1)), _chain(canvas, (three_in, 1), (three, 3)),
                      _chain(canvas, (five_in, 1), (five, 3)), _pooled(canvas, pooled))  # fmt: skip
        if stage < 2:
            canvas.pool(3 if stage == 0 else 2, stride=2, ceil=True)
    canvas.global_pool()
    canvas.linear(classes)
    return canvas


@FAMILIES.register("inception-v3")
def inception_v3(size: int, *, classes: int = 1000) -> Canvas:
    """Draw Inception-v3 (Szegedy et al. 2015, arXiv:1512.00567) for images of ``size`` pixels along an edge (299).

    Without the auxiliary head.
    """
    canvas = Canvas(3, (size, size))
    canvas.conv(32, 3, stride=2, padding=0)
    canvas.conv(32, 3, padding=0)
    canvas.conv(64, 3)
    canvas.pool(3, stride=2)
    canvas.conv(80, 1)
    canvas.conv(192, 3, padding=0)
    canvas.pool(3, stride=2)
    for pooled in (32, 64, 64):
        _branches(canvas, _chain(canvas, (64, 1)), _chain(canvas, (48, 1), (64, 5)),
                  _chain(canvas, (64, 1), (96, 3), (96, 3)), _pooled(canvas, pooled))  # fmt: skip
    _branches(canvas, _chain(canvas, (384, 3), stride=2), _chain(canvas, (64, 1), (96, 3), (96, 3), stride=2),
              lambda: canvas.pool(3, stride=2))  # fmt: skip
    for inner in (128, 160, 160, 192):
        _branches(canvas, _chain(canvas, (192, 1)), _chain(canvas, (inner, 1), (inner, (1, 7)), (192, (7, 1))),
                  _chain(canvas, (inner, 1), (inner, (7, 1)), (inner, (1, 7)), (inner, (7, 1)), (192, (1, 7))),
                  _pooled(canvas, 192))  # fmt: skip
    _branches(canvas, _chain(canvas, (192, 1), (320, 3), stride=2),
              _chain(canvas, (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3), stride=2),
              lambda: canvas.pool(3, stride=2))  # fmt: skip
    for _ in range(2):
        _branches(canvas, _chain(canvas, (320, 1)), _forked(canvas, (384, 1)), _forked(canvas, (448, 1), (384, 3)),
                  _pooled(canvas, 192))  # fmt: skip
    canvas.global_pool()
    canvas.linear(classes)
    return canvas


def _forked(canvas: Canvas, *convs: tuple[int, Kernel]) -> Callable[[], None]:
    """Return the drawing of a chain that ends in a 1x3 and a 3x1 convolution side by side."""

    def draw() -> None:
        _chain(canvas, *convs)()
        _branches(canvas, _chain(canvas, (384, (1, 3))), _chain(canvas, (384, (3, 1))))

    return draw
