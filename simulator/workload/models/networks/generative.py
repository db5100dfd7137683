"""Generators: GAN pairs, the U-Net of Stable Diffusion, and diffusion transformers."""

from __future__ import annotations

from simulator.foundation.errors import InputError
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES, whole_numbers

_TIME = 4  # widths of the time embedding over the model's


@FAMILIES.register("dcgan")
def dcgan(size: int, *, latent: int = 100, width: int = 64) -> Canvas:
    """Draw a DCGAN generator and its discriminator (Radford et al. 2015, arXiv:1511.06434), ``size`` pixels wide.

    Raises:
        InputError: a size that is no power of two from 16 on.
    """
    if size < 16 or size & (size - 1):
        raise InputError(f"images of {size} pixels cannot be: a power of two from 16 on is needed.")
    levels = size.bit_length() - 3  # halvings down to 4 x 4
    canvas = Canvas(latent, (1, 1))
    canvas.deconv(width * 2 ** (levels - 1), 4, stride=4)
    for level in reversed(range(levels - 1)):
        canvas.deconv(width * 2**level, 4, stride=2)
    canvas.deconv(3, 4, stride=2, norm=False, act="tanh")
    canvas.conv(width, 4, stride=2, padding=1, norm=False, act="leaky")
    for level in range(1, levels):
        canvas.conv(width * 2**level, 4, stride=2, padding=1, act="leaky")
    canvas.conv(1, 4, padding=0, norm=False, act="sigmoid")
    return canvas


@FAMILIES.register("cyclegan")
def cyclegan(size: int, *, width: int = 64, blocks: int = 9) -> Canvas:
    """Draw one of CycleGAN's two generator-discriminator pairs, for images ``size`` pixels wide.

    Source: Zhu et al. 2017, arXiv:1703.10593. A ResNet generator with instance norms without parameters, and a
    discriminator of 70 x 70 patches on its output.
    """
    canvas = Canvas(3, (size, size))
    _instance(canvas, width, 7, stride=1, padding=3)
    for level in (1, 2):
        _instance(canvas, width * 2**level, 3, stride=2, padding=1)
    for _ in range(blocks):
        _instance(canvas, canvas.channels, 3, stride=1, padding=1)
        _instance(canvas, canvas.channels, 3, stride=1, padding=1, act=None)
        canvas.add()
    for level in (1, 0):
        canvas.deconv(width * 2**level, 3, stride=2, bias=True, norm=False, act=None)
        canvas.norm(parameters=0)
        canvas.act()
    canvas.conv(3, 7, bias=True, norm=False, act="tanh")
    canvas.conv(width, 4, stride=2, padding=1, bias=True, norm=False, act="leaky")
    for level, stride in ((1, 2), (2, 2), (3, 1)):
        _instance(canvas, width * 2**level, 4, stride=stride, padding=1, act="leaky")
    canvas.conv(1, 4, padding=1, bias=True, norm=False, act=None)
    return canvas


def _instance(canvas: Canvas, out: int, kernel: int, *, stride: int, padding: int, act: str | None = "relu") -> None:
    canvas.conv(out, kernel, stride=stride, padding=padding, bias=True, norm=False, act=None)
    canvas.norm(parameters=0)
    if act is not None:
        canvas.act(act)


@FAMILIES.register("dit")
def dit(
    size: int, *, width: int, depth: int, heads: int, patch: int = 2, channels: int = 4, classes: int = 1000
) -> Canvas:
    """Draw a diffusion transformer (Peebles & Xie 2022, arXiv:2212.09748) for latents of ``size`` along an edge.

    Every block is scaled and shifted by the class and time embedding (six vectors each).
    """
    canvas = Canvas(channels, (size, size))
    canvas.conv(width, patch, stride=patch, padding=0, bias=True, norm=False, act=None, name="patches")
    canvas.extent = (canvas.positions,)
    canvas.add()  # fixed positions
    _condition(canvas, width, 256)
    canvas.table("classes", classes + 1, width)
    for _ in range(depth):
        _adapted_block(canvas, width, heads)
    canvas.norm(parameters=0)
    _modulation(canvas, width, 2)
    canvas.linear(patch * patch * 2 * channels, name="out")
    return canvas


def _condition(canvas: Canvas, width: int, frequencies: int) -> None:
    """Draw the two products that embed a time or a vector: once per sample."""
    with canvas.branch():
        canvas.channels, canvas.extent = frequencies, (1,)
        canvas.linear(width, act="swish", name="time")
        canvas.linear(width, name="time")


def _modulation(canvas: Canvas, width: int, vectors: int) -> None:
    with canvas.branch():
        canvas.channels, canvas.extent = width, (1,)
        canvas.linear(vectors * width, name="modulation")
    canvas.scale()


def _after_attention(canvas: Canvas, width: int) -> None:
    canvas.linear(width, name="attention out")
    canvas.add()
    canvas.norm(parameters=0)
    canvas.linear(4 * width, act="gelu", name="ffn up")
    canvas.linear(width, name="ffn down")
    canvas.add()


def _adapted_block(canvas: Canvas, width: int, heads: int) -> None:
    _modulation(canvas, width, 6)
    canvas.norm(parameters=0)
    canvas.linear(3 * width, name="qkv")
    canvas.attention(heads, width)
    canvas.channels = width
    _after_attention(canvas, width)


@FAMILIES.register("flux")
def flux(
    size: int, *, width: int = 3072, double: int = 19, single: int = 38, heads: int = 24, text: int = 512,
    text_width: int = 4096, vector_width: int = 768, channels: int = 64, guided: bool = True,
) -> Canvas:  # fmt: skip
    """Draw a FLUX.1 denoiser for ``size`` packed image tokens (a 1024-pixel image has 4,096, one of 256 pixels 256).

    ``double`` blocks keep own weights for text and image and attend over both; ``single`` blocks compute attention and
    feed-forward side by side over the joined tokens. Source: the published configuration of the weights.

    Args:
        text: text tokens; text_width, vector_width: widths of the two text embeddings that enter.
        guided: a second embedding for the guidance strength (the "dev" weights).
    """
    canvas = Canvas(channels, (size,))
    canvas.linear(width, name="image in")
    with canvas.branch():
        canvas.channels, canvas.extent = text_width, (text,)
        canvas.linear(width, name="text in")
    for entering in (256, vector_width, *([256] if guided else [])):
        _condition(canvas, width, entering)
    for _ in range(double):
        _double_block(canvas, width, heads, size, text)
    canvas.extent = (size + text,)
    for _ in range(single):
        _single_block(canvas, width, heads)
    canvas.extent = (size,)
    canvas.norm(parameters=0)
    _modulation(canvas, width, 2)
    canvas.linear(channels, name="out")
    return canvas


def _double_block(canvas: Canvas, width: int, heads: int, image: int, text: int) -> None:
    for tokens in (image, text):
        canvas.channels, canvas.extent = width, (tokens,)
        _modulation(canvas, width, 6)
        canvas.norm(parameters=0)
        canvas.linear(3 * width, name="qkv")
        canvas.norm(parameters=2 * (width // heads), name="qk norm")
    canvas.extent = (image + text,)
    canvas.attention(heads, width)
    for tokens in (image, text):
        canvas.channels, canvas.extent = width, (tokens,)
        _after_attention(canvas, width)


def _single_block(canvas: Canvas, width: int, heads: int) -> None:
    canvas.channels = width
    _modulation(canvas, width, 3)
    canvas.norm(parameters=0)
    canvas.linear(7 * width, name="qkv and ffn up")
    canvas.norm(parameters=2 * (width // heads), name="qk norm")
    canvas.attention(heads, width)
    canvas.channels = 4 * width
    canvas.act("gelu")
    canvas.concat(5 * width)
    canvas.linear(width, name="out")
    canvas.add()


@FAMILIES.register("latent-diffusion")
def latent_diffusion(
    size: int, *, width: int = 320, levels: str = "1-2-4-4", context: int = 768, tokens: int = 77, head_width: int = 0,
    depths: str = "1-1-1-0", middle: int = 1, vector: int = 0, channels: int = 4,
) -> Canvas:  # fmt: skip
    """Draw the U-Net of a latent diffusion model (Rombach et al. 2021, arXiv:2112.10752); ``size`` is its edge.

    Args:
        levels: channels of each level over ``width``; two residual blocks go down and three up at each.
        depths: transformer layers of each level's attention (0: none); middle: those between down and up.
        head_width: width of one head (0: eight heads whatever the width).
        vector: width of a second condition that is added to the time embedding (SDXL), 0 for none.
    """
    factors = whole_numbers(levels, "levels")
    layers = whole_numbers(depths, "depths", least=0)
    if len(factors) != len(layers):
        raise InputError(f"levels names {len(factors)} and depths {len(layers)} levels; give one depth per level.")
    block = _LatentBlock(width, context, tokens, head_width)
    canvas = Canvas(channels, (size, size))
    block.condition(canvas, vector)
    canvas.conv(width, 3, bias=True, norm=False, act=None)
    skipped = [width]
    for level, (factor, depth) in enumerate(zip(factors, layers, strict=True)):
        for _ in range(2):
            block.residual(canvas, width * factor)
            block.transformer(canvas, depth)
            skipped.append(canvas.channels)
        if level < len(factors) - 1:
            canvas.conv(canvas.channels, 3, stride=2, padding=1, bias=True, norm=False, act=None, name="down")
            skipped.append(canvas.channels)
    block.residual(canvas, canvas.channels)
    block.transformer(canvas, middle)
    block.residual(canvas, canvas.channels)
    for level, (factor, depth) in reversed(list(enumerate(zip(factors, layers, strict=True)))):
        for _ in range(3):
            canvas.concat(canvas.channels + skipped.pop())
            block.residual(canvas, width * factor)
            block.transformer(canvas, depth)
        if level:
            canvas.resample([2 * edge for edge in canvas.extent])
            canvas.conv(canvas.channels, 3, bias=True, norm=False, act=None, name="up")
    canvas.norm()
    canvas.act("swish")
    canvas.conv(channels, 3, bias=True, norm=False, act=None)
    return canvas


class _LatentBlock:
    """The two kinds of blocks of a latent diffusion U-Net, for one width of time embedding and one text condition."""

    def __init__(self, width: int, context: int, tokens: int, head_width: int) -> None:
        self.width, self.context, self.tokens, self.head_width = width, context, tokens, head_width

    def condition(self, canvas: Canvas, vector: int) -> None:
        for entering in (self.width, *([vector] if vector else [])):
            with canvas.branch():
                canvas.channels, canvas.extent = entering, (1,)
                canvas.linear(_TIME * self.width, act="swish", name="time")
                canvas.linear(_TIME * self.width, name="time")

    def residual(self, canvas: Canvas, out: int) -> None:
        entering = canvas.channels
        if entering != out:
            with canvas.branch():
                canvas.conv(out, 1, bias=True, norm=False, act=None, name="projection")
        canvas.norm()
        canvas.act("swish")
        canvas.conv(out, 3, bias=True, norm=False, act=None)
        with canvas.branch():
            canvas.channels, canvas.extent = _TIME * self.width, (1,)
            canvas.linear(out, name="time")
        canvas.norm()
        canvas.act("swish")
        canvas.conv(out, 3, bias=True, norm=False, act=None)
        canvas.add()

    def transformer(self, canvas: Canvas, depth: int) -> None:
        if depth == 0:
            return
        width = canvas.channels
        heads = width // self.head_width if self.head_width else 8
        canvas.norm()
        canvas.linear(width, name="transformer in")
        for _ in range(depth):
            self._attend(canvas, width, heads, context=None)
            self._attend(canvas, width, heads, context=self.tokens)
            canvas.norm()
            canvas.linear(8 * width, name="ffn up")
            canvas.act("gelu")
            canvas.channels = 4 * width
            canvas.linear(width, name="ffn down")
            canvas.add()
        canvas.linear(width, name="transformer out")
        canvas.add()

    def _attend(self, canvas: Canvas, width: int, heads: int, *, context: int | None) -> None:
        canvas.norm()
        if context is None:
            canvas.linear(3 * width, bias=False, name="qkv")
        else:
            canvas.linear(width, bias=False, name="queries")
            with canvas.branch():
                canvas.channels, canvas.extent = self.context, (context,)
                canvas.linear(2 * width, bias=False, name="keys and values")
        canvas.attention(heads, width, context=context)
        canvas.channels = width
        canvas.linear(width, name="attention out")
        canvas.add()
