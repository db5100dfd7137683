"""Tables as people read them: the unit that ends a name (``time_s``, ``memory_bytes``) goes beside the number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from simulator.cli.output import Styled

#: how a name ends -> the dimension of its value in SI; the first that matches
_DIMENSIONS: Final = (
    ("bytes_per_s", "bandwidth"),
    ("flop_per_s_per_device", "flop_rate"),
    ("flop_per_s", "flop_rate"),
    ("flop_per_step", "flop"),
    ("_per_s", ""),
    ("_bytes", "bytes"),
    ("_w", "power"),
    ("_j", "energy"),
    ("_s", "time"),
)
_SHARES: Final = ("fraction", "share", "share_of_limit", "mfu", "hfu", "efficiency", "hit_rate")


def readable(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> tuple[list[str], list[list[object]]]:
    """Return headings and cells: a table of metrics by the name in each row, any other by its columns."""
    if tuple(columns[:2]) == ("metric", "value"):
        return list(columns), [[row[0], cell(str(row[0]), row[1]), *row[2:]] for row in rows]
    return (
        [_heading(column) for column in columns],
        [[cell(column, value) for column, value in zip(columns, row, strict=True)] for row in rows],
    )


def cell(name: str, value: object) -> object:
    """Return a value with its unit, by the end of its name; whatever carries none stays.

    >>> cell("time_to_train_s", 2_775_914.0).text
    '32.13 d'
    >>> cell("mfu", 0.3592).text
    '35.92%'
    >>> cell("tokens_per_s", 1.5)
    1.5
    """
    from simulator.foundation.units import show

    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return value
    if name.endswith(_SHARES):
        return Styled(text=f"{value:.2%}", style="")
    dimension = _dimension(name)
    if not dimension:
        return value
    return Styled(text=show(value, dimension) if value else "0", style="")


def _dimension(name: str) -> str:
    return next((dimension for end, dimension in _DIMENSIONS if name.endswith(end)), "")


def _heading(column: str) -> str:
    ends = [end for end, dimension in _DIMENSIONS if dimension and column.endswith(end)]
    return column.removesuffix(ends[0]) if ends and ends[0].startswith("_") else column
