"""Step times made by hand, and the two roads from them to a step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator.costs.estimate import estimate
from simulator.costs.step import StepTimes
from simulator.engine.clock import to_seconds
from simulator.engine.trace import Trace
from simulator.engine.training.script import write_script
from simulator.engine.training.step import play
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.unfolding import HEALTHY, replica_classes


def step_times(
    forward: Sequence[float], backward: Sequence[float], *, boundary=0.0, exposed=0.0, gradients=0.0, hidden=0.0,
    optimizer=0.0, host=0.0, weights=(0.0, 0.0, 0.0), joined=0.0, offload=0.0,
) -> StepTimes:  # fmt: skip
    """Return durations of one plan: passes of the first, an inner and the last stage, or of each, in seconds."""
    zero, one = np.zeros((1, len(forward))), lambda value: np.array([float(value)])
    return StepTimes(
        forward=np.array([forward], dtype=float), backward=np.array([backward], dtype=float),
        recomputed=zero, weights=np.array([weights], dtype=float),
        joined=np.full((1, len(forward)), joined), boundary=one(boundary), boundary_exposed=exposed,
        gradients=one(gradients), gradients_hidden=one(hidden), optimizer=one(optimizer),
        offload=one(offload), host=one(host), products=zero, elementwise=zero,
        exchanged=zero, gathered=zero, waiting=zero,
    )  # fmt: skip


def played(plan: Plan, times: StepTimes) -> Trace:
    return play(write_script(plan, replica_classes(plan, {}), {HEALTHY: times}))


def engine_seconds(plan: Plan, times: StepTimes) -> float:
    return to_seconds(played(plan, times).end)


def estimate_seconds(plan: Plan, times: StepTimes) -> float:
    return float(estimate(times, PlanTable.of([plan])).step[0])
