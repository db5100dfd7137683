"""Speech recognisers without recurrence: Jasper, QuartzNet, Conformer over spectrograms, wav2vec 2.0 over samples."""

from __future__ import annotations

from typing import Final

from simulator.foundation.errors import InputError
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES

_JASPER: Final = ((11, 256), (13, 384), (17, 512), (21, 640), (25, 768))
_QUARTZ: Final = ((33, 256), (39, 256), (51, 512), (63, 512), (75, 512))
_REPEATS: Final = 5  # convolutions of one block


@FAMILIES.register("jasper")
def jasper(size: int, *, blocks: int = 10, features: int = 64, labels: int = 29) -> Canvas:
    """Draw Jasper with dense residuals (Li et al. 2019, arXiv:1904.03288) for ``size`` frames (10 ms each).

    Every block adds 1 x 1 projections of the outputs of all blocks before it.
    """
    canvas = Canvas(features, (size,))
    canvas.conv(256, 11, stride=2)
    outputs = [canvas.channels]
    for kernel, width in _JASPER:
        for _ in range(blocks // len(_JASPER)):
            for earlier in outputs:
                with canvas.branch():
                    canvas.channels = earlier
                    canvas.conv(width, 1, act=None, name="residual")
            for repeat in range(_REPEATS):
                canvas.conv(width, kernel, act="relu" if repeat < _REPEATS - 1 else None)
            for _ in outputs:
                canvas.add()
            canvas.act()
            outputs.append(width)
    canvas.conv(896, 29, dilation=2)
    canvas.conv(1024, 1)
    canvas.conv(labels, 1, bias=True, norm=False, act=None, name="labels")
    return canvas


@FAMILIES.register("quartznet")
def quartznet(size: int, *, repeats: int = 3, features: int = 64, labels: int = 29) -> Canvas:
    """Draw QuartzNet (Kriman et al. 2019, arXiv:1910.10261) for ``size`` frames (10 ms each).

    Args:
        repeats: blocks of each of the five kinds (3 for 15x5).
    """
    canvas = Canvas(features, (size,))
    _separable(canvas, 256, 33, stride=2)
    for kernel, width in _QUARTZ:
        for _ in range(repeats):
            with canvas.branch():
                canvas.conv(width, 1, act=None, name="residual")
            for repeat in range(_REPEATS):
                _separable(canvas, width, kernel, act="relu" if repeat < _REPEATS - 1 else None)
            canvas.add()
            canvas.act()
    _separable(canvas, 512, 87, dilation=2)
    canvas.conv(1024, 1)
    canvas.conv(labels, 1, bias=True, norm=False, act=None, name="labels")
    return canvas


def _separable(
    canvas: Canvas, out: int, kernel: int, *, stride: int = 1, dilation: int = 1, act: str | None = "relu"
) -> None:
    canvas.conv(canvas.channels, kernel, stride=stride, dilation=dilation, groups=canvas.channels, norm=False, act=None,
                name="depthwise")  # fmt: skip
    canvas.conv(out, 1, act=act)


@FAMILIES.register("conformer")
def conformer(
    size: int, *, width: int, depth: int, heads: int, kernel: int = 31, features: int = 80, labels: int = 129
) -> Canvas:
    """Draw a Conformer encoder (Gulati et al. 2020, arXiv:2005.08100) with a linear decoder for ``size`` frames.

    A frame is 10 ms. Two strided convolutions take four frames to one; attention has relative positions.
    """
    canvas = Canvas(1, (size, features))
    for _ in range(2):
        canvas.conv(width, 3, stride=2, bias=True, norm=False)
    canvas.channels, canvas.extent = width * canvas.extent[1], canvas.extent[:1]
    canvas.linear(width, name="subsampled")
    for _ in range(depth):
        _half_ffn(canvas, width)
        canvas.norm()
        canvas.linear(3 * width, name="qkv")
        canvas.channels = width
        with canvas.branch():
            canvas.linear(width, bias=False, name="positions")
        canvas.attention(heads, width)
        canvas.learned("position biases", 2 * width)
        canvas.linear(width, name="attention out")
        canvas.add()
        canvas.norm()
        canvas.linear(2 * width, act="sigmoid", name="pointwise")
        canvas.channels = width
        canvas.conv(width, kernel, groups=width, bias=True, act="swish", name="depthwise")
        canvas.linear(width, name="pointwise")
        canvas.add()
        _half_ffn(canvas, width)
        canvas.norm()
    canvas.linear(labels, name="labels")
    return canvas


def _half_ffn(canvas: Canvas, width: int) -> None:
    canvas.norm()
    canvas.linear(4 * width, act="swish", name="ffn up")
    canvas.linear(width, name="ffn down")
    canvas.add()


#: kernel and stride of the convolutions that turn audio into positions: one in 320 samples
_FRONT: Final = ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))
_FRONT_WIDTH: Final = 512
_POSITION_KERNEL, _POSITION_GROUPS = 128, 16


@FAMILIES.register("wav2vec2")
def wav2vec2(
    size: int,
    *,
    width: int = 768,
    depth: int = 12,
    heads: int = 12,
    ends: int = 0,
    shortening: int = 1,
    targets: int = 640,
    projected: int = 256,
) -> Canvas:
    """Draw a wav2vec 2.0 in pre-training (Baevski et al. 2020, arXiv:2006.11477) for ``size`` samples of audio.

    Args:
        ends: first and as many last layers that keep all positions, where those between see fewer: an hourglass
            (Nawrot et al. 2021, arXiv:2110.13711).
        shortening: positions that are averaged into one between the ends.
        targets: entries of both codebooks that positions are quantised to; projected: width of what is compared.

    Raises:
        InputError: the ends take more layers than there are.
    """
    if 2 * ends > depth:
        raise InputError(f"ends take 2 x {ends} layers of {depth}.")
    canvas = Canvas(1, (size,))
    for index, (kernel, stride) in enumerate(_FRONT):
        canvas.conv(_FRONT_WIDTH, kernel, stride=stride, padding=0, norm=index == 0, act="gelu", name="front")
    canvas.layer_norm()
    with canvas.branch():
        canvas.linear(targets, name="quantiser")
        canvas.channels = projected
        canvas.learned("codebooks", targets // 2 * projected)
        canvas.linear(projected, name="quantised")
    canvas.linear(width, name="projection")
    canvas.learned("mask", width)
    with canvas.branch():
        canvas.learned("lengths of the position kernel", _POSITION_KERNEL)
        canvas.conv(width, _POSITION_KERNEL, padding=_POSITION_KERNEL // 2, groups=_POSITION_GROUPS, bias=True,
                    norm=False, act="gelu", name="positions")  # fmt: skip
    canvas.add()
    canvas.layer_norm()
    positions = canvas.extent
    for layer in range(depth):
        if ends and layer == ends:
            canvas.resample(tuple(-(-edge // shortening) for edge in positions))
        if ends and layer == depth - ends:
            canvas.resample(positions)
        _post_norm_layer(canvas, width, heads)
    canvas.linear(projected, name="compared")
    return canvas


def _post_norm_layer(canvas: Canvas, width: int, heads: int) -> None:
    """Draw a transformer layer whose norms follow its sums; dropout reads and writes what it masks."""
    canvas.linear(3 * width, name="qkv")
    canvas.channels = width
    canvas.attention(heads, width)
    canvas.linear(width, name="attention out")
    canvas.scale()
    canvas.add()
    canvas.layer_norm()
    canvas.linear(4 * width, act="gelu", name="ffn up")
    canvas.linear(width, name="ffn down")
    canvas.scale()
    canvas.add()
    canvas.layer_norm()
