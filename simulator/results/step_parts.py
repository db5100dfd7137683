"""Where a step goes: the lane of the busiest stage cut into parts that add up to the whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from simulator.costs.step import Floats, StepTimes
from simulator.engine.clock import to_seconds
from simulator.engine.trace import Trace
from simulator.mapping.stages import column_of

#: parts of a step in the order in which they are shown -> the kind of time each is (a key of ``style.KINDS``)
PARTS: Final[dict[str, str]] = {
    "compute": "forward",
    "recompute": "recompute",
    "exchange": "communication",
    "host": "other",
    "boundary": "communication",
    "bubble": "bubble",
    "gradients": "communication",
    "optimizer": "optimizer",
    "offload": "communication",
    "stragglers": "bubble",
}

#: parts that data and checkpoints add, where a scenario has them
INPUT_PARTS: Final[dict[str, str]] = {"shards": "data", "data": "data", "checkpoint": "checkpoint"}

#: what each part means, for people
MEANINGS: Final[dict[str, str]] = {
    "compute": "products, attention and elementwise kernels of the forward and backward passes",
    "recompute": "forward work repeated in the backward pass to save memory",
    "exchange": "collectives inside layers (TP, CP, EP) and sharded weights awaited",
    "host": "the device waits for the host to launch work, and host time of the step",
    "boundary": "activations sent from stage to stage while both wait",
    "bubble": "the pipeline fills and drains, or waits for a slower stage",
    "gradients": "gradients (and sharded weights) exchanged over the replicas, where nothing hides it",
    "optimizer": "the update of the weights",
    "offload": "weights, activations and gradients on their way to and from the host, where nothing hides it",
    "stragglers": "equal machines are not equal: the slowest of many sets the pace",
    "shards": "replicas with smaller shards wait for the one with the largest",
    "data": "the devices wait for the slowest loader",
    "checkpoint": "the devices wait for a checkpoint, spread over the steps between two",
}


#: kinds of records that are passes of micro-batches
PASSES: Final = ("forward", "backward", "weights")


def busiest_lane(trace: Trace) -> tuple[int, int]:
    """Return (replica class, stage) of the lane with most passes' time; the first of equals."""
    busy: dict[tuple[int, int], int] = {}
    for record in trace.records:
        if record.kind in PASSES:
            lane = (record.replica, record.stage)
            busy[lane] = busy.get(lane, 0) + record.end - record.start
    return max(sorted(busy), key=lambda lane: busy[lane])


def parts_of_trace(
    trace: Trace, lane: tuple[int, int], times: StepTimes, micro_batches: int, *, dual: bool = False
) -> dict[str, float]:
    """Return the seconds of each part of a played step, as the given lane sees it; stragglers are not played.

    Args:
        trace: of one step.
        lane: class of replicas and stage.
        times: what the passes of that stage are made of (a table of one plan).
        micro_batches: of the step, of the lane's replicas.
        dual: whether half of them pass through the mirrored piece (DualPipe).
    """
    stage = lane[1]
    columns = times.forward.shape[1]
    column = column_of(stage, trace.stages, columns)  # and of the piece that the stage holds beside its own
    opposite = column_of(trace.stages - 1 - stage, trace.stages, columns) if dual else column
    ticks = {kind: trace.busy(*lane, kind) for kind in ("host", "boundary", "gradients", "optimizer", "offload")}
    passes = trace.busy(*lane, *PASSES)
    idle = max(trace.end - passes - sum(ticks.values()), 0)  # in whole ticks: what is not idle at all is exactly 0
    spent = {kind: to_seconds(held) for kind, held in ticks.items()}
    inside = within_passes(times, (column, opposite), micro_batches, to_seconds(passes))
    return {**inside, **spent, "host": inside["host"] + spent["host"], "bubble": to_seconds(idle)}


def within_passes(times: StepTimes, pieces: tuple[int, int], micro_batches: int, passes: float) -> dict[str, float]:
    """Return what a stage's passes are made of, in seconds that add up to ``passes``.

    ``pieces`` are the columns of ``times`` that the two halves of the micro-batches pass through. What joined passes
    save is taken off their exchanges.
    """

    def mean(seconds: Floats) -> float:
        return micro_batches * 0.5 * float(seconds[0, pieces[0]] + seconds[0, pieces[1]])

    saved = max(mean(times.forward + times.backward) - passes, 0.0) if times.joined.any() else 0.0
    exchange = max(mean(times.exchanged + times.gathered) - saved, 0.0)
    recompute = mean(times.recomputed)
    host = mean(times.waiting)
    compute = passes - exchange - recompute - host
    assert compute >= -1e-9 * passes, f"passes of {passes} s hold more than that"
    return {"compute": max(compute, 0.0), "recompute": recompute, "exchange": exchange, "host": host}


def with_stragglers(parts: Mapping[str, float], spread: float) -> dict[str, float]:
    """Return the parts with the wait for the slowest of many equal nodes, a share ``spread`` of the rest."""
    alone = sum(parts.values())
    return {name: parts.get(name, 0.0) if name != "stragglers" else alone * spread for name in PARTS}
