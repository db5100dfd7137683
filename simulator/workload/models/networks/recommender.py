"""Recommenders: small products behind large, sparsely read embedding tables."""

from __future__ import annotations

from simulator.foundation.errors import InputError
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES, whole_numbers


def _dense(canvas: Canvas, widths: list[int], *, last_act: str | None = "relu") -> None:
    for index, width in enumerate(widths):
        canvas.linear(width, act="relu" if index < len(widths) - 1 else last_act)


def _tables(canvas: Canvas, rows: str, width: int, lookups: str) -> int:
    sizes = whole_numbers(rows, "rows")
    read = whole_numbers(lookups, "lookups")
    read = read * len(sizes) if len(read) == 1 else read
    if len(read) != len(sizes):
        raise InputError(f"lookups names {len(read)} tables and rows {len(sizes)}; give one number, or one per table.")
    for index, (count, times) in enumerate(zip(sizes, read, strict=True)):
        canvas.table(f"table {index}", count, width, lookups=times)
    return len(sizes)


@FAMILIES.register("dlrm")
def dlrm(
    size: int, *, rows: str, width: int = 128, bottom: str, top: str, dense: int = 13, lookups: str = "1",
    cross: int = 0, low_rank: int = 512,
) -> Canvas:  # fmt: skip
    """Draw a DLRM (Naumov et al. 2019, arXiv:1906.00091); ``size`` is 1: a sample is one user-item pair.

    Args:
        rows: rows of each table, joined by hyphens; lookups: reads of each per sample (one for all, or one each).
        bottom, top: widths of the products, joined by hyphens.
        cross: low-rank cross layers (DCNv2, arXiv:2008.13535) in place of the dot products of all pairs.
    """
    canvas = Canvas(dense, (size,))
    _dense(canvas, whole_numbers(bottom, "bottom"))
    if canvas.channels != width:
        raise InputError(f"bottom must end in the width of the tables ({width}), not {canvas.channels}.")
    tables = _tables(canvas, rows, width, lookups)
    vectors = tables + 1
    if cross:
        canvas.concat(vectors * width)
        for _ in range(cross):
            joined = canvas.channels
            canvas.linear(low_rank, bias=False, name="cross down")
            canvas.linear(joined, name="cross up")
            canvas.scale()
            canvas.add()
    else:
        canvas.pairwise(vectors, width)
        canvas.concat(width + vectors * (vectors - 1) // 2)
    _dense(canvas, whole_numbers(top, "top"), last_act="sigmoid")
    return canvas


@FAMILIES.register("ncf")
def ncf(size: int, *, users: int, items: int, factors: int = 64, layers: str = "256-128-64") -> Canvas:
    """Draw a neural collaborative filter (He et al. 2017, arXiv:1708.05031); ``size`` is 1: one user-item pair.

    Args:
        layers: widths of the products; user and item each bring a vector of half the first width.
    """
    widths = whole_numbers(layers, "layers")
    canvas = Canvas(factors, (size,))
    for owner, count in (("user", users), ("item", items)):
        canvas.table(f"{owner} factors", count, factors)
        canvas.table(f"{owner} features", count, widths[0] // 2)
    canvas.scale()
    canvas.concat(widths[0])
    _dense(canvas, widths)
    canvas.concat(widths[-1] + factors)
    canvas.linear(1, act="sigmoid")
    return canvas


@FAMILIES.register("wide-and-deep")
def wide_and_deep(size: int, *, rows: str, width: int, deep: str, dense: int = 0, lookups: str = "1") -> Canvas:
    """Draw a wide-and-deep model (Cheng et al. 2016, arXiv:1606.07792); ``size`` is 1: one example.

    Args:
        rows: rows of each categorical feature; every one has an embedding (deep) and one weight per row (wide).
        deep: widths of the products; dense: numerical features.
    """
    canvas = Canvas(dense or 1, (size,))
    tables = _tables(canvas, rows, width, lookups)
    for index, count in enumerate(whole_numbers(rows, "rows")):
        canvas.table(f"wide {index}", count, 1)
    canvas.concat(tables * width + dense)
    _dense(canvas, whole_numbers(deep, "deep"))
    canvas.linear(1)
    canvas.learned("wide", dense + 1)
    canvas.act("sigmoid")
    return canvas


@FAMILIES.register("autoencoder")
def autoencoder(size: int, *, hidden: str, variational: bool = False) -> Canvas:
    """Draw a symmetric autoencoder over ``size`` inputs (items, pixels).

    Args:
        hidden: widths down to the code, joined by hyphens, as in "600-200".
        variational: the code has a mean and a spread (Kingma & Welling 2013, arXiv:1312.6114).
    """
    widths = whole_numbers(hidden, "hidden")
    canvas = Canvas(size, (1,))
    for width in widths[:-1]:
        canvas.linear(width, act="tanh")
    code = widths[-1]
    canvas.linear(2 * code if variational else code, name="code")
    canvas.channels = code
    for width in [*reversed(widths[:-1]), size]:
        canvas.linear(width, act=None if width == size else "tanh")
    return canvas
