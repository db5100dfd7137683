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
    canvas: Canvas,
    heads: int,
    ffn: int,
    *,
    windows: int = 1,
    extra: int = 0,
    qkv_bias: bool = True,
    shifted: bool = False,
    cosine: bool = False,
    dropout: bool = False,
) -> None:
    """Draw a pre-normed attention and FFN over the positions of the canvas.

    Args:
        windows: parts of the extent that attend among themselves.
        extra: learned numbers of the bias that is added to the scores.
        shifted: whether windows lie across those of the block before: the data are rolled, and scores masked.
        cosine: whether queries and keys are scaled to length one and norms stand after the products (Swin V2).
        dropout: whether the results of the three products of width or of ffn are dropped at random.
    """
    width = canvas.channels
    if not cosine:
        canvas.layer_norm()
    if windows > 1:
        canvas.copies(2 + 2 * shifted)  # cut into windows and joined; rolled there and back
    canvas.linear(3 * width, bias=qkv_bias, name="qkv")
    canvas.attention(heads, width, windows=windows, biased=extra, masked=shifted, cosine=cosine)
    canvas.channels = width
    canvas.linear(width, name="attention out")
    if dropout:
        canvas.dropout()
    if cosine:
        canvas.layer_norm()
    canvas.add()
    if not cosine:
        canvas.layer_norm()
    canvas.linear(ffn, act="gelu", name="ffn up")
    if dropout:
        canvas.dropout()
    canvas.linear(width, name="ffn down")
    if dropout:
        canvas.dropout()
    if cosine:
        canvas.layer_norm()
    canvas.add()


@FAMILIES.register("vit")
def vit(
    size: int,
    *,
    patch: int,
    width: int,
    depth: int,
    heads: int,
    ffn: int = 0,
    dropout: bool = False,
    classes: int = 1000,
) -> Canvas:
    """Draw a ViT (Dosovitskiy et al. 2020, arXiv:2010.11929) for images of ``size`` pixels along an edge.

    Args:
        ffn: hidden width of the feed-forward networks (0: four times the width).
        dropout: train with the dropout of the paper's recipe.
    """
    canvas = Canvas(3, (size, size))
    patches(canvas, width, patch)
    canvas.extent = (canvas.positions + 1,)  # with the class token
    canvas.learned("positions and class token", width * (canvas.positions + 1))
    for _ in range(depth):
        encoder_block(canvas, heads, ffn or 4 * width, dropout=dropout)
    canvas.layer_norm()
    canvas.extent = (1,)
    canvas.linear(classes, name="classifier")
    return canvas


@FAMILIES.register("swin")
def swin(size: int, *, width: int, depths: str, window: int = 7, second: bool = False, classes: int = 1000) -> Canvas:
    """Draw a Swin transformer (Liu et al. 2021, arXiv:2103.14030) for images of ``size`` pixels along an edge.

    Args:
        depths: blocks of the four stages, as in "2-2-6-2".
        second: Swin V2 (arXiv:2111.09883): norms after the products, attention by cosines, biases from a small network.
    """
    canvas = Canvas(3, (size, size))
    patches(canvas, width, 4)
    canvas.layer_norm()
    stages = whole_numbers(depths, "depths")
    for stage, count in enumerate(stages):
        if stage:
            _merge(canvas, norm_last=second)
        edge = min(window, *canvas.extent)
        if any(side % edge for side in canvas.extent):
            raise InputError(f"an extent of {canvas.extent} does not divide into windows of {window}.")
        heads, windows = canvas.channels // 32, canvas.positions // edge**2
        biases = _cosine_parameters(canvas.channels, heads) if second else (2 * window - 1) ** 2 * heads
        for index in range(count):
            encoder_block(canvas, heads, 4 * canvas.channels, windows=windows, extra=biases, cosine=second,
                          qkv_bias=not second, shifted=index % 2 == 1 and windows > 1)  # fmt: skip
    canvas.layer_norm()
    canvas.global_pool()
    canvas.linear(classes, name="classifier")
    return canvas


def _cosine_parameters(width: int, heads: int) -> int:
    """Return what attention by cosines learns: a network of 2, 512 and ``heads`` for biases, scales, no key bias."""
    return 2 * 512 + 512 + 512 * heads + heads + 2 * width


def _merge(canvas: Canvas, *, norm_last: bool = False) -> None:
    """Join each 2x2 neighbourhood and halve its channels."""
    canvas.extent = tuple(edge // 2 for edge in canvas.extent)
    canvas.concat(4 * canvas.channels)
    if not norm_last:
        canvas.layer_norm()
    canvas.linear(canvas.channels // 2, bias=False, name="merge")
    if norm_last:
        canvas.layer_norm()
