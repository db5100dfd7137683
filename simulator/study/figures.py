"""The figures of one scenario, whatever its kind of workload: one flat row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from simulator.engine.data.run import DataRun
from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.planner.recommendation import recommend
from simulator.scenario import Scenario
from simulator.scenario.batch_infer import BatchInferWorkload
from simulator.scenario.data import DataWorkload
from simulator.scenario.serve import ServeWorkload
from simulator.scenario.train import TrainWorkload
from simulator.simulation import chosen_workload, simulate
from simulator.simulation.serving import simulate_serving

Row = dict[str, Any]


def figures_of(scenario: Scenario, workload: str | None = None) -> Row:
    """Play one workload and return its figures: name with unit -> number or text.

    A training job that is not decided yet is planned, and its decision is part of the row.

    Raises:
        InputError: no such workload, or one of a kind that has no figures.
        Infeasible: it does not fit.
    """
    chosen = chosen_workload(scenario, workload)
    if type(chosen) not in _FIGURES:
        raise InputError(f"workload {chosen.id!r} is of a kind that cannot be swept; {', '.join(_kinds())} can.")
    return {name: value for name, value in _FIGURES[type(chosen)](scenario, chosen).items() if _is_cell(value)}


def headline_of(scenario: Scenario, workload: str | None = None) -> str:
    """Return the figure that matters most for a kind of workload."""
    return _HEADLINES[type(chosen_workload(scenario, workload))]


def _train(scenario: Scenario, workload: TrainWorkload) -> Row:
    if workload.plan is not None:
        return dict(simulate(scenario, workload=workload.id).metrics)
    found = recommend(scenario, workload=workload.id)
    return {**asdict(found.plan), "margin": found.margin, **found.result.metrics}


def _serve(scenario: Scenario, workload: ServeWorkload) -> Row:
    return dict(simulate_serving(scenario, workload).facts()["metrics"])


def _data(scenario: Scenario, workload: DataWorkload) -> Row:
    run: DataRun = workload.on(scenario.cluster).run(Streams(scenario.run.seed))
    return run.summary()


def _batch_infer(scenario: Scenario, workload: BatchInferWorkload) -> Row:
    return workload.run(Streams(scenario.run.seed)).summary()


_FIGURES: Final[dict[type, Callable[[Scenario, Any], Row]]] = {
    TrainWorkload: _train,
    ServeWorkload: _serve,
    DataWorkload: _data,
    BatchInferWorkload: _batch_infer,
}

_HEADLINES: Final[dict[type, str]] = {
    TrainWorkload: "step_time_s",
    ServeWorkload: "ttft_p99_ms",
    DataWorkload: "epoch_time_s",
    BatchInferWorkload: "makespan_s",
}


def _kinds() -> list[str]:
    return [kind.__name__.removesuffix("Workload") for kind in _FIGURES]


def _is_cell(value: object) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))
