"""ConvNeXt and PoolFormer: blocks of a transformer whose tokens are mixed by a filter of each channel, or by a pool."""

from __future__ import annotations

from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES, stages_of

_WIDER = 4  # hidden channels of a block over its own


@FAMILIES.register("convnext")
def convnext(size: int, *, depths: str, widths: str, classes: int = 1000) -> Canvas:
    """Draw a ConvNeXt (Liu et al. 2022, arXiv:2201.03545) for images of ``size`` pixels along an edge.

    Args:
        depths, widths: blocks and channels of the stages, as in "3-3-9-3" and "96-192-384-768".

    Raises:
        InputError: as many widths as depths are needed.
    """
    canvas = Canvas(3, (size, size))
    for stage, (count, width) in enumerate(stages_of(depths, widths)):
        if stage:
            canvas.layer_norm()
        edge = 2 if stage else 4
        canvas.conv(width, edge, stride=edge, padding=0, bias=True, norm=False, act=None, name="patches")
        if not stage:
            canvas.layer_norm()
        for _ in range(count):
            canvas.conv(width, 7, groups=width, bias=True, norm=False, act=None, name="depthwise")
            canvas.layer_norm()
            canvas.linear(_WIDER * width, act="gelu", name="ffn up")
            canvas.linear(width, name="ffn down")
            canvas.rescale()
            canvas.add()
    canvas.global_pool()
    canvas.layer_norm()
    canvas.linear(classes)
    return canvas


@FAMILIES.register("poolformer")
def poolformer(size: int, *, depths: str, widths: str, classes: int = 1000) -> Canvas:
    """Draw a PoolFormer (Yu et al. 2021, arXiv:2111.11418) for images of ``size`` pixels along an edge.

    Args:
        depths, widths: blocks and channels of the stages, as in "2-2-6-2" and "64-128-320-512".

    Raises:
        InputError: as many widths as depths are needed.
    """
    canvas = Canvas(3, (size, size))
    for stage, (count, width) in enumerate(stages_of(depths, widths)):
        edge, stride = (3, 2) if stage else (7, 4)
        canvas.conv(width, edge, stride=stride, padding=edge // 2 if stage else 2, bias=True, norm=False, act=None,
                    name="patches")  # fmt: skip
        for _ in range(count):
            canvas.group_norm()
            canvas.pool(3, stride=1, padding=1)
            canvas.add()  # the pool less its own centre
            canvas.rescale()
            canvas.add()
            canvas.group_norm()
            canvas.conv(_WIDER * width, 1, bias=True, norm=False, act="gelu", name="ffn up")
            canvas.conv(width, 1, bias=True, norm=False, act=None, name="ffn down")
            canvas.rescale()
            canvas.add()
    canvas.group_norm()
    canvas.global_pool()
    canvas.linear(classes)
    return canvas
