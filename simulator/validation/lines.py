"""One line per measured row: what was measured, what was predicted, and why a row was not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from simulator.validation.score import Group, Scored
from simulator.validation.tables import Measurement

COLUMNS: Final = (
    "id", "source_group", "kind_of_work", "metric", "measured", "predicted", "ape", "label", "reason",
)  # fmt: skip

Line = tuple[str | float | None, ...]

#: headings of :func:`group_lines`; every figure is a fraction
GROUP_COLUMNS: Final = (
    "source_group", "kind_of_work", "metric", "rows", "predicted", "median_ape", "mape", "p90_ape", "within_20pct",
    "bias",
)  # fmt: skip


def lines_of(rows: Iterable[Measurement], scored: Iterable[Scored]) -> list[Line]:
    """Return one line per row in the order of the rows, cells in the order of :data:`COLUMNS`.

    A row that its table marks as not usable is listed with that reason; it is never predicted.
    """
    known = {id(one.row): one for one in scored}
    return [_scored(known[id(row)]) if id(row) in known else _unusable(row) for row in rows]


def _head(row: Measurement) -> Line:
    return (*map(row.text, COLUMNS[:4]), row.value)


def _scored(one: Scored) -> Line:
    prediction, ape = one.prediction, None if one.error is None else abs(one.error)
    label = prediction.label if one.answered else ""
    reason = prediction.reason or _verdict(one)
    return (*_head(one.row), prediction.value, ape, label, reason)


def _verdict(one: Scored) -> str:
    if not one.row.ran_out_of_memory or one.prediction.fits is None:
        return ""
    return "ran out of memory; predicted to fit" if one.prediction.fits else "ran out of memory, as predicted"


def _unusable(row: Measurement) -> Line:
    return (*_head(row), None, None, "", f"usable = no: {row.text('why_not')}".rstrip(": "))


def reasons_of(scored: Iterable[Scored]) -> list[tuple[str, int]]:
    """Return why rows were not predicted and how many, most frequent first."""
    counted = Counter(one.prediction.reason for one in scored if not one.answered and one.prediction.reason)
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))


def group_lines(groups: Iterable[Group]) -> list[Line]:
    """Return the groups as lines, cells in the order of :data:`GROUP_COLUMNS`."""
    return [tuple(getattr(group, column) for column in GROUP_COLUMNS) for group in groups]
