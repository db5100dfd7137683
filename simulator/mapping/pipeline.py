"""Pipeline schedules: in which order a stage works through the passes of its micro-batches.

A schedule is a registered function that yields the actions of one stage. Stages hold ``chunks`` pieces of the model
each (virtual stages); chunk c of stage s is piece ``c * stages + s``, so that an activation goes from stage to stage
and from the last stage back to the first with the next chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from simulator.foundation.registry import Registry
from simulator.mapping.plan import Plan


class Action(NamedTuple):
    """One pass of one micro-batch through one chunk of a stage (all counted from 0)."""

    backward: bool
    micro_batch: int
    chunk: int


class Message(NamedTuple):
    """What an action waits for: the output of the neighbouring piece in its direction."""

    stage: int
    chunk: int


Schedule = Callable[[int, int, int, int], Iterator[Action]]

#: name -> function of (stage, stages, micro_batches, chunks) that yields the stage's actions in order
schedules: Final[Registry[Schedule]] = Registry("pipeline schedule")


def schedule_of(plan: Plan) -> Schedule:
    """Return the schedule of a plan: ``1f1b`` with virtual stages is the interleaved one."""
    return schedules["interleaved-1f1b" if plan.schedule == "1f1b" and plan.vpp > 1 else plan.schedule]


@schedules.register("gpipe")
def gpipe(stage: int, stages: int, micro_batches: int, chunks: int) -> Iterator[Action]:
    """Yield all forward passes, then all backward passes in reverse.

    Source: Huang et al. 2019, arXiv 1811.06965; with several chunks, breadth first (Lamy-Poirier 2022, arXiv
    2211.05953).

    >>> ["FB"[action.backward] + str(action.micro_batch) for action in gpipe(0, 2, 2, 1)]
    ['F0', 'F1', 'B1', 'B0']
    """
    forward = [Action(False, number, chunk) for chunk in range(chunks) for number in range(micro_batches)]
    yield from forward
    yield from (Action(True, number, chunk) for _, number, chunk in reversed(forward))


@schedules.register("1f1b")
def one_forward_one_backward(stage: int, stages: int, micro_batches: int, chunks: int) -> Iterator[Action]:
    """Yield the forward passes that fill the pipeline behind a stage, then one forward and one backward in turn.

    Stage s holds at most ``stages - s`` micro-batches. Source: PipeDream-flush, Narayanan et al. 2021, arXiv
    2006.09503.

    >>> ["FB"[action.backward] + str(action.micro_batch) for action in one_forward_one_backward(0, 2, 3, 1)]
    ['F0', 'F1', 'B0', 'F2', 'B1', 'B2']
    """
    assert chunks == 1, "virtual stages need the interleaved schedule"
    forward = [Action(False, number, 0) for number in range(micro_batches)]
    backward = [Action(True, number, 0) for number in range(micro_batches)]
    yield from _in_turn(forward, backward, min(micro_batches, stages - stage - 1))


@schedules.register("interleaved-1f1b")
def interleaved(stage: int, stages: int, micro_batches: int, chunks: int) -> Iterator[Action]:
    """Yield one forward and one backward in turn, over groups of micro-batches that pass all chunks in turn.

    Groups hold as many micro-batches as there are stages. Where the last one is not full, the order is that of a full
    one without the passes that do not exist, so that it never waits in a circle. Source: Narayanan et al. 2021, arXiv
    2104.04473, section 2.2 (which asks for full groups).
    """
    forward, backward = [], []
    for start in range(0, micro_batches, stages):
        group = range(start, start + stages)
        forward += [Action(False, number, chunk) for chunk in range(chunks) for number in group]
        backward += [Action(True, number, chunk) for chunk in reversed(range(chunks)) for number in group]
    ahead = 2 * (stages - stage - 1) + (chunks - 1) * stages
    in_turn = _in_turn(forward, backward, min(len(forward), ahead))
    yield from (action for action in in_turn if action.micro_batch < micro_batches)


def _in_turn(forward: list[Action], backward: list[Action], ahead: int) -> Iterator[Action]:
    """Yield ``ahead`` forward passes, then a forward and a backward in turn, then what is left of backward."""
    yield from forward[:ahead]
    for one, other in zip(forward[ahead:], backward, strict=False):
        yield one
        yield other
    yield from backward[len(forward) - ahead :]


def comes_from(action: Action, stage: int, stages: int, chunks: int) -> Message | None:
    """Return the piece whose output an action needs from another one; None for the ends of the model.

    The backward pass of the last piece needs its own forward pass, which the order of actions already holds.
    """
    step = 1 if action.backward else -1
    piece = action.chunk * stages + stage + step
    if not 0 <= piece < stages * chunks:
        return None
    return Message(piece % stages, piece // stages)


def goes_to(action: Action, stage: int, stages: int, chunks: int) -> Message | None:
    """Return the piece that needs the output of an action; None for the ends of the model."""
    return comes_from(Action(not action.backward, action.micro_batch, action.chunk), stage, stages, chunks)


def most_in_flight(schedule: Schedule, stage: int, stages: int, micro_batches: int, chunks: int) -> float:
    """Return the most micro-batches whose activations a stage holds at once; a chunk counts as 1 / chunks of one."""
    held = most = 0
    for action in schedule(stage, stages, micro_batches, chunks):
        held += -1 if action.backward else 1
        most = max(most, held)
    return most / chunks
