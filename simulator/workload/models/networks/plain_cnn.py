"""AlexNet, VGG and LeNet: convolutions one after another, then wide matrix products."""

from __future__ import annotations

from simulator.foundation.errors import InputError
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES

_VGG = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def _classifier(canvas: Canvas, widths: tuple[int, ...], classes: int) -> Canvas:
    canvas.flatten()
    for width in widths:
        canvas.linear(width, act="relu")
    canvas.linear(classes)
    return canvas


@FAMILIES.register("alexnet")
def alexnet(size: int, *, classes: int = 1000) -> Canvas:
    """Draw the one-tower AlexNet (Krizhevsky 2014, arXiv:1404.5997) for images of ``size`` pixels along an edge."""
    canvas = Canvas(3, (size, size))
    canvas.conv(64, 11, stride=4, padding=2, bias=True, norm=False)
    canvas.pool(3, stride=2)
    canvas.conv(192, 5, bias=True, norm=False)
    canvas.pool(3, stride=2)
    for out in (384, 256, 256):
        canvas.conv(out, 3, bias=True, norm=False)
    canvas.pool(3, stride=2)
    canvas.global_pool(6)
    return _classifier(canvas, (4096, 4096), classes)


@FAMILIES.register("vgg")
def vgg(size: int, *, depth: int, batch_norm: bool = False, classes: int = 1000) -> Canvas:
    """Draw VGG (Simonyan & Zisserman 2014, arXiv:1409.1556) for images of ``size`` pixels along an edge."""
    if depth not in _VGG:
        raise InputError(f"no VGG of depth {depth}. Known: {', '.join(map(str, _VGG))}.")
    canvas = Canvas(3, (size, size))
    for stage, count in enumerate(_VGG[depth]):
        for _ in range(count):
            canvas.conv(min(64 * 2**stage, 512), 3, bias=True, norm=batch_norm)
        canvas.pool(2)
    canvas.global_pool(7)
    return _classifier(canvas, (4096, 4096), classes)


@FAMILIES.register("lenet")
def lenet(size: int, *, channels: int = 1, classes: int = 10) -> Canvas:
    """Draw LeNet-5 (LeCun et al. 1998) with rectifiers, for images of ``size`` pixels along an edge (28 or 32)."""
    canvas = Canvas(channels, (size, size))
    for out, padding in ((6, (32 - size) // 2 if size < 32 else 0), (16, 0)):
        canvas.conv(out, 5, padding=padding, bias=True, norm=False)
        canvas.pool(2)
    return _classifier(canvas, (120, 84), classes)
