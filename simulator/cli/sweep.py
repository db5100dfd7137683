"""``rackcast sweep``: a scenario over many values of its keys."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from simulator.cli import options, output
from simulator.cli.run import Workload

_SHOWN = 6  # figures of the printed table; files hold all


def command(
    scenario: options.ScenarioFile,
    vary: Annotated[list[str], typer.Option("--vary", metavar="KEY=A,B,C", help="A key and its values; repeatable.")],
    zipped: Annotated[bool, typer.Option("--zip", help="Take the values in step, not every combination.")] = False,
    overrides: options.Overrides = None,
    workload: Workload = None,
    jobs: Annotated[int, typer.Option("--jobs", metavar="N", help="Processes; on a cluster: points at once.")] = 1,
    backend: Annotated[
        str | None,
        typer.Option("--backend", metavar="URL", help="dask://HOST:PORT or ray://HOST:PORT.", show_default=False),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            "--store",
            metavar="FILE",
            help="Keep answers in this SQLite file; go on with it after a stop.",
            show_default=False,
        ),
    ] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="NAME", help="The figure to draw.", show_default=False)
    ] = None,
    out: options.OutDir = None,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
) -> None:
    """Run a scenario over every combination of values and show one row per point.

    Points that do not fit are rows with their reason. With --out: sweep.csv, sweep.parquet (where pyarrow is
    installed) and a picture of one figure over the first key.

    example: rackcast sweep scenarios/gpt3-175b.yaml --vary 'cluster.nodes[0].count=64,128,256' --jobs 2 --store s.db
    """  # fmt: skip
    from simulator.foundation.errors import InputError
    from simulator.scenario import load_scenario
    from simulator.study.figures import headline_of
    from simulator.study.points import read_vary
    from simulator.study.rows import records_of, rows_of
    from simulator.study.sweep import sweep

    over: dict[str, Any] = {}
    for text in vary:
        key, values = read_vary(text)
        if key in over:
            raise InputError(f"--vary {text}: {key} varies already; give all its values at once.")
        over[key] = values
    question = load_scenario(scenario, overrides or [])
    frame = sweep(question, over, zipped=zipped, workload=workload, jobs=jobs, backend=backend, store=store, watch=_bar)
    chosen = metric or headline_of(question, workload)
    if out is not None:
        _write(frame, list(over), chosen, out)
    if as_json:
        output.json_document(
            {"scenario": question.name, "scenario_sha256": question.sha256, "points": records_of(frame)}
        )
    elif as_csv:
        output.csv(list(frame.columns), rows_of(frame))
    else:
        _show(frame, list(over), chosen)


def _bar(answers: Iterable[Any], total: int) -> Iterable[Any]:
    return output.progress(answers, label="answering points", total=total)


def _show(frame: Any, keys: list[str], metric: str) -> None:
    from simulator.cli.readable import readable
    from simulator.study.rows import rows_of

    fixed = ["point", *keys, "status"]
    figures = [name for name in frame.columns if name not in (*fixed, "reason")]
    leading = [metric] if metric in figures else []
    chosen = [*leading, *[name for name in figures if name != metric][: _SHOWN - len(leading)]]
    short = frame[[*fixed, *chosen]]
    output.table(*readable(list(short.columns), rows_of(short)), title=f"{len(frame)} points")
    for number, reason in frame.loc[frame["status"] != "ok", ["point", "reason"]].itertuples(index=False, name=None):
        output.line(f"point {number}: {reason}")


def _write(frame: Any, keys: list[str], metric: str, folder: Path) -> None:
    from simulator.foundation.files import write_atomic
    from simulator.results.parquet import write_table
    from simulator.results.style import save
    from simulator.study.rows import rows_of
    from simulator.study.sweep_plot import plot_sweep

    written = [write_atomic(folder / "sweep.csv", output.csv_text(list(frame.columns), rows_of(frame)))]
    if (table := write_table(frame, folder / "sweep")) not in written:
        written.append(table)
    if metric in frame.columns:
        written.append(save(plot_sweep(frame, keys, metric)[0], folder / "sweep.png"))
    output.note(f"wrote {', '.join(path.name for path in written)} to {folder}")
