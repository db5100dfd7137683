"""RegNet: widths from a line, rounded to few stages; bottlenecks with groups of one width."""

from __future__ import annotations

import math
from itertools import groupby

from simulator.foundation.errors import InputError
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES
from simulator.workload.models.networks.resnet import shortcut

_STEP = 8  # channels are multiples of it
_STEM = 32


def stage_widths(first: int, slope: float, ratio: float, depth: int, group_width: int) -> list[tuple[int, int]]:
    """Return width and blocks of each stage.

    Block i would have ``first + slope i`` channels; that is rounded to the nearest ``first * ratio^j``, and then to
    whole groups (Radosavovic et al. 2020, arXiv:2003.13678, equations 2 to 4).

    >>> stage_widths(24, 36.44, 2.49, 13, 8)
    [(24, 1), (56, 1), (152, 4), (368, 7)]
    """
    powers = [round(math.log((first + slope * block) / first) / math.log(ratio)) for block in range(depth)]
    widths = [round(first * ratio**power / _STEP) * _STEP for power in powers]
    whole = [round(width / min(group_width, width)) * min(group_width, width) for width in widths]
    return [(width, sum(1 for _ in run)) for width, run in groupby(whole)]


@FAMILIES.register("regnet")
def regnet(
    size: int,
    *,
    first: int,
    slope: float,
    ratio: float,
    depth: int,
    group_width: int,
    squeeze: bool = False,
    classes: int = 1000,
) -> Canvas:
    """Draw a RegNetX, or with ``squeeze`` a RegNetY, for images of ``size`` pixels along an edge.

    Args:
        first, slope, ratio, depth: w_0, w_a, w_m and the number of blocks of the paper's table of models.
        group_width: channels of one group of the 3x3 convolutions.
        squeeze: squeeze-and-excite after them, to a quarter of the channels that enter the block.

    Raises:
        InputError: a ratio of neighbouring widths that does not grow.
    """
    if ratio <= 1:
        raise InputError(f"ratio is {ratio!r}; widths grow from stage to stage, so it must lie above 1.")
    canvas = Canvas(3, (size, size))
    canvas.conv(_STEM, 3, stride=2)
    for width, count in stage_widths(first, slope, ratio, depth, group_width):
        for index in range(count):
            _block(canvas, width, 1 if index else 2, groups=max(1, width // group_width), squeeze=squeeze)
    canvas.global_pool()
    canvas.linear(classes)
    return canvas


def _block(canvas: Canvas, width: int, stride: int, *, groups: int, squeeze: bool) -> None:
    entering = canvas.channels
    shortcut(canvas, width, stride)
    canvas.conv(width, 1)
    canvas.conv(width, 3, stride=stride, groups=groups)
    if squeeze:
        canvas.squeeze(round(entering / 4))
    canvas.conv(width, 1, act=None)
    canvas.add()
    canvas.act()
