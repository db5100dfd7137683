"""Pipeline schedules: in which order a stage works through the passes of its micro-batches.

A schedule is a registered function that yields the actions of one stage. Stages hold ``chunks`` pieces of the model
each (virtual stages); chunk c of stage s is piece ``c * stages + s``, so that an activation goes from stage to stage
and from the last stage back to the first with the next chunk. DualPipe keeps a second copy of the model that runs the
other way: there stage s holds piece ``stages - 1 - s`` too.

A backward pass has two halves: the gradient of the inputs, for which the stage before waits, and that of the weights,
for which nobody does. Zero-bubble schedules do the second half where a stage would stand idle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal, NamedTuple

from simulator.foundation.registry import Registry
from simulator.mapping.plan import Plan

#: what a pass computes: all of it, or of a backward pass the gradient of its inputs or that of its weights alone
Half = Literal["whole", "inputs", "weights"]


class Action(NamedTuple):
    """One pass of one micro-batch through one chunk of a stage (all counted from 0).

    Attributes:
        half: of a backward pass.
        opposite: whether the micro-batch goes from the last stage to the first, through the second copy of the model.
        joined: whether this pass and the next action run beside each other, each hiding what the other sends.
    """

    backward: bool
    micro_batch: int
    chunk: int
    half: Half = "whole"
    opposite: bool = False
    joined: bool = False

    @property
    def letter(self) -> str:
        """F, B, I or W: forward, whole backward, gradient of the inputs, gradient of the weights."""
        return {"whole": "B", "inputs": "I", "weights": "W"}[self.half] if self.backward else "F"

    @property
    def output(self) -> tuple[bool, int, int]:
        """What it hands to another stage: direction, micro-batch and chunk, whichever half makes it."""
        return self.backward, self.micro_batch, self.chunk


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
    yield from (action._replace(backward=True) for action in reversed(forward))


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


@schedules.register("zb-h1")
def zero_bubble(stage: int, stages: int, micro_batches: int, chunks: int) -> Iterator[Action]:
    """Yield 1F1B with weight gradients held back: stage s makes them ``s`` micro-batches late.

    Every stage then holds as many micro-batches as the first one of 1F1B, and what is held back fills the time in which
    the pipeline drains. Source: ZB-H1 of Qi et al. 2024, arXiv 2401.10241, section 2.3.

    >>> [action.letter + str(action.micro_batch) for action in zero_bubble(1, 2, 3, 1)]
    ['F0', 'I0', 'F1', 'I1', 'W0', 'F2', 'I2', 'W1', 'W2']
    """
    assert chunks == 1, "zb-h1 has no virtual stages"
    made = 0
    for action in one_forward_one_backward(stage, stages, micro_batches, chunks):
        if not action.backward:
            yield action
            continue
        yield action._replace(half="inputs")
        if action.micro_batch >= stage:
            yield Action(True, made, 0, half="weights")
            made += 1
    yield from (Action(True, number, 0, half="weights") for number in range(made, micro_batches))


@schedules.register("dualpipe")
def dualpipe(stage: int, stages: int, micro_batches: int, chunks: int) -> Iterator[Action]:
    """Yield the passes of two pipelines that run against each other through the same stages.

    The first half of the micro-batches enters at stage 0, the other at the last stage, which needs two copies of the
    model. In the middle of a step a forward pass of one and a backward pass of the other run beside each other. Source:
    DeepSeek-V3 report, arXiv 2412.19437, section 3.2.1; the order is that of its published code (MIT licence,
    github.com/deepseek-ai/DualPipe, eight phases). Needs an even number of stages and at least two micro-batches,
    an even number, for each.
    """
    assert dualpipe_fits(stages, micro_batches, chunks), "not a shape for dualpipe"
    half, depth = stages // 2, min(stage, stages - 1 - stage)
    outside = half - depth - 1  # stages between this one and the middle
    both = _BothWays(stage >= half, micro_batches // 2)
    for _ in range(2 * outside):
        yield both.forward(0)
    for _ in range(depth + 1):
        yield both.forward(0)
        yield both.forward(1)
    for _ in range(outside):
        yield both.backward(1, split=True)
        yield both.weights()
        yield both.forward(1)
    for turn in range(micro_batches // 2 - stages + depth + 1):
        yield both.forward(0, joined=turn > 0 or outside > 0)
        yield both.backward(1)
        yield both.forward(1, joined=True)
        yield both.backward(0)
    for _ in range(outside):
        yield both.backward(1)
        yield both.forward(1, joined=True)
        yield both.backward(0)
    for turn in range(depth + 1):  # weight gradients of the later half of these are held back
        yield both.backward(1, split=2 * turn > depth)
        yield both.backward(0, split=2 * turn >= depth)
    for _ in range(outside):
        yield both.weights()
        yield both.backward(0, split=True)
    for _ in range(depth + 1):
        yield both.weights()


class _BothWays:
    """Counts the passes of two pipelines; way 0 is the one that enters at the nearer end."""

    def __init__(self, far: bool, each: int) -> None:
        self._far, self._each = far, each
        self._done = {True: [0, 0], False: [0, 0]}
        self._held: deque[Action] = deque()

    def _next(self, backward: bool, way: int) -> Action:
        opposite = bool(way) != self._far
        number = self._done[backward][opposite] + self._each * opposite
        self._done[backward][opposite] += 1
        return Action(backward, number, 0, opposite=opposite)

    def forward(self, way: int, *, joined: bool = False) -> Action:
        return self._next(False, way)._replace(joined=joined)

    def backward(self, way: int, *, split: bool = False) -> Action:
        action = self._next(True, way)
        if not split:
            return action
        self._held.append(action._replace(half="weights"))
        return action._replace(half="inputs")

    def weights(self) -> Action:
        return self._held.popleft()


def dualpipe_fits(stages: int, micro_batches: int, chunks: int) -> bool:
    """Return whether DualPipe is defined: stages and micro-batches even, two micro-batches a stage, no chunks."""
    return chunks == 1 and stages % 2 == 0 and micro_batches % 2 == 0 and micro_batches >= 2 * stages


def turns(actions: Iterable[Action]) -> Iterator[tuple[Action, ...]]:
    """Yield actions one by one, those that run beside each other together."""
    together: tuple[Action, ...] = ()
    for action in actions:
        together = (*together, action)
        if not action.joined:
            yield together
            together = ()
    assert not together, "nothing follows a joined action"


def comes_from(action: Action, stage: int, stages: int, chunks: int) -> Message | None:
    """Return the piece whose output an action needs from another one; None for the ends of the model.

    The backward pass of the last piece needs its own forward pass, and weight gradients the pass that made those of the
    inputs: the order of actions already holds both.
    """
    if action.half == "weights":
        return None
    step = 1 if action.backward else -1
    seat = stages - 1 - stage if action.opposite else stage
    piece = action.chunk * stages + seat + step
    if not 0 <= piece < stages * chunks:
        return None
    seat = piece % stages
    return Message(stages - 1 - seat if action.opposite else seat, piece // stages)


def goes_to(action: Action, stage: int, stages: int, chunks: int) -> Message | None:
    """Return the piece that needs the output of an action; None for the ends of the model."""
    return comes_from(action._replace(backward=not action.backward), stage, stages, chunks)


def most_in_flight(schedule: Schedule, stage: int, stages: int, micro_batches: int, chunks: int) -> float:
    """Return the most micro-batches whose activations a stage holds at once; a chunk counts as 1 / chunks of one.

    A micro-batch is held until its weight gradients are made.
    """
    held = most = 0
    for action in schedule(stage, stages, micro_batches, chunks):
        held += 1 if not action.backward else -(action.half != "inputs")
        most = max(most, held)
    return most / chunks
