"""One epoch played: loaders read, decode and copy batches; every step waits for the slowest of them.

A worker takes the next batch of its loader when it is free and the loader is not too far ahead. It waits for the
latencies of its requests, shares the storage with all other reads, decodes, and hands the batch over in order. A batch
is copied to the device while the step before computes. Events at one instant: transfers end first, then timers in the
order in which they were set.

Left out: reads of one loader's workers go one after another through its own share of the adapter (their sum is the
same), and workers of one loader do not steal batches from each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from simulator.engine.clock import TICKS_PER_SECOND, to_ticks
from simulator.engine.data.pipe import SharedPipe

Floats = NDArray[np.float64]
Ticks = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """What every loader has to bring, batch by batch; arrays of shape (loaders, steps).

    Args:
        read_bytes: that each batch draws from the shared storage (what a cache did not serve), at least 0.
        delay_s: of a batch's requests before its bytes flow (latency times rounds of requests).
        decode_s: of one worker on one batch.
        copy_s: from host to device.
        compute_s: of each device and step, shape (loaders, steps) or (steps,).
        workers: per loader.
        ahead: batches that each worker may be ahead of the device; 0 means that loading waits for the step's end.
    """

    read_bytes: Floats
    delay_s: Floats
    decode_s: Floats
    copy_s: Floats
    compute_s: Floats
    workers: int
    ahead: int

    @property
    def shape(self) -> tuple[int, int]:
        """Loaders and steps."""
        loaders, steps = self.read_bytes.shape
        return loaders, steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """Another transfer on the same storage, such as a checkpoint: when it starts and how many bytes it moves."""

    start_s: float
    bytes: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Played:
    """What happened.

    Attributes:
        ready: tick at which each batch lay on its device, shape (loaders, steps).
        starts, ends: ticks of each step, shape (steps,).
        background_ends: ticks at which the other transfers ended, in their order.
        moved_bytes: through the storage, background included.
        storage_busy: share of the time to the last step's end in which the storage moved something.
    """

    ready: Ticks
    starts: Ticks
    ends: Ticks
    background_ends: tuple[int, ...]
    moved_bytes: float
    storage_busy: float

    @property
    def time_s(self) -> float:
        """Of the whole epoch."""
        return float(self.ends[-1]) / TICKS_PER_SECOND

    def waits_s(self) -> Floats:
        """What all devices waited for data before each step, shape (steps,); the first holds the pipeline's filling."""
        before = np.concatenate([[0], self.ends[:-1]])
        return np.asarray((self.starts - before) / TICKS_PER_SECOND, dtype=np.float64)

    def slowest(self) -> NDArray[np.int64]:
        """The loader that each step waited for, or that came last, shape (steps,)."""
        return np.asarray(self.ready.argmax(axis=0), dtype=np.int64)


class _Epoch:
    """The state of one run; :func:`play` drives it."""

    def __init__(self, plan: Plan, pipe: SharedPipe, background: Sequence[Background]) -> None:
        self.pipe = pipe
        self.loaders, self.steps = plan.shape
        self.workers, self.ahead = plan.workers, plan.ahead
        self.read_bytes = plan.read_bytes.tolist()
        self.delay = _ticks(plan.delay_s).tolist()
        self.decode = _ticks(plan.decode_s).tolist()
        self.copy = _ticks(plan.copy_s)
        self.compute = _ticks(np.broadcast_to(plan.compute_s, plan.shape))
        self.free = [[True] * plan.workers for _ in range(self.loaders)]
        self.following = [list(range(plan.workers)) for _ in range(self.loaders)]  # each worker's next batch
        self.reading: list[deque[int]] = [deque() for _ in range(self.loaders)]  # batches whose bytes wait or flow
        self.decoded = np.full(plan.shape, -1, dtype=np.int64)
        self.missing = [self.loaders] * self.steps  # loaders that have not decoded the step's batch
        self.ready = np.zeros(plan.shape, dtype=np.int64)
        self.starts, self.ends = np.zeros(self.steps, dtype=np.int64), np.zeros(self.steps, dtype=np.int64)
        self.begun = 0  # steps whose start is known
        self.released = 0  # steps that gave their loaders room for one more batch
        self.timers: list[tuple[int, int, int, int, int]] = []  # (tick, order, kind, loader, batch)
        self.background_ends = [0] * len(background)
        self._order = 0
        for index, item in enumerate(background):
            self.at(to_ticks(item.start_s), _BACKGROUND, index, 0)
        self.background_bytes = [item.bytes for item in background]

    def at(self, tick: int, kind: int, loader: int, batch: int) -> None:
        heappush(self.timers, (tick, self._order, kind, loader, batch))
        self._order += 1

    def take(self, now: int, loader: int, worker: int) -> None:
        """Let a worker begin its next batch if it is free and the loader is not too far ahead."""
        batch = self.following[loader][worker]
        room = self.released + max(1, self.ahead * self.workers)
        if self.free[loader][worker] and batch < min(room, self.steps):
            self.free[loader][worker] = False
            self.following[loader][worker] += self.workers
            self.at(now + self.delay[loader][batch], _REQUESTED, loader, batch)

    def requested(self, now: int, loader: int, batch: int) -> None:
        """The first bytes are there: queue the batch on the loader's share of the storage."""
        if self.read_bytes[loader][batch] <= 0:
            self.at(now + self.decode[loader][batch], _DECODED, loader, batch)
            return
        queue = self.reading[loader]
        queue.append(batch)
        if len(queue) == 1:
            self.pipe.start(now, self.read_bytes[loader][batch], loader)

    def transferred(self, now: int, tag: int) -> None:
        """A transfer ended: a loader's batch goes on to its decoder, or a background transfer is done."""
        if tag >= self.loaders:
            self.background_ends[tag - self.loaders] = now
            return
        queue = self.reading[tag]
        batch = queue.popleft()
        self.at(now + self.decode[tag][batch], _DECODED, tag, batch)
        if queue:
            self.pipe.start(now, self.read_bytes[tag][queue[0]], tag)

    def finish(self, now: int, loader: int, batch: int) -> None:
        """A batch is decoded: free its worker, and begin every step whose batches are all there."""
        self.decoded[loader, batch] = now
        self.free[loader][batch % self.workers] = True
        self.missing[batch] -= 1
        while self.begun < self.steps and self.missing[self.begun] == 0:
            self.begin()
        self.take(now, loader, batch % self.workers)

    def begin(self) -> None:
        """All batches of the next step are decoded: copy them, compute, and let the loaders go on."""
        step = self.begun
        copied = self.decoded[:, step]
        if step and self.ahead:  # double buffering: the copy may run while the step before computes
            copied = np.maximum(copied, np.maximum(self.ready[:, step - 1], self.starts[step - 1]))
        self.ready[:, step] = copied + self.copy[:, step]
        before = self.ends[step - 1] if step else 0
        self.starts[step] = max(int(self.ready[:, step].max()), int(before))
        self.ends[step] = int(self.starts[step]) + int(self.compute[:, step].max())
        self.begun += 1
        self.at(int(self.starts[step] if self.ahead else self.ends[step]), _RELEASE, 0, step)

    def release(self, now: int, loader: int) -> None:
        """A step took its batches: every loader may go one further."""
        del loader  # all devices step together
        self.released += 1
        allowed = self.released + max(1, self.ahead * self.workers) - 1
        for loader in range(self.loaders):
            self.take(now, loader, allowed % self.workers)


class _Alone(_Epoch):
    """Loaders whose devices do not wait for each other: every device steps through its own batches."""

    def __init__(self, plan: Plan, pipe: SharedPipe, background: Sequence[Background]) -> None:
        super().__init__(plan, pipe, background)
        self.stepped = [0] * self.loaders  # steps of each device whose start is known
        self.let_go = [0] * self.loaders  # and that gave room for one more batch
        self.own_starts = np.zeros(plan.shape, dtype=np.int64)
        self.own_ends = np.zeros(plan.shape, dtype=np.int64)

    def take(self, now: int, loader: int, worker: int) -> None:
        self.released = self.let_go[loader]
        super().take(now, loader, worker)

    def finish(self, now: int, loader: int, batch: int) -> None:
        self.decoded[loader, batch] = now
        self.free[loader][batch % self.workers] = True
        while self.stepped[loader] < self.steps and self.decoded[loader, self.stepped[loader]] >= 0:
            self._step(loader, self.stepped[loader])
        self.take(now, loader, batch % self.workers)

    def _step(self, loader: int, step: int) -> None:
        copied = int(self.decoded[loader, step])
        before = int(self.own_ends[loader, step - 1]) if step else 0
        if step and self.ahead:
            copied = max(copied, int(self.ready[loader, step - 1]), int(self.own_starts[loader, step - 1]))
        self.ready[loader, step] = copied + int(self.copy[loader, step])
        self.own_starts[loader, step] = max(int(self.ready[loader, step]), before)
        self.own_ends[loader, step] = int(self.own_starts[loader, step]) + int(self.compute[loader, step])
        self.stepped[loader] += 1
        release = self.own_starts if self.ahead else self.own_ends
        self.at(int(release[loader, step]), _RELEASE, loader, step)

    def release(self, now: int, loader: int) -> None:
        self.let_go[loader] += 1
        self.take(now, loader, (self.let_go[loader] + max(1, self.ahead * self.workers) - 1) % self.workers)


_REQUESTED, _DECODED, _RELEASE, _BACKGROUND, _CAPACITY = range(5)


def play(
    plan: Plan,
    pipe: SharedPipe,
    *,
    background: Sequence[Background] = (),
    capacities: Sequence[tuple[float, float]] = (),
) -> Played:
    """Play the epoch to the end of its last step (and of the last background transfer).

    Args:
        plan: of all loaders; batches that read nothing skip the storage.
        pipe: the storage, fresh; its cap is what one loader can draw through its adapter.
        background: other transfers on the same storage.
        capacities: (second, bytes/s) at which the storage's capacity changes.
    """
    state = _Epoch(plan, pipe, background)
    _drive(state, pipe, capacities)
    assert state.begun == state.released == state.steps, "the epoch ended early"
    end = max(int(state.ends[-1]), 1)
    return Played(
        ready=state.ready, starts=state.starts, ends=state.ends, background_ends=tuple(state.background_ends),
        moved_bytes=pipe.moved, storage_busy=min(1.0, pipe.busy_ticks / end),
    )  # fmt: skip


def play_alone(plan: Plan, pipe: SharedPipe) -> Ticks:
    """Play devices that share the storage but do not wait for each other; return each one's end, shape (loaders,)."""
    state = _Alone(plan, pipe, ())
    _drive(state, pipe, ())
    assert min(state.stepped) == state.steps, "a device ended early"
    ends: Ticks = state.own_ends[:, -1]
    return ends


def _drive(state: _Epoch, pipe: SharedPipe, capacities: Sequence[tuple[float, float]]) -> None:
    """Take one event after the other until none is left."""
    for index, (second, _) in enumerate(capacities):
        state.at(to_ticks(second), _CAPACITY, index, 0)
    for loader in range(state.loaders):
        for worker in range(state.workers):
            state.take(0, loader, worker)
    while state.timers or pipe.open:
        ending = pipe.next_end()
        if ending is not None and (not state.timers or ending <= state.timers[0][0]):
            state.transferred(ending, pipe.end(ending))
            continue
        assert state.timers, "the storage stands still and nothing will change it"
        now, _, kind, loader, batch = heappop(state.timers)
        if kind == _REQUESTED:
            state.requested(now, loader, batch)
        elif kind == _DECODED:
            state.finish(now, loader, batch)
        elif kind == _RELEASE:
            state.release(now, loader)
        elif kind == _BACKGROUND:
            pipe.start(now, state.background_bytes[loader], state.loaders + loader)
        else:
            pipe.change(now, capacities[loader][1])


def _ticks(seconds: Floats) -> Ticks:
    """Whole ticks of an array of durations."""
    return np.rint(np.asarray(seconds) * TICKS_PER_SECOND).astype(np.int64)
