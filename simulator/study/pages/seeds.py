"""Intervals over several seeds on a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from simulator.results.report import Grid, Reason, Report, Section


def with_intervals(report: Report, table: tuple[Sequence[str], Sequence[Sequence[object]]] | None) -> Report:
    """Return a page with the intervals of its figures as the first section; as it is without any."""
    if table is None:
        return report
    heads, rows = table
    cells = [["" if value is None else value if isinstance(value, (int, float)) else str(value) for value in row]
             for row in rows]  # fmt: skip
    text = "Every figure over all seeds with Student's 95 % interval; the rest of the page is the scenario's own seed."
    told = Reason(
        head="Several seeds", text="the figures above are of the scenario's own seed; means and intervals follow."
    )
    section = Section(title="Over several seeds", text=(text,), grids=(Grid.of(heads, cells),))
    return replace(report, reasons=(*report.reasons, told), sections=(section, *report.sections))
