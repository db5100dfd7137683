"""``rackcast plan``: how a training job should be split, or on which machines a service should stand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli import options, output
from simulator.cli.decision import Decision, Shown, show, write
from simulator.cli.run import Workload

if TYPE_CHECKING:
    from simulator.mapping.plan import PlanTable
    from simulator.planner.golden import GoldenFile
    from simulator.planner.recommendation import Recommendation
    from simulator.scenario import Scenario


def _option(flag: str, text: str, **more: Any) -> Any:
    return typer.Option(flag, help=text, show_default=False, **more)


ObjectiveName = Annotated[
    str | None, _option("--objective", "time, cost, energy, carbon or memory; else the scenario's.", metavar="NAME")
]
Top = Annotated[int | None, _option("--top", "How many runner-ups to show.", metavar="N", min=0, max=1000)]
Confirm = Annotated[
    int | None, _option("--confirm", "Simulate the N best before choosing; 0: none.", metavar="N", min=0, max=1000)
]
Expect = Annotated[
    Path | None, _option("--expect", "Exit 5 and say what changed if the decision is not this file's.", metavar="FILE")
]
Emit = Annotated[
    str | None,
    _option("--emit", "Files that start the plan, as `rackcast launch` has them; with --out.", metavar="ENGINE,..."),
]


def command(
    scenario: options.ScenarioFile,
    overrides: options.Overrides = None,
    objective: ObjectiveName = None,
    top: Top = None,
    confirm: Confirm = None,
    workload: Workload = None,
    expect: Expect = None,
    emit: Emit = None,
    out: options.OutDir = None,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
) -> None:
    """Recommend how to train or serve: every plan is priced, the best are simulated.

    Training: parallelism, micro-batch and memory savers; with plan.choices.nodes or count also the cheapest or fastest
    cluster inside slo.finish and slo.cost. Service: machines, their number, layout, format and batch
    limits at least cost (or energy, or carbon) inside its limits.

    With --out: plan.json, plan.csv, golden.yaml (for --expect), and pictures: step timeline, layout map, where the step
    goes, memory of the best plans, step time against memory.

    example: rackcast plan scenarios/gpt3-175b.yaml --set cluster.nodes[0].count=64 --out out/plan
    """
    from simulator.foundation.errors import Infeasible
    from simulator.planner.golden import check_golden, check_infeasible, load_golden
    from simulator.planner.recommendation import recommend
    from simulator.planner.training_cluster import asks_for_a_cluster
    from simulator.scenario import load_scenario
    from simulator.scenario.serve import ServeWorkload
    from simulator.simulation import chosen_workload

    expected: GoldenFile | None = None if expect is None else load_golden(expect)
    question = load_scenario(scenario, overrides or [])
    _may_emit(emit, question, workload, out)
    if isinstance(chosen_workload(question, workload), ServeWorkload):
        _serve(question, objective, confirm, top, workload, expected, out, as_json=as_json, as_csv=as_csv)
        return
    if asks_for_a_cluster(question):
        _cluster(question, objective, confirm, top, workload, expected, out, as_json=as_json, as_csv=as_csv)
        return
    try:
        found = recommend(question, objective=objective, confirm=confirm, top=top, workload=workload, watch=_bar)
    except Infeasible:
        if expected is not None:
            check_infeasible(expected)
        raise
    told = _decision(found)
    if out is not None:
        write(told, out, table="plan.csv", draw=lambda: _draw(found, out))
        _emit(found, emit, out)
    show(told, as_json=as_json, as_csv=as_csv)
    if expected is not None:
        check_golden(expected, found)


def _serve(
    question: Scenario, objective: str | None, confirm: int | None, top: int | None, workload: str | None,
    expected: GoldenFile | None, out: Path | None, *, as_json: bool, as_csv: bool,
) -> None:  # fmt: skip
    from simulator.cli.plan_mix import plan_mix
    from simulator.cli.plan_serve import decision
    from simulator.foundation.errors import InputError
    from simulator.planner.serving.service_plan import recommend_service

    if expected is not None or confirm is not None:
        raise InputError("--expect and --confirm are for training plans; a service's runs are plan.simulations.")
    if question.plan.mix:
        told, table = plan_mix(question, objective, workload), None
    else:
        found = recommend_service(question, objective=objective, top=top, workload=workload)
        told, table = decision(found), "plan.csv"
    if out is not None:
        write(told, out, table=table)
    show(told, as_json=as_json, as_csv=as_csv)


def _cluster(
    question: Scenario, objective: str | None, confirm: int | None, top: int | None, workload: str | None,
    expected: GoldenFile | None, out: Path | None, *, as_json: bool, as_csv: bool,
) -> None:  # fmt: skip
    from simulator.cli.plan_cluster import decision, draw
    from simulator.foundation.errors import InputError
    from simulator.planner.training_cluster import recommend_cluster

    if expected is not None:
        raise InputError("--expect holds a layout on a given cluster; leave nodes and count out of plan.choices.")
    found = recommend_cluster(question, objective=objective, confirm=confirm, top=top, workload=workload)
    told = decision(found)
    if out is not None:
        write(told, out, table="clusters.csv", draw=lambda: draw(found, out))
    show(told, as_json=as_json, as_csv=as_csv)


def _may_emit(emit: str | None, question: Scenario, workload: str | None, out: Path | None) -> None:
    """Raise before any search if launch files are asked for that this question cannot have."""
    from simulator.foundation.errors import InputError
    from simulator.planner.training_cluster import asks_for_a_cluster
    from simulator.scenario.serve import ServeWorkload
    from simulator.simulation import chosen_workload

    if emit is None:
        return
    if out is None:
        raise InputError("--emit writes files: name a folder with --out.")
    if isinstance(chosen_workload(question, workload), ServeWorkload) or asks_for_a_cluster(question):
        raise InputError(
            "--emit starts a layout on a given cluster; put the decision in the scenario, then `rackcast launch`."
        )


def _emit(found: Recommendation, emit: str | None, folder: Path) -> None:
    from simulator.foundation.files import write_atomic
    from simulator.planner.launch import launch_files
    from simulator.planner.launch.order import order_of

    if emit is None:
        return
    order = order_of(found.scenario, plan=found.plan, workload=found.result.workload)
    files = launch_files(order, [name.strip() for name in emit.split(",")])
    written = [write_atomic(folder / name, text) for name, text in files.items()]
    output.note(f"wrote {', '.join(path.name for path in written)} to {folder}")


def _bar(pieces: Iterable[PlanTable], total: int) -> Iterable[PlanTable]:
    return output.progress(pieces, label="pricing plans", total=total)


def _decision(found: Recommendation) -> Decision:
    from simulator.cli.readable import readable
    from simulator.cli.run_train import tables
    from simulator.planner.report import COLUMNS, SHOWN, rows, sentences, shown
    from simulator.simulation.inputs import inputs_of

    parts = tables(found.result)["parts"]
    columns, values = readable(parts.columns, parts.rows)
    title = f"best plans by {found.objective}, one per layout"
    return Decision(
        facts={**found.facts(), "inputs": inputs_of(found.scenario)},
        sentences=sentences(found),
        columns=COLUMNS,
        rows=rows(found),
        shown=[
            Shown(columns=columns, rows=values, title="where the step goes"),
            Shown(columns=SHOWN, rows=shown(found), title=title),
        ],
    )


def _draw(found: Recommendation, folder: Path) -> list[Path]:
    """Write the golden file and the pictures."""
    from simulator.cli.run_train import draw
    from simulator.foundation.files import write_atomic
    from simulator.planner.golden import golden_text
    from simulator.planner.report import candidate
    from simulator.results.plan_plots import plot_candidates, plot_front
    from simulator.results.style import save

    chosen, others = candidate(found.chosen), [candidate(one) for one in found.runner_ups]
    capacity = found.result.memory_limit
    front = [candidate(one) for one in found.front]
    return [
        write_atomic(folder / "golden.yaml", golden_text(found)),
        *draw(found.result, folder),
        save(plot_candidates([chosen, *others], capacity)[0], folder / "memory-of-plans.png"),
        save(plot_front(chosen, others, front, capacity)[0], folder / "time-against-memory.png"),
    ]
