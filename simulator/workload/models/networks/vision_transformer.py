"""Vision transformers: ViT and DeiT over all patches, Swin over shifted windows."""

from __future__ import annotations

from simulator.foundation.errors import InputError
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES, whole_numbers


def patches(canvas: Canvas, width: int, patch: int) -> None:
    """Cut the image into patches and project each to ``width``; raises :class:`InputError` if they do not fit."""
    if any(size % patch for size in canvas.extent):
        raise InputError(f"images of {canvas.extent} pixels do not divide into patches of {patch}.")
    canvas.conv(width, patch, stride=patch, padding=0, bias=True, norm=False, act=None, name="patches")


def encoder_block(
    canvas: Canvas, heads: int, ffn: int, *, windows: int = 1, extra: int = 0, qkv_bias: bool = True
) -> None:
    """Draw a pre-normed attention and FFN over the positions of the canvas.

    Args:
        windows: parts of the extent that attend among themselves.
        extra: learned numbers of the attention's bias table.
    """
    width = canvas.channels
    canvas.layer_norm()
    canvas.linear(3 * width, bias=qkv_bias, name="qkv")
    canvas.attention(heads, width, windows=windows)
    canvas.channels = width
    if extra:
        canvas.learned("attention bias", extra)
    canvas.linear(width, name="attention out")
    canvas.add()
    canvas.layer_norm()
    canvas.linear(ffn, act="gelu", name="ffn up")
    canvas.linear(width, name="ffn down")
    canvas.add()


@FAMILIES.register("vit")
def vit(size: int, *, patch: int, width: int, depth: int, heads: int, ffn: int = 0, classes: int = 1000) -> Canvas:
    """Draw a ViT (Dosovitskiy et al. 2020, arXiv:2010.11929) for images of ``size`` pixels along an edge.

    Args:
        ffn: hidden width of the feed-forward networks (0: four times the width).
    """
    canvas = Canvas(3, (size, size))
    patches(canvas, width, patch)
    canvas.extent = (canvas.positions + 1,)  # with the class token
    canvas.learned("positions and class token", width * (canvas.positions + 1))
    for _ in range(depth):
        encoder_block(canvas, heads, ffn or 4 * width)
    canvas.layer_norm()
    canvas.extent = (1,)
    canvas.linear(classes, name="classifier")
    return canvas


@FAMILIES.register("swin")
def swin(size: int, *, width: int, depths: str, window: int = 7, classes: int = 1000) -> Canvas:
    """Draw a Swin transformer (Liu et al. 2021, arXiv:2103.14030) for images of ``size`` pixels along an edge.

    Args:
        depths: blocks of the four stages, as in "2-2-6-2".
    """
    canvas = Canvas(3, (size, size))
    patches(canvas, width, 4)
    canvas.layer_norm()
    stages = whole_numbers(depths, "depths")
    for stage, count in enumerate(stages):
        if stage:
            _merge(canvas)
        if any(edge % window for edge in canvas.extent):
            raise InputError(f"an extent of {canvas.extent} does not divide into windows of {window}.")
        heads = canvas.channels // 32
        for _ in range(count):
            encoder_block(canvas, heads, 4 * canvas.channels, windows=canvas.positions // window**2,
                          extra=(2 * window - 1) ** 2 * heads)  # fmt: skip
    canvas.layer_norm()
    canvas.global_pool()
    canvas.linear(classes, name="classifier")
    return canvas


def _merge(canvas: Canvas) -> None:
    """Join each 2x2 neighbourhood and halve its channels."""
    canvas.extent = tuple(edge // 2 for edge in canvas.extent)
    canvas.concat(4 * canvas.channels)
    canvas.layer_norm()
    canvas.linear(canvas.channels // 2, bias=False, name="merge")
