"""Workers and parameter servers, update by update: synchronous, bounded staleness, or free.

Each worker computes, pushes its gradients, pulls the weights and begins again. Every worker sends to all servers alike,
so that they are folded to one queue that serves whole updates in order of arrival. A worker may begin a batch if it is
at most ``staleness`` batches ahead of the slowest (Ho et al. 2013, NeurIPS, "More effective distributed ML via a stale
synchronous parallel parameter server"): 0 is a synchronous step, infinite is asynchronous training.

Events at one instant are ordered by (time, worker).
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.engine.clock import to_seconds, to_ticks
from simulator.foundation.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Who trains.

    Attributes:
        compute: seconds of one batch, for each worker.
        service: seconds of the servers for one update (pushed and pulled).
        own: seconds of the worker's own port for it.
        latency: seconds from the last byte sent to the weights in hand, beside both.
        staleness: batches that a worker may be ahead of the slowest; None: any number.
        spread: standard deviation of one batch's time over its mean (lognormal).
    """

    compute: Sequence[float]
    service: float
    own: float
    staleness: int | None
    latency: float = 0.0
    spread: float = 0.0

    def __post_init__(self) -> None:
        if not len(self.compute) or min(self.compute) <= 0:
            raise InputError("parameter servers need at least 1 worker, and a batch takes time.")
        if min(self.service, self.own, self.latency, self.spread) < 0 or (self.staleness or 0) < 0:
            raise InputError("times, spread and staleness of parameter servers are at least 0.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRun:
    """What happened.

    Attributes:
        updates: of all workers.
        by_worker: of each.
        time_s: until the last of them.
        compute_s: mean of a batch, over all updates.
        busy: share of the time that the servers were sending and receiving.
        staleness: updates of others that a gradient does not know when it is added -> how many had that; 0 where all
            wait, since their gradients are added together.
        ahead: most batches that a worker was ahead of the slowest when it began one.
    """

    updates: int
    by_worker: tuple[int, ...]
    time_s: float
    compute_s: float
    busy: float
    staleness: dict[int, int]
    ahead: int

    @property
    def rate(self) -> float:
        """Updates/s of all workers."""
        return self.updates / self.time_s

    @property
    def round_s(self) -> float:
        """Seconds for as many updates as there are workers: what a step is when they wait for each other."""
        return len(self.by_worker) / self.rate

    @property
    def mean_staleness(self) -> float:
        """Updates that a gradient is late, in the mean."""
        return sum(late * count for late, count in self.staleness.items()) / sum(self.staleness.values())


def play(workers: Workers, updates: int, rng: np.random.Generator) -> ServerRun:
    """Play until ``updates`` updates were pulled, rounded up to whole rounds; the same generator gives the same run."""
    count = len(workers.compute)
    updates = -(-updates // count) * count
    service, own, latency = (to_ticks(seconds) for seconds in (workers.service, workers.own, workers.latency))
    means = [to_ticks(seconds) for seconds in workers.compute]
    draws = _factors(workers.spread, updates + count, rng)
    done, seen = [0] * count, [0] * count
    behind = Counter({0: count})  # batches done -> workers that have done so many
    slowest = 0
    applied = finished = computed = begun = free = now = ahead = 0
    late: Counter[int] = Counter()
    queue: list[tuple[int, int, bool]] = []  # (time, worker, whether it pulls; else it pushes)
    waiting: list[int] = []
    served: list[int] = []  # when the servers were done with each update

    def begin(worker: int, at: int) -> None:
        nonlocal begun, computed, ahead
        length = round(means[worker] * draws[begun]) if workers.spread else means[worker]
        begun, computed, ahead = begun + 1, computed + length, max(ahead, done[worker] - slowest)
        heapq.heappush(queue, (at + length, worker, False))

    for worker in range(count):
        begin(worker, 0)
    while finished < updates:
        now, worker, pulls = heapq.heappop(queue)
        if not pulls:
            late[applied - seen[worker] if workers.staleness != 0 else 0] += 1
            applied += 1
            seen[worker] = applied
            free = max(now, free) + service
            served.append(free)
            heapq.heappush(queue, (max(free, now + own) + latency, worker, True))
            continue
        finished += 1
        behind[done[worker]] -= 1
        done[worker] += 1
        behind[done[worker]] += 1
        before = slowest
        while not behind[slowest]:
            slowest += 1
        candidates = [*waiting, worker] if slowest > before else [worker]
        kept = [] if slowest > before else waiting
        for one in candidates:
            if workers.staleness is None or done[one] - slowest <= workers.staleness:
                if one != worker:
                    seen[one] = bisect_right(served, now)  # who had to wait pulls again
                begin(one, now)
            else:
                kept.append(one)
        waiting = kept
    return ServerRun(
        updates=finished, by_worker=tuple(done), time_s=to_seconds(now), compute_s=to_seconds(computed) / begun,
        busy=min(1.0, finished * service / now), staleness=dict(sorted(late.items())), ahead=ahead,
    )  # fmt: skip


def _factors(spread: float, count: int, rng: np.random.Generator) -> Sequence[float]:
    """Return lognormal factors of mean 1 and the given standard deviation."""
    if not spread:
        return ()
    sigma = float(np.sqrt(np.log1p(spread**2)))
    found: list[float] = rng.lognormal(-(sigma**2) / 2, sigma, count).tolist()
    return found
