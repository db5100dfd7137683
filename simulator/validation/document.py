"""The report as Markdown: the figures of ``docs/validation.md``."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.results.markdown import markdown_table
from simulator.validation.lines import GROUP_COLUMNS, Line, group_lines, reasons_of
from simulator.validation.report import Report
from simulator.validation.score import Scored

_REASONS_SHOWN = 20


def document(report: Report, scored: Sequence[Scored]) -> str:
    """Return the summary, the groups and the reasons of rows that are not predicted; every figure is a fraction."""
    columns = ("", "rows", "predicted", "median_ape", "p90_ape", "within_20pct")
    parts = ["### In short", markdown_table(columns, _summary(report))]
    shape = _shape(report)
    if shape:
        parts.append(markdown_table(("", "cases", "figure"), shape))
    parts += ["### By source, kind of work and metric", markdown_table(GROUP_COLUMNS, group_lines(report.groups))]
    reasons = reasons_of(scored)[:_REASONS_SHOWN]
    if reasons:
        shown = [(count, reason) for reason, count in reasons]
        parts += ["### Not predicted", markdown_table(("rows", "reason"), shown)]
    return "\n".join(parts)


def _summary(report: Report) -> list[Line]:
    head, partial, memory, control = report.headline, report.partial, report.memory, report.baseline
    return [
        ("headline", report.usable, report.predicted, head.median_ape, head.p90_ape, head.within_20pct),
        ("no-model control, same rows", None, None, control.median_ape, control.p90_ape, control.within_20pct),
        ("partial rows", partial.rows, partial.predicted, partial.errors.median_ape, partial.errors.p90_ape,
         partial.errors.within_20pct),
        ("memory", memory.rows, memory.predicted, memory.median_ape, None, None),
    ]  # fmt: skip


def _shape(report: Report) -> list[Line]:
    found: list[Line] = []
    oom = report.oom
    if oom.fits:
        found.append(("runs that fitted, called out of memory", oom.fits, oom.fits_called_oom / oom.fits))
    if oom.oom:
        found.append(("runs out of memory, not called so", oom.oom, oom.oom_called_fits / oom.oom))
    if report.scaling is not None:
        found.append(
            ("scaling series, median error of the efficiency", report.scaling.series, report.scaling.median_points)
        )
    if report.layouts is not None:
        found.append(("layout sets, mean rank correlation", report.layouts.sets, report.layouts.mean_spearman))
        found.append(("layout sets, mean regret", report.layouts.sets, report.layouts.mean_regret))
    return found
