"""MobileNet and EfficientNet: depthwise convolutions between narrow 1x1 ones."""

from __future__ import annotations

import math

from simulator.foundation.errors import InputError
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES
from simulator.workload.models.networks.resnet import Shape


def _rounded(channels: float, divisor: int = 8) -> int:
    """Return a multiple of 8 near ``channels``, not more than a tenth below it (the rule of the published networks)."""
    near = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return near + divisor if near < 0.9 * channels else near


def _inverted(
    canvas: Canvas,
    out: int,
    *,
    kernel: int,
    stride: int,
    inner: int,
    act: str,
    squeeze: int = 0,
    squeeze_act: str = "relu",
) -> None:
    """Draw an inverted residual: widen, filter each channel, narrow; ``squeeze`` is the width of the excitation."""
    entering = canvas.channels
    if inner != entering:
        canvas.conv(inner, 1, act=act, name="expand")
    canvas.conv(inner, kernel, stride=stride, groups=inner, act=act, name="depthwise")
    if squeeze:
        canvas.squeeze(squeeze, act=squeeze_act)
    canvas.conv(out, 1, act=None, name="project")
    if stride == 1 and entering == out:
        canvas.add()


@FAMILIES.register("mobilenet-v1")
def mobilenet_v1(size: int, *, width: float = 1.0, classes: int = 1000) -> Canvas:
    """Draw MobileNet (Howard et al. 2017, arXiv:1704.04861) for images of ``size`` pixels along an edge."""
    canvas = Canvas(3, (size, size))
    canvas.conv(_rounded(32 * width), 3, stride=2)
    for out, stride in (
        (64, 1),
        (128, 2),
        (128, 1),
        (256, 2),
        (256, 1),
        (512, 2),
        *[(512, 1)] * 5,
        (1024, 2),
        (1024, 1),
    ):
        canvas.conv(canvas.channels, 3, stride=stride, groups=canvas.channels, name="depthwise")
        canvas.conv(_rounded(out * width), 1)
    canvas.global_pool()
    canvas.linear(classes)
    return canvas


@FAMILIES.register("mobilenet-v2")
def mobilenet_v2(size: int, *, width: float = 1.0, classes: int = 1000) -> Canvas:
    """Draw MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381) for images of ``size`` pixels along an edge."""
    canvas = Canvas(3, (size, size))
    canvas.conv(_rounded(32 * width), 3, stride=2)
    plan = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for expansion, out, count, first in plan:
        for index in range(count):
            _inverted(canvas, _rounded(out * width), kernel=3, stride=1 if index else first,
                      inner=canvas.channels * expansion, act="relu")  # fmt: skip
    canvas.conv(_rounded(1280 * max(1.0, width)), 1)
    canvas.global_pool()
    canvas.linear(classes)
    return canvas


_R, _H = "relu", "hard-swish"
_V3_LARGE = (  # kernel, widened channels, channels out, squeezed, activation, stride
    (3, 16, 16, 0, _R, 1), (3, 64, 24, 0, _R, 2), (3, 72, 24, 0, _R, 1), (5, 72, 40, 1, _R, 2), (5, 120, 40, 1, _R, 1),
    (5, 120, 40, 1, _R, 1), (3, 240, 80, 0, _H, 2), (3, 200, 80, 0, _H, 1), (3, 184, 80, 0, _H, 1),
    (3, 184, 80, 0, _H, 1), (3, 480, 112, 1, _H, 1), (3, 672, 112, 1, _H, 1), (5, 672, 160, 1, _H, 2),
    (5, 960, 160, 1, _H, 1), (5, 960, 160, 1, _H, 1),
)  # fmt: skip
_V3_SMALL = (
    (3, 16, 16, 1, _R, 2), (3, 72, 24, 0, _R, 2), (3, 88, 24, 0, _R, 1), (5, 96, 40, 1, _H, 2), (5, 240, 40, 1, _H, 1),
    (5, 240, 40, 1, _H, 1), (5, 120, 48, 1, _H, 1), (5, 144, 48, 1, _H, 1), (5, 288, 96, 1, _H, 2),
    (5, 576, 96, 1, _H, 1), (5, 576, 96, 1, _H, 1),
)  # fmt: skip
_V3 = {"large": (_V3_LARGE, 960, 1280), "small": (_V3_SMALL, 576, 1024)}


@FAMILIES.register("mobilenet-v3")
def mobilenet_v3(size: int, *, variant: str, classes: int = 1000) -> Canvas:
    """Draw MobileNetV3 large or small (Howard et al. 2019, arXiv:1905.02244), ``size`` pixels along an edge."""
    if variant not in _V3:
        raise InputError(f"no MobileNetV3 {variant!r}. Known: {', '.join(_V3)}.")
    blocks, last, hidden = _V3[variant]
    canvas = Canvas(3, (size, size))
    canvas.conv(16, 3, stride=2, act="hard-swish")
    for kernel, inner, out, excited, act, stride in blocks:
        _inverted(canvas, out, kernel=kernel, stride=stride, inner=inner, act=act,
                  squeeze=_rounded(inner / 4) if excited else 0)  # fmt: skip
    canvas.conv(last, 1, act="hard-swish")
    canvas.global_pool()
    canvas.linear(hidden, act="hard-swish")
    canvas.linear(classes)
    return canvas


_EFFICIENT = {  # factors on width and depth
    "b0": (1.0, 1.0), "b1": (1.0, 1.1), "b2": (1.1, 1.2), "b3": (1.2, 1.4), "b4": (1.4, 1.8), "b5": (1.6, 2.2),
    "b6": (1.8, 2.6), "b7": (2.0, 3.1),
}  # fmt: skip


@FAMILIES.register("efficientnet")
def efficientnet(size: int, *, variant: str, wide_squeeze: bool = False, classes: int = 1000) -> Canvas:
    """Draw EfficientNet B0 to B7 (Tan & Le 2019, arXiv:1905.11946) for images of ``size`` pixels along an edge.

    Args:
        wide_squeeze: excitations a quarter of the widened channels wide, instead of a quarter of the entering ones.
    """
    canvas = Canvas(3, (size, size))
    efficient_stages(canvas, variant, wide_squeeze=wide_squeeze)
    canvas.conv(_rounded(1280 * _EFFICIENT[variant][0]), 1, act="swish")
    canvas.global_pool()
    canvas.linear(classes)
    return canvas


def efficient_stages(canvas: Canvas, variant: str, *, wide_squeeze: bool = False) -> list[Shape]:
    """Draw the stem and the seven stages of an EfficientNet; return channels and extent after each stage.

    Raises:
        InputError: a variant that no EfficientNet has.
    """
    if variant not in _EFFICIENT:
        raise InputError(f"no EfficientNet {variant!r}. Known: {', '.join(_EFFICIENT)}.")
    width, depth = _EFFICIENT[variant]
    canvas.conv(_rounded(32 * width), 3, stride=2, act="swish")
    plan = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5),
            (6, 192, 4, 2, 5), (6, 320, 1, 1, 3))  # fmt: skip
    shapes = []
    for expansion, out, count, first, kernel in plan:
        for index in range(math.ceil(count * depth)):
            inner = canvas.channels * expansion
            excited = max(1, (inner if wide_squeeze else canvas.channels) // 4)
            _inverted(canvas, _rounded(out * width), kernel=kernel, stride=1 if index else first, inner=inner,
                      act="swish", squeeze=excited, squeeze_act="swish")  # fmt: skip
        shapes.append((canvas.channels, canvas.extent))
    return shapes


#: stem; blocks (dense filters: 1, and 2 where they are projected even if nothing was widened; expansion, channels out,
#: count, first stride); channels before the classifier
_V2 = {
    "s": (24, ((1, 1, 24, 2, 1), (1, 4, 48, 4, 2), (1, 4, 64, 4, 2), (0, 4, 128, 6, 2), (0, 6, 160, 9, 1),
               (0, 6, 256, 15, 2)), 1280),
    "rw-s": (24, ((2, 1, 24, 2, 1), (1, 4, 48, 4, 2), (1, 4, 64, 4, 2), (0, 4, 128, 6, 2), (0, 6, 160, 9, 1),
                  (0, 6, 272, 15, 2)), 1792),
    "m": (24, ((1, 1, 24, 3, 1), (1, 4, 48, 5, 2), (1, 4, 80, 5, 2), (0, 4, 160, 7, 2), (0, 6, 176, 14, 1),
               (0, 6, 304, 18, 2), (0, 6, 512, 5, 1)), 1280),
    "l": (32, ((1, 1, 32, 4, 1), (1, 4, 64, 7, 2), (1, 4, 96, 7, 2), (0, 4, 192, 10, 2), (0, 6, 224, 19, 1),
               (0, 6, 384, 25, 2), (0, 6, 640, 7, 1)), 1280),
}  # fmt: skip


@FAMILIES.register("efficientnet-v2")
def efficientnet_v2(size: int, *, variant: str, classes: int = 1000) -> Canvas:
    """Draw EfficientNetV2 S, M, L (Tan & Le 2021, arXiv:2104.00298) or timm's S, ``size`` pixels along an edge."""
    if variant not in _V2:
        raise InputError(f"no EfficientNetV2 {variant!r}. Known: {', '.join(_V2)}.")
    stem, plan, last = _V2[variant]
    canvas = Canvas(3, (size, size))
    canvas.conv(stem, 3, stride=2, act="swish")
    for fused, expansion, out, count, first in plan:
        for index in range(count):
            stride, entering = 1 if index else first, canvas.channels
            if fused:
                _fused(canvas, out, stride=stride, expansion=expansion, project=fused > 1 or expansion > 1)
            else:
                _inverted(canvas, out, kernel=3, stride=stride, inner=entering * expansion, act="swish",
                          squeeze=entering // 4, squeeze_act="swish")  # fmt: skip
    canvas.conv(last, 1, act="swish")
    canvas.global_pool()
    canvas.linear(classes)
    return canvas


def _fused(canvas: Canvas, out: int, *, stride: int, expansion: int, project: bool) -> None:
    """Draw an inverted residual whose widening and filter are one dense convolution."""
    entering = canvas.channels
    canvas.conv(entering * expansion if project else out, 3, stride=stride, act="swish")
    if project:
        canvas.conv(out, 1, act=None, name="project")
    if stride == 1 and entering == out:
        canvas.add()
