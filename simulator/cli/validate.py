"""``rackcast validate``: hold predictions against published measurements."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from simulator.cli import output
from simulator.cli.options import Csv, Json, OutDir
from simulator.foundation.errors import InputError, OverBudget, Place

if TYPE_CHECKING:
    from simulator.validation.cross import Answer, Call, Cross
    from simulator.validation.report import Report
    from simulator.validation.score import Scored
    from simulator.validation.tables import Measurement

_GOOD: Final = 0.10  # median error shown in green
_FAIR: Final = 0.20  # in yellow; above it in red
_REASONS_SHOWN: Final = 8


def command(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE.csv]...", help="Tables of measurements; without one, those that ship.",
                       show_default=False),
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="REGEX", help="Only rows whose kind_of_work matches.")
    ] = None,
    max_median: Annotated[
        float | None,
        typer.Option("--max-median", metavar="FRACTION", help="End with 6 if the headline is above, as in 0.1."),
    ] = None,
    cross: Annotated[bool, typer.Option("--cross", help="Refit without each source in turn and score it.")] = False,
    bands: Annotated[
        Path | None, typer.Option("--bands", metavar="FILE", help="Write the errors by kind of work and device class.")
    ] = None,
    out: OutDir = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> int:  # fmt: skip
    """Predict published measurements and print the error of every source, beside a no-model control.

    example: rackcast validate training.csv --kind '^llm-pretrain' --max-median 0.1 --out found
    """
    from simulator.foundation.files import write_atomic
    from simulator.profiles.catalogue import load_catalogue
    from simulator.validation.bands import bands_of, bands_text
    from simulator.validation.cross import cross_validate
    from simulator.validation.measurements import keep_kind, read_tables
    from simulator.validation.report import report_of, score_row, to_be_predicted

    _check_budget(max_median)
    rows = keep_kind([row for table in read_tables(files or []) for row in table.rows], kind)
    catalogue = load_catalogue()
    asked = [row for row in rows if to_be_predicted(row)]
    scored = [score_row(row, catalogue) for row in output.progress(asked, label="predicting")]
    report = report_of(rows, scored)
    crossed = None
    if cross:
        crossed = cross_validate(scored, catalogue, spread=_on_all_processors)
    if out is not None:
        _write(out, rows, scored, report, crossed)
    if bands is not None:
        write_atomic(bands, bands_text(bands_of(scored, catalogue)))
    if as_json:
        output.json_document(report.as_json(crossed), status="over_budget" if report.over(max_median) else "ok")
    elif as_csv:
        _print_lines(rows, scored)
    else:
        _show(report, scored, crossed)
    return _verdict(report, max_median)


def _check_budget(budget: float | None) -> None:
    if budget is not None and not (math.isfinite(budget) and budget >= 0.0):
        raise InputError(f"{budget} is no fraction; write 0.1 for 10 %.", place=Place(key="--max-median"))


def _print_lines(rows: Sequence[Measurement], scored: Sequence[Scored]) -> None:
    from simulator.validation.lines import COLUMNS, lines_of

    output.csv(COLUMNS, lines_of(rows, scored))


def _verdict(report: Report, budget: float | None) -> int:
    if not report.over(budget):
        return 0
    found = report.headline.median_ape
    said = "no row was predicted" if found is None else f"the headline's median error is {found:.4f}"
    output.error(f"{said}; allowed is {budget:g}.")
    return OverBudget.exit_code


def _on_all_processors(calls: Sequence[Call]) -> Iterator[Answer]:
    from simulator.study.workers import spread

    return output.progress(spread(calls, jobs=os.cpu_count() or 1), label="refitting", total=len(calls))


def _show(report: Report, scored: Sequence[Scored], cross: Cross | None) -> None:
    from simulator.validation.lines import GROUP_COLUMNS, reasons_of

    groups = [[_group_cell(group, column) for column in GROUP_COLUMNS] for group in report.groups]
    headings = [column.replace("_ape", "").replace("_20pct", " 20 %") for column in GROUP_COLUMNS]
    output.table(headings, groups, title="Usable rows: prediction against measurement")
    output.table(["", "rows", "predicted", "median", "p90", "within 20 %"], _summary(report), title="In short")
    for text in _sentences(report, cross):
        output.line(text)
    if cross is not None and cross.each:
        shown = [
            [one.source_group, one.rows, _error(one.median_ape), _error(one.in_sample_median_ape)] for one in cross.each
        ]
        output.table(["source", "rows", "left out", "in sample"], shown, title="Each source left out of the fit")
    reasons = reasons_of(scored)
    if reasons:
        title = f"Not predicted ({sum(count for _, count in reasons)} rows)"
        output.table(["rows", "reason"], [[count, reason] for reason, count in reasons[:_REASONS_SHOWN]], title=title)


def _group_cell(group: Any, column: str) -> object:
    value = getattr(group, column)
    if column in ("median_ape", "mape", "p90_ape"):
        return _error(value)
    if column == "within_20pct":
        return _percent(value)
    return output.Styled(text=f"{value:+.1%}", style="") if column == "bias" and value is not None else value


def _percent(value: float | None) -> object:
    return None if value is None else output.Styled(text=f"{value:.1%}", style="")


def _error(value: float | None) -> object:
    if value is None:
        return None
    style = "green" if value <= _GOOD else "yellow" if value <= _FAIR else "red"
    return output.Styled(text=f"{value:.1%}", style=style)


def _summary(report: Report) -> list[list[object]]:
    head, partial, memory, control = report.headline, report.partial, report.memory, report.baseline
    return [
        ["headline (usable, mean over sources)", report.usable, report.predicted, _error(head.median_ape),
         _error(head.p90_ape), _percent(head.within_20pct)],
        ["no-model control on the same rows", None, None, _error(control.median_ape), _error(control.p90_ape),
         _percent(control.within_20pct)],
        ["partial (one assumption more)", partial.rows, partial.predicted, _error(partial.errors.median_ape),
         _error(partial.errors.p90_ape), _percent(partial.errors.within_20pct)],
        ["memory (usable and partial)", memory.rows, memory.predicted, _error(memory.median_ape), None, None],
    ]  # fmt: skip


def _sentences(report: Report, cross: Cross | None) -> list[str]:
    unusable = report.rows - report.usable - report.partial.rows
    coverage = "-" if report.coverage is None else f"{report.coverage:.1%}"
    counts = f"{report.rows} rows: {report.usable} usable, {report.partial.rows} partial, {unusable} not usable"
    said = [f"{counts}; {coverage} of the usable ones are predicted."]
    oom = report.oom
    if oom.fits or oom.oom:
        said.append(f"Out of memory: {oom.fits_called_oom} of {oom.fits} runs that fitted are said not to; "
                    f"{oom.oom_called_fits} of {oom.oom} that did not are not found out.")  # fmt: skip
    if report.scaling is not None and report.scaling.median_points is not None:
        points = 100 * report.scaling.median_points
        said.append(
            f"Scaling: efficiency is off by {points:.1f} points in the median of {report.scaling.series} series."
        )
    if report.layouts is not None and report.layouts.mean_regret is not None:
        rank = report.layouts.mean_spearman
        order = "-" if rank is None else f"{rank:.2f}"
        said.append(f"Layouts: in {report.layouts.sets} sets the mean rank correlation is {order}, and the predicted "
                    f"best costs {report.layouts.mean_regret:.1%} over the measured best.")  # fmt: skip
    return said + ([] if cross is None else _cross_sentences(cross))


def _cross_sentences(cross: Cross) -> list[str]:
    said = []
    if cross.fields:
        out, inside = (
            "-" if figure is None else f"{figure:.1%}" for figure in (cross.median_ape, cross.in_sample_median_ape)
        )
        said.append(f"Left out in turn ({cross.sources} sources of {', '.join(cross.fields)}): headline {out}, "
                    f"in sample {inside}.")  # fmt: skip
    if cross.without_refit:
        said.append(f"No constants to refit for {', '.join(cross.without_refit)}: these rows are not cross-validated.")
    return said


def _write(
    out: Path, rows: Sequence[Measurement], scored: Sequence[Scored], report: Report, cross: Cross | None
) -> None:
    from simulator.foundation.files import canonical_json, write_atomic
    from simulator.results.scatter_plot import plot_scatter
    from simulator.results.style import save
    from simulator.validation.document import document
    from simulator.validation.lines import COLUMNS, lines_of

    write_atomic(out / "predictions.csv", output.csv_text(COLUMNS, lines_of(rows, scored)))
    write_atomic(out / "report.json", canonical_json(report.as_json(cross)))
    write_atomic(out / "validation.md", document(report, scored))
    drawn = [one for one in scored if one.row.usable == "yes" and one.error is not None]
    figure, _ = plot_scatter(
        [one.row.value or 0.0 for one in drawn],
        [one.prediction.value or 0.0 for one in drawn],
        [one.row.text("source_group") for one in drawn],
    )
    save(figure, out / "scatter.png")
    output.note(f"written to {out}: predictions.csv, report.json, scatter.png, validation.md")
