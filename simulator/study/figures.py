"""The figures of one scenario, whatever its kind of workload: one flat row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from simulator.engine.data.run import DataRun
from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.planner.recommendation import recommend
from simulator.results.federated import round_figures
from simulator.scenario import Scenario
from simulator.scenario.batch_infer import BatchInferWorkload
from simulator.scenario.data import DataWorkload
from simulator.scenario.federated import FederatedWorkload
from simulator.scenario.rl import RlWorkload
from simulator.scenario.serve import ServeWorkload
from simulator.scenario.serve_predict import PredictWorkload
from simulator.scenario.train import TrainWorkload
from simulator.simulation import chosen_workload, simulate
from simulator.simulation.predicting import simulate_predicting
from simulator.simulation.replications import replicate
from simulator.simulation.rl import simulate_rl
from simulator.simulation.serving import simulate_serving

Row = dict[str, Any]


def figures_of(scenario: Scenario, workload: str | None = None) -> Row:
    """Play one workload and return its figures: name with unit -> number or text.

    A training job that is not decided yet is planned, and its decision is part of the row. With ``run.seeds`` above 1,
    numbers are means over so many runs.

    Raises:
        InputError: no such workload, or one of a kind that has no figures.
        Infeasible: it does not fit.
    """
    chosen = chosen_workload(scenario, workload)
    if type(chosen) not in _FIGURES:
        raise InputError(f"workload {chosen.id!r} is of a kind that cannot be swept; {', '.join(_kinds())} can.")
    answer = _FIGURES[type(chosen)]
    if scenario.run.seeds == 1:
        return {name: value for name, value in answer(scenario, chosen).items() if _is_cell(value)}
    runs = replicate(scenario, lambda one: answer(one, chosen), dict)
    means = {name: interval.mean for name, interval in runs.intervals.items()}
    return {name: means.get(name, value) for name, value in runs.first.items() if _is_cell(value)}


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


def _predict(scenario: Scenario, workload: PredictWorkload) -> Row:
    return dict(simulate_predicting(scenario, workload).metrics())


def _rl(scenario: Scenario, workload: RlWorkload) -> Row:
    return dict(simulate_rl(scenario, workload).metrics())


def _federated(scenario: Scenario, workload: FederatedWorkload) -> Row:
    return dict(round_figures(workload.run(Streams(scenario.run.seed))))


def _data(scenario: Scenario, workload: DataWorkload) -> Row:
    run: DataRun = workload.on(scenario.cluster).run(Streams(scenario.run.seed))
    return run.summary()


def _batch_infer(scenario: Scenario, workload: BatchInferWorkload) -> Row:
    return workload.run(Streams(scenario.run.seed)).summary()


_FIGURES: Final[dict[type, Callable[[Scenario, Any], Row]]] = {
    TrainWorkload: _train,
    ServeWorkload: _serve,
    PredictWorkload: _predict,
    DataWorkload: _data,
    BatchInferWorkload: _batch_infer,
    RlWorkload: _rl,
    FederatedWorkload: _federated,
}

_HEADLINES: Final[dict[type, str]] = {
    TrainWorkload: "step_time_s",
    ServeWorkload: "ttft_p99_ms",
    PredictWorkload: "latency_p99_ms",
    DataWorkload: "epoch_time_s",
    BatchInferWorkload: "makespan_s",
    RlWorkload: "step_time_s",
    FederatedWorkload: "round_time_s",
}


def _kinds() -> list[str]:
    return [kind.__name__.removesuffix("Workload") for kind in _FIGURES]


def _is_cell(value: object) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))
