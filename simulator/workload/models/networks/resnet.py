"""ResNet and its kin: ResNeXt, Wide ResNet, SE-ResNet, ResNet-D."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.foundation.errors import InputError
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES

STAGES = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
Shape = tuple[int, tuple[int, ...]]  # channels and extent
BOTTLENECK_FROM = 50
EXPANSION = 4


@FAMILIES.register("resnet")
def resnet(
    size: int,
    *,
    depth: int,
    groups: int = 1,
    group_width: int = 64,
    squeeze: bool = False,
    deep: bool = False,
    early_stride: bool = False,
    small_images: bool = False,
    classes: int = 1000,
) -> Canvas:
    """Draw a ResNet (He et al. 2015, arXiv:1512.03385) for images of ``size`` pixels along an edge.

    Args:
        groups, group_width: ResNeXt's cardinality and width of one group at the first stage (64 is plain, 128 wide).
        squeeze: squeeze-and-excite in each block, to 1/16 of its channels.
        deep: ResNet-D, with three 3x3 convolutions in the stem and an average pool before each projection.
        early_stride: the stride stands in the first 1x1 convolution (the original); otherwise in the 3x3 (v1.5).
        small_images: a 3x3 stem without pooling (CIFAR).
    """
    canvas = Canvas(3, (size, size))
    stem(canvas, deep=deep, small_images=small_images)
    backbone(canvas, depth, groups=groups, group_width=group_width, squeeze=squeeze, deep=deep,
             early_stride=early_stride)  # fmt: skip
    canvas.global_pool()
    canvas.linear(classes)
    return canvas


def backbone(
    canvas: Canvas,
    depth: int,
    *,
    strides: Sequence[int] = (1, 2, 2, 2),
    groups: int = 1,
    group_width: int = 64,
    squeeze: bool = False,
    deep: bool = False,
    early_stride: bool = False,
    frozen: int = 0,
) -> list[Shape]:
    """Draw the stages of a ResNet, as many as there are ``strides``; return channels and extent after each.

    The first ``frozen`` stages are not trained, nor is what was drawn before them.

    Raises:
        InputError: a depth that no ResNet has.
    """
    if depth not in STAGES:
        raise InputError(f"no ResNet of depth {depth}. Known: {', '.join(map(str, STAGES))}.")
    shapes = []
    for stage, (count, first) in enumerate(zip(STAGES[depth], strides, strict=False)):
        for index in range(count):
            stride = 1 if index else first
            if depth < BOTTLENECK_FROM:
                basic(canvas, 64 * 2**stage, stride, squeeze=squeeze, deep=deep)
            else:
                inner = groups * group_width * 2**stage
                bottleneck(canvas, inner, 64 * 2**stage * EXPANSION, stride, groups=groups, squeeze=squeeze,
                           deep=deep, early_stride=early_stride)  # fmt: skip
        shapes.append((canvas.channels, canvas.extent))
        if stage + 1 == frozen:
            canvas.freeze()
    return shapes


def stem(canvas: Canvas, *, deep: bool = False, small_images: bool = False) -> None:
    """Draw what stands before the first block."""
    if small_images:
        canvas.conv(64, 3)
        return
    if deep:
        canvas.conv(32, 3, stride=2)
        canvas.conv(32, 3)
        canvas.conv(64, 3)
    else:
        canvas.conv(64, 7, stride=2, padding=3)
    canvas.pool(3, stride=2, padding=1)


def bottleneck_stages(depth: int, name: str) -> tuple[int, ...]:
    """Return the blocks of each stage at a depth where blocks are bottlenecks; ``name`` says whose depth it is.

    Raises:
        InputError: a depth without bottlenecks.
    """
    if depth not in STAGES or depth < BOTTLENECK_FROM:
        known = ", ".join(str(known) for known in STAGES if known >= BOTTLENECK_FROM)
        raise InputError(f"no {name} of depth {depth}. Known: {known}.")
    return STAGES[depth]


def shortcut(canvas: Canvas, out: int, stride: int = 1, *, kernel: int = 1, deep: bool = False) -> None:
    """Draw the projection beside a block that changes channels or extent; ``deep`` pools before it."""
    if stride == 1 and canvas.channels == out:
        return
    with canvas.branch():
        if deep and stride > 1:
            canvas.pool(2, ceil=True)
            stride = 1
        canvas.conv(out, kernel, stride=stride, act=None, name="projection")


def basic(canvas: Canvas, out: int, stride: int = 1, *, squeeze: bool = False, deep: bool = False) -> None:
    """Draw a block of two 3x3 convolutions."""
    shortcut(canvas, out, stride, deep=deep)
    canvas.conv(out, 3, stride=stride)
    canvas.conv(out, 3, act=None)
    if squeeze:
        canvas.squeeze(out // 16)
    canvas.add()
    canvas.act()


def bottleneck(
    canvas: Canvas,
    inner: int,
    out: int,
    stride: int = 1,
    *,
    groups: int = 1,
    squeeze: bool = False,
    deep: bool = False,
    early_stride: bool = False,
) -> None:
    """Draw a block of a 3x3 convolution of ``inner`` channels between two 1x1 ones."""
    shortcut(canvas, out, stride, deep=deep)
    canvas.conv(inner, 1, stride=stride if early_stride else 1)
    canvas.conv(inner, 3, stride=1 if early_stride else stride, groups=groups)
    canvas.conv(out, 1, act=None)
    if squeeze:
        canvas.squeeze(out // 16)
    canvas.add()
    canvas.act()
