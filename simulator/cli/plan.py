"""``rackcast plan``: how a training job should be split, or on which machines a service should stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from simulator.cli import options, output
from simulator.cli.decision import Decision, show, write
from simulator.cli.run import Workload

if TYPE_CHECKING:
    from simulator.mapping.plan import PlanTable
    from simulator.planner.decide import Answer
    from simulator.planner.golden import GoldenFile
    from simulator.planner.workshop import Workshop
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
FailOn = Annotated[
    str | None,
    _option("--fail-on", "Verdicts that exit 5 too: drift, flip-within-margin, now-feasible.", metavar="VERDICT,..."),
]
Html = Annotated[
    Path | None,
    _option("--html", "One self-contained page: the decision, why, and what would flip it.", metavar="FILE"),
]
Jobs = Annotated[int, _option("--jobs", "Processes that play plans; on a cluster: runs at once.", metavar="N")]
Backend = Annotated[str | None, _option("--backend", "dask://HOST:PORT or ray://HOST:PORT.", metavar="URL")]
Store = Annotated[
    Path | None,
    _option("--store", "Keep every run in this SQLite file; go on with it after a stop.", metavar="FILE"),
]
Emit = Annotated[
    str | None,
    _option(
        "--emit", "Files that start the plan, of the engines of `rackcast launch`; with --out.", metavar="ENGINE,..."
    ),
]


def command(
    scenario: options.ScenarioFile,
    overrides: options.Overrides = None,
    objective: ObjectiveName = None,
    top: Top = None,
    confirm: Confirm = None,
    workload: Workload = None,
    expect: Expect = None,
    fail_on: FailOn = None,
    emit: Emit = None,
    html: Html = None,
    jobs: Jobs = 1,
    backend: Backend = None,
    store: Store = None,
    out: options.OutDir = None,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
) -> None:
    """Recommend how to train or serve: every plan is priced, the best are simulated.

    Training: parallelism, micro-batch and memory savers; with plan.choices.nodes or count also the cheapest or fastest
    cluster inside slo.finish and slo.cost. Service: machines, their number, layout, format and batch
    limits at least cost (or energy, or carbon) inside its limits. With `scale`: the bounds of its autoscaler.
    Several services: which model on which machines. Many jobs (kind: place): which stands where.
    Demands that come and go (kind: capacity): regions, and what to own, reserve and rent.

    With --out: plan.json, plan.csv, golden.yaml (for --expect), report.html (the page of --html), and pictures: step
    timeline, layout map, where the step goes, memory of the best plans, step time against memory. With --store too:
    runs.parquet, a row for every price and every simulation of the search.

    example: rackcast plan scenarios/gpt3-175b.yaml --set cluster.nodes[0].count=64 --out out/plan
    """
    from simulator.foundation.errors import Infeasible
    from simulator.planner.decide import decide
    from simulator.planner.golden import load_golden
    from simulator.scenario import load_scenario

    expected = None if expect is None else load_golden(expect)
    failing = _failing(fail_on, expect)
    question = load_scenario(scenario, overrides or [])
    engines = _may_emit(emit, question, workload, out)
    try:
        with _meter(question, workload) as told_runs, _runs(question, store, jobs, backend, out) as workshop:
            found = decide(question, objective=objective, confirm=confirm, top=top, workload=workload, watch=_bar,
                           progress=told_runs, workshop=workshop)  # fmt: skip
    except Infeasible:
        if expected is None:
            raise
        _hold(expected, None, failing)
        raise
    told = _told(found, question)
    if out is not None:
        write(told.decision, out, table=told.table, draw=lambda: [_golden(found, out), *told.draw(out)])
        _emit(found, engines, workload, out)
    _page(found, html, out)
    show(told.decision, as_json=as_json, as_csv=as_csv)
    if expected is not None:
        _hold(expected, found, failing)


@contextmanager
def _runs(
    question: Scenario, store: Path | None, jobs: int, backend: str | None, out: Path | None
) -> Iterator[Workshop | None]:
    """Return what does the runs of the search; write those that are kept to ``out`` when it is over."""
    from simulator.results.parquet import write_table
    from simulator.study.plan_runs import workshop_of
    from simulator.study.plan_store import PlanStore

    if store is None:
        yield workshop_of(None, jobs=jobs, backend=backend)
        return
    with PlanStore(store, question) as kept:
        if len(kept):
            output.note(f"going on with {len(kept)} runs from {store}")
        yield workshop_of(kept, jobs=jobs, backend=backend)
        if out is not None:
            output.note(f"wrote {write_table(kept.frame(), out / 'runs')}")


def _meter(question: Scenario, workload: str | None) -> AbstractContextManager[Callable[[int, int], None]]:
    """Return the bar of a search over deployments; of other questions one that shows nothing."""
    from simulator.scenario.serve import ServeWorkload

    asked = [one for one in question.workloads if workload in (None, one.id)]
    if len(asked) == 1 and isinstance(asked[0], ServeWorkload):
        return output.meter(label="simulating deployments")
    return nullcontext(lambda done, most: None)


def _page(found: Answer, html: Path | None, out: Path | None) -> None:
    """Write the page where it is asked for, and into the bundle."""
    from simulator.planner.pages import html_of

    output.page(lambda: html_of(found), html, None if out is None else out / "report.html")


def _failing(fail_on: str | None, expect: Path | None) -> tuple[str, ...]:
    """Return the verdicts that end with 5: those that fail a test, and those that are named."""
    from simulator.foundation.errors import InputError, suggestion
    from simulator.planner.verdict import FAILING, WORDS

    named = tuple(word.strip() for word in (fail_on or "").split(",") if word.strip())
    if named and expect is None:
        raise InputError("--fail-on names verdicts on an expected decision; give its file with --expect.")
    for word in named:
        if word not in WORDS:
            raise InputError(f"--fail-on: there is no verdict {word!r}.{suggestion(word, WORDS)}")
    return (*FAILING, *named)


def _hold(expected: GoldenFile, found: Answer | None, failing: tuple[str, ...]) -> None:
    """Hold an answer against what was expected: raise if the verdict is one that fails, else report it."""
    from simulator.foundation.errors import DecisionChanged
    from simulator.planner.verdict import judge

    verdict = judge(expected, found)
    told = f"{expected.scenario}, best {expected.objective}: {verdict}."
    if verdict.word in failing:
        raise DecisionChanged(told)
    if verdict.word != "same":
        output.warn(told)


#: class of answer -> the module whose ``decision(found)`` shows it and whose ``draw(found, folder)``, if it has one,
#: draws its pictures, and the name of its CSV
SHOWN_BY: Final = {
    "Recommendation": ("simulator.cli.plan_train", "plan.csv"),
    "ClusterPlan": ("simulator.cli.plan_cluster", "clusters.csv"),
    "ServicePlan": ("simulator.cli.plan_serve", "plan.csv"),
    "FleetMix": ("simulator.cli.plan_mix", None),
    "ScalingPlan": ("simulator.cli.plan_scaling", "plan.csv"),
    "ServicePool": ("simulator.cli.plan_pool", "plan.csv"),
    "PlacementPlan": ("simulator.cli.plan_place", "plan.csv"),
    "CapacityPlan": ("simulator.cli.plan_capacity", "plan.csv"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """An answer as it is shown, the name of its CSV, and what draws its pictures into a folder."""

    decision: Decision
    table: str | None
    draw: Callable[[Path], list[Path]]


def _told(found: Answer, question: Scenario) -> _Told:
    import importlib

    from simulator.simulation.inputs import inputs_of

    name, table = SHOWN_BY[type(found).__name__]
    of_kind = importlib.import_module(name)
    decision: Decision = of_kind.decision(found)
    draw = getattr(of_kind, "draw", _nothing)
    facts = {**decision.facts, "inputs": inputs_of(question)}
    return _Told(decision=replace(decision, facts=facts), table=table, draw=partial(draw, found))


def _nothing(found: Answer, folder: Path) -> list[Path]:
    del found, folder
    return []


def _golden(found: Answer, folder: Path) -> Path:
    from simulator.foundation.files import write_atomic
    from simulator.planner.golden import golden_text

    return write_atomic(folder / "golden.yaml", golden_text(found))


def _may_emit(emit: str | None, question: Scenario, workload: str | None, out: Path | None) -> list[str]:
    """Return the engines to write files for; raise before any search where this question cannot have them."""
    from simulator.foundation.errors import InputError
    from simulator.planner.launch.decided import can_start

    if emit is None:
        return []
    if out is None:
        raise InputError("--emit writes files: name a folder with --out.")
    names = [name.strip() for name in emit.split(",") if name.strip()]
    can_start(question, names, workload=workload)
    return names


def _emit(found: Answer, names: list[str], workload: str | None, folder: Path) -> None:
    from simulator.foundation.files import write_atomic
    from simulator.planner.launch.decided import decided_files

    if names:
        files = decided_files(found, names, workload=workload)
        for name, text in files.items():
            _ = write_atomic(folder / name, text)
        output.note(f"wrote {', '.join(files)} to {folder}")


def _bar(pieces: Iterable[PlanTable], total: int) -> Iterable[PlanTable]:
    return output.progress(pieces, label="pricing plans", total=total)
