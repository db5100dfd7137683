"""One step as the engine plays it: the order of passes and how many ticks each piece of work takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulator.costs.step import StepTimes
from simulator.engine.clock import to_ticks
from simulator.mapping.pipeline import Action, Schedule, schedule_of
from simulator.mapping.plan import Plan
from simulator.mapping.stages import column_of
from simulator.mapping.unfolding import Condition, ReplicaClass


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePace:
    """Ticks of one stage: a pass of one micro-batch through one chunk, and a send to the next stage.

    ``weights`` is the part of backward that makes weight gradients, ``joined`` what a forward and a backward pass save
    beside each other. ``exposed`` is the part of a send that keeps the sender, and by it the receiver, from computing.
    """

    forward: int
    backward: int
    boundary: int
    exposed: int
    weights: int = 0
    joined: int = 0

    def ticks(self, action: Action) -> int:
        """Return how long a pass takes."""
        if not action.backward:
            return self.forward
        return {"whole": self.backward, "inputs": self.backward - self.weights, "weights": self.weights}[action.half]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaPace:
    """A class of data-parallel replicas: its name, how many there are, their micro-batches, and the pace of each stage.

    ``opposite`` is the pace of each stage with the piece of the model that it holds for the opposite way.
    """

    name: str
    count: int
    micro_batches: int
    stages: tuple[StagePace, ...]
    opposite: tuple[StagePace, ...]

    def pace(self, stage: int, action: Action) -> StagePace:
        """Return the pace at which a stage does an action."""
        return self.opposite[stage] if action.opposite else self.stages[stage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One optimizer step of all replicas. Per stage where it is a tuple; gradients wait for all replicas."""

    schedule: Schedule
    chunks: int
    replicas: tuple[ReplicaPace, ...]
    gradients: tuple[int, ...]
    gradients_hidden: tuple[int, ...]
    optimizer: tuple[int, ...]
    offload: tuple[int, ...]
    host: int

    @property
    def stages(self) -> int:
        """Stages of the pipeline."""
        return len(self.gradients)


def write_script(plan: Plan, classes: Sequence[ReplicaClass], times: Mapping[Condition, StepTimes]) -> Script:
    """Return the step of a plan.

    Args:
        plan: order and number of micro-batches, chunks and stages.
        classes: of replicas, with the condition of each stage.
        times: durations under each condition, of a table that holds this one plan.
    """
    worst = [[times[one.conditions[stage]] for one in classes] for stage in range(plan.pp)]

    def slowest(name: str) -> tuple[int, ...]:
        return tuple(max(to_ticks(float(getattr(found, name)[0])) for found in stage) for stage in worst)

    return Script(
        schedule=schedule_of(plan),
        chunks=plan.vpp,
        replicas=tuple(_pace(plan, one, times) for one in classes),
        gradients=slowest("gradients"),
        gradients_hidden=slowest("gradients_hidden"),
        optimizer=slowest("optimizer"),
        offload=slowest("offload"),
        host=max(slowest("host")),
    )


def _pace(plan: Plan, one: ReplicaClass, times: Mapping[Condition, StepTimes]) -> ReplicaPace:
    name = f"replicas like {one.first}" if one.count > 1 else f"replica {one.first}"
    seats = range(plan.pp)
    stages = tuple(_stage(plan, seat, times[one.conditions[seat]]) for seat in seats)
    opposite = tuple(_stage(plan, plan.pp - 1 - seat, times[one.conditions[seat]]) for seat in seats)
    return ReplicaPace(name=name, count=one.count, micro_batches=one.micro_batches(plan), stages=stages,
                       opposite=opposite)  # fmt: skip


def _stage(plan: Plan, piece: int, times: StepTimes) -> StagePace:
    column = column_of(piece, plan.pp, times.forward.shape[1])
    boundary = float(times.boundary[0])
    return StagePace(
        forward=to_ticks(float(times.forward[0, column]) / plan.vpp),
        backward=to_ticks(float(times.backward[0, column]) / plan.vpp),
        boundary=to_ticks(boundary),
        exposed=to_ticks(boundary * times.boundary_exposed),
        weights=to_ticks(float(times.weights[0, column])),
        joined=to_ticks(float(times.joined[0, column])),
    )
