"""A training run that goes on with fewer replicas when a machine fails, and takes it back when it is repaired.

The batch stays what it was: the replicas that are left do the others' micro-batches, so that a step takes longer. Every
change of the replicas costs a regroup. Where each replica holds all weights and all state (ZeRO 0) only the step at
work is lost; where state is spread over the replicas, everything since the last saved state. With no replica left the
run waits for a repair. Failures come as often as machines work. Left out: failures during a regroup, saving that takes
longer with fewer machines.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.engine.training.whole_run import Course, Faults, Played, must_end


@dataclass(frozen=True, slots=True, kw_only=True)
class Elastic:
    """How a run shrinks.

    Attributes:
        pace: seconds of a step over those of all replicas, with 0, 1, 2, ... nodes missing; as long as replicas are
            left.
        nodes: of the run.
        regroup: seconds that each change of the replicas holds the run up.
        keeps: whether only the step at work is lost by a failure.
    """

    pace: Sequence[float]
    nodes: int
    regroup: float
    keeps: bool


@dataclass(slots=True)
class _Clock:
    """Where a run stands: seconds on the clock, seconds of work done at full pace, and the ledger."""

    now: float
    done: float
    ledger: dict[str, float]

    def work(self, seconds: float, pace: float) -> None:
        """Do so many seconds of work, which take ``pace`` times as long."""
        self.now += seconds * pace
        self.done += seconds
        self.ledger["degraded"] += seconds * (pace - 1.0)

    def spend(self, cause: str, seconds: float) -> None:
        self.now += seconds
        self.ledger[cause] += seconds


def play_elastic(course: Course, faults: Faults, elastic: Elastic, rng: np.random.Generator) -> Played:
    """Play a run that shrinks and grows; the same generator gives the same one.

    Raises:
        InputError: failures come so often between saved states that the run would not end.
    """
    reached, whole = course.reached_s(), course.reached_s()[-1]
    if not elastic.keeps:
        must_end(reached, faults)
    clock = _Clock(course.startup_s, 0.0, dict.fromkeys(("lost", "restart", "spares", "degraded"), 0.0))
    repaired: list[float] = []  # when each failed node is ready again
    marks, failures = [0.0] * len(reached), 0
    while clock.done < whole:
        missing = max(0, len(repaired) - faults.spares)
        if missing >= len(elastic.pace):
            clock.spend("spares", max(0.0, repaired[0] - clock.now))
            heapq.heappop(repaired)
            clock.spend("restart", elastic.regroup)
            continue
        pace = elastic.pace[missing]
        fails = rng.exponential(faults.mtbf * elastic.nodes / (elastic.nodes - missing))
        returns = repaired[0] - clock.now if repaired else np.inf
        until = min(fails, max(returns, 0.0), (whole - clock.done) * pace)
        before = clock.done
        clock.work(until / pace, pace)
        for mark in range(bisect_right(reached, before), bisect_right(reached, clock.done * (1 + 1e-9))):
            marks[mark] = clock.now - (clock.done - reached[mark]) * pace
        if clock.done >= whole * (1 - 1e-12):
            break
        if until == fails:
            failures += 1
            undone = _undone(course, reached, clock.done, keeps=elastic.keeps)
            clock.done -= undone
            clock.ledger["lost"] += undone * pace
            clock.ledger["degraded"] -= undone * (pace - 1.0)
            for _ in range(faults.together(rng)):
                heapq.heappush(repaired, clock.now + faults.repair)
            clock.spend("restart", elastic.regroup)
        else:
            heapq.heappop(repaired)
            if missing:
                clock.spend("restart", elastic.regroup)
    ledger = course.ledger() | clock.ledger
    return Played(time_s=clock.now, ledger=ledger, failures=failures, reached_s=tuple(marks[1:]))


def _undone(course: Course, reached: Sequence[float], done: float, *, keeps: bool) -> float:
    """Return the seconds of work that a failure undoes."""
    saved = done - reached[bisect_right(reached, done - course.lag_s) - 1] if done >= course.lag_s else done
    return min(saved, done % course.step_s) if keeps else saved
