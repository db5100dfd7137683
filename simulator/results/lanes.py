"""Who does what in a step, and who waits for whom: one row per stage of each class of replicas."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simulator.foundation.units import GIGA, show

#: a difference between lanes that is worth a sentence, as a share of the step
_NOTABLE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A stage of one class of data-parallel replicas.

    Attributes:
        first, replicas: number of the first of the replicas, and how many there are.
        stage, layers: the stage, and the layers that it holds.
        machine: the kind of device under it; several, joined by a plus, where ranks of one stage sit on several.
        micro_batches: that each of the replicas does in a step.
        passes_s: seconds of a step in which it computes; it waits or exchanges in the rest.
        memory_bytes, limit_bytes: what its fullest device holds, and what tensors can take there.
    """

    first: int
    replicas: int
    stage: int
    layers: float
    machine: str
    micro_batches: int
    passes_s: float
    memory_bytes: float
    limit_bytes: float


def lane_sentences(lanes: Sequence[Lane], step_s: float) -> Iterator[str]:
    """Say for whom the others wait, where stages or replicas are not alike."""
    if not lanes:
        return
    by_replica = {lane.first: max((one for one in lanes if one.first == lane.first), key=lambda one: one.passes_s)
                  for lane in lanes}  # fmt: skip
    slowest = max(by_replica.values(), key=lambda lane: lane.passes_s)
    waiting = [lane for lane in by_replica.values() if slowest.passes_s - lane.passes_s > _NOTABLE * step_s]
    if waiting:
        others = "; ".join(f"{_replicas(lane)} {(slowest.passes_s - lane.passes_s) / step_s:.0%}" for lane in waiting)
        yield (
            f"All replicas wait for {_replicas(slowest)}, with {slowest.micro_batches} micro-batches each; of the step "
            f"wait for them: {others}."
        )
    yield from _stages([lane for lane in lanes if lane.first == slowest.first], step_s)
    tight = max(lanes, key=lambda lane: lane.memory_bytes / lane.limit_bytes)
    if len({lane.machine for lane in lanes}) > 1:
        yield (
            f"Memory is tightest on {tight.machine} (stage {tight.stage}): {tight.memory_bytes / GIGA:.1f} of "
            f"{tight.limit_bytes / GIGA:.1f} GB."
        )


def _stages(lanes: Sequence[Lane], step_s: float) -> Iterator[str]:
    slowest, fastest = (choose(lanes, key=lambda lane: lane.passes_s) for choose in (max, min))
    if slowest.passes_s - fastest.passes_s <= _NOTABLE * step_s:
        return
    yield (
        f"In a replica stage {slowest.stage} ({_holds(slowest)}) is the longest: it works "
        f"{show(slowest.passes_s, 'time')} of a step, stage {fastest.stage} ({_holds(fastest)}) "
        f"{show(fastest.passes_s, 'time')}."
    )


def _holds(lane: Lane) -> str:
    """Return a stage's layers and machine; of a network that is cut by seconds no number of layers is known here."""
    return f"on {lane.machine}" if math.isnan(lane.layers) else f"{lane.layers:g} layers on {lane.machine}"


def _replicas(lane: Lane) -> str:
    return f"the {lane.replicas} on {lane.machine}" if lane.replicas > 1 else f"the one on {lane.machine}"
