"""DenseNet: every layer sees all the layers before it in its block."""

from __future__ import annotations

from simulator.foundation.errors import InputError
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES

_BLOCKS = {121: (6, 12, 24, 16), 161: (6, 12, 36, 24), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}
_BOTTLENECK = 4  # width of the 1x1 convolution, in growths


@FAMILIES.register("densenet")
def densenet(size: int, *, depth: int, classes: int = 1000) -> Canvas:
    """Draw a DenseNet (Huang et al. 2016, arXiv:1608.06993) for images of ``size`` pixels along an edge."""
    if depth not in _BLOCKS:
        raise InputError(f"no DenseNet of depth {depth}. Known: {', '.join(map(str, _BLOCKS))}.")
    growth, first = (48, 96) if depth == 161 else (32, 64)
    canvas = Canvas(3, (size, size))
    canvas.conv(first, 7, stride=2, padding=3)
    canvas.pool(3, stride=2, padding=1)
    for stage, count in enumerate(_BLOCKS[depth]):
        for _ in range(count):
            _dense_layer(canvas, growth)
        if stage < len(_BLOCKS[depth]) - 1:
            _before(canvas)
            canvas.conv(canvas.channels // 2, 1, norm=False, act=None)
            canvas.pool(2)
    _before(canvas)
    canvas.global_pool()
    canvas.linear(classes)
    return canvas


def _before(canvas: Canvas) -> None:
    canvas.norm()
    canvas.act()


def _dense_layer(canvas: Canvas, growth: int) -> None:
    joined = canvas.channels + growth
    with canvas.branch():
        _before(canvas)
        canvas.conv(_BOTTLENECK * growth, 1)
        canvas.conv(growth, 3, norm=False, act=None)
    canvas.concat(joined)
