"""The step of replicas that are not alike: other machines under some stages, other shares of the batch.

Each class of replicas has its own pipeline; all wait for the slowest before gradients are exchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.costs.estimate import StepEstimate, estimate
from simulator.costs.step import StepTimes
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.stages import column_of
from simulator.mapping.unfolding import Condition, ReplicaClass

Floats = NDArray[np.float64]

#: times of a stage; all others are of the whole step
_BY_STAGE = (
    "forward", "backward", "recomputed", "weights", "joined", "products", "elementwise", "exchanged", "gathered",
    "waiting",
)  # fmt: skip
#: times that all replicas wait for at the end of a step
_TOGETHER = ("gradients", "gradients_hidden", "optimizer", "offload", "host")


def slowest_of(times: Sequence[StepTimes]) -> StepTimes:
    """Return the times of a stage whose ranks stand on several machines: each part as long as on the slowest."""
    first, *others = times
    for other in others:
        longer: dict[str, Any] = {
            name.name: np.maximum(getattr(first, name.name), getattr(other, name.name))
            for name in fields(StepTimes)
            if name.name != "boundary_exposed"
        }
        first = replace(first, **longer)
    return first


def pipeline_times(plan: Plan, conditions: Sequence[Condition], times: Mapping[Condition, StepTimes]) -> StepTimes:
    """Return the times of one class of replicas, a column per stage, of tables that hold this one plan."""
    stages = [times[condition] for condition in conditions]

    def by_stage(name: str) -> Floats:
        found = (
            getattr(one, name)[:, column_of(stage, plan.pp, one.forward.shape[1])] for stage, one in enumerate(stages)
        )
        return np.stack(list(found), axis=1)

    whole = slowest_of(stages)
    columns: dict[str, Any] = {name: by_stage(name) for name in _BY_STAGE}
    return replace(whole, **columns)


def estimate_replicas(
    plan: Plan, classes: Sequence[ReplicaClass], times: Mapping[Condition, StepTimes], *, nodes: float = 1.0
) -> StepEstimate:
    """Return the step of a plan whose replicas are not alike: that of the class for which all others wait.

    Args:
        plan: the decision.
        classes: of replicas, with the condition of each stage and the share of each.
        times: under each condition, of a table that holds this one plan.
        nodes: that wait for each other at the end of a step.
    """
    found = [pipeline_times(plan, one.conditions, times) for one in classes]
    together: dict[str, Any] = {name: np.max([getattr(one, name) for one in found], axis=0) for name in _TOGETHER}
    steps = [
        estimate(
            replace(own, **together),
            PlanTable.of([plan.of_share(one.micro_batches(plan))]),
            nodes=nodes,
        )
        for one, own in zip(classes, found, strict=True)
        if one.micro_batches(plan)
    ]
    return max(steps, key=lambda one: float(one.step[0]))
