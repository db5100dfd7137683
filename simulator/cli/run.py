"""``rackcast run``: what happens if the scenario is run as it is decided."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli import options, output
from simulator.cli.answer import Answer, answer_for
from simulator.cli.readable import readable

_SLO_MISSED = 4
_SHOWN = (
    "intervals",
    "metrics",
    "parts",
    "memory",
    "lanes",
    "run",
    "stages",
)  # tables that are printed; the others only go to files

Workload = Annotated[
    str | None,
    typer.Option("--workload", metavar="ID", help="Which one, if there are several.", show_default=False),
]


def command(
    scenario: options.ScenarioFile,
    overrides: options.Overrides = None,
    workload: Workload = None,
    out: options.OutDir = None,
    fail_on: Annotated[str, typer.Option("--fail-on", help="'slo': exit 4 if a limit is missed.")] = "",
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds", min=1, metavar="N", help="So many runs, with intervals; as run.seeds.", show_default=False
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume", metavar="FILE", help="Keep a long service run here, and go on from there.", show_default=False
        ),
    ] = None,
    records: Annotated[
        Path | None,
        typer.Option(
            "--records",
            metavar="DIR",
            help="A row for each request of a service, a file for each window.",
            show_default=False,
        ),
    ] = None,
    html: options.Html = None,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
) -> int:
    """Simulate the scenario as it is decided: step time, throughput, MFU, memory, cost, and where the time goes.

    A service that runs long keeps its state in the file of --resume, when you interrupt it too; the same command
    goes on from there to the same result. Above ten million requests it is played in windows that memory holds.

    With --out: result.json, a CSV per table, timeline, memory, layout and waterfall as pictures, and trace.json for
    Perfetto or Chrome. With --html: one page with the figures, how sure they are, what bounds them, and the pictures.

    example: rackcast run scenarios/gpt3-175b-megatron.yaml --out out/gpt3
    """
    from simulator.foundation.errors import InputError

    if fail_on not in ("", "slo"):
        raise InputError(f"--fail-on {fail_on!r}: write slo, or leave it out.")
    changes = [*(overrides or []), *([] if seeds is None else [f"run.seeds={seeds}"])]
    answer = answer_for(scenario, changes, workload, resume=resume, records=records)
    status = _SLO_MISSED if answer.missed and fail_on == "slo" else 0
    if out is not None:
        write(answer, out, status=status)
    output.page(answer.html, html)
    for text in answer.missed:
        output.warn(text)
    if as_json:
        output.json_document(answer.facts, status=output.STATUS[status], warnings=answer.missed)
    elif as_csv:
        first = next(iter(answer.tables.values()))
        output.csv(first.columns, first.rows)
    else:
        show(answer)
    return status


def show(answer: Answer) -> None:
    """Print the summary and the short tables."""
    output.line(answer.summary)
    for name, table in answer.tables.items():
        if name in _SHOWN:
            output.table(*readable(table.columns, table.rows), title=name)


def write(answer: Answer, folder: Path, *, status: int = 0) -> None:
    """Write result.json, every table as CSV, pictures and traces into a folder; say so on stderr."""
    from simulator.foundation.files import canonical_json, write_atomic

    document = output.envelope(answer.facts, status=output.STATUS[status], warnings=answer.missed)
    written = [write_atomic(folder / "result.json", canonical_json(document))]
    for name, table in answer.tables.items():
        written.append(write_atomic(folder / f"{name}.csv", output.csv_text(table.columns, table.rows)))
    written += answer.draw(folder)
    output.note(f"wrote {', '.join(path.name for path in written)} to {folder}")
