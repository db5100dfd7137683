"""A training run from its start to its end: steps, evaluations, checkpoints, failures, spares and repairs.

Between two failures nothing happens by chance, so that the run leaps from failure to failure; its cost grows with their
number. Times are float seconds here: runs outlast the integer clock's 106 days, and no two events share an instant.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from simulator.foundation.errors import InputError

#: longest stretch without saved state that is played, in mean times between failures: it is tried e^6 = 400 times
LONGEST: Final = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How machines fail.

    Attributes:
        mtbf: seconds between failures of any node, in the mean, while the run works.
        restart: seconds from a failure until the run goes on, with a node at hand.
        spares: nodes that stand by.
        repair: seconds until a failed node stands by again.
        domain: nodes behind one switch or in one rack, which its failure takes together; 1: every node fails alone.
        domain_share: share of the failures that are a domain's.
    """

    mtbf: float
    restart: float
    spares: int
    repair: float
    domain: int = 1
    domain_share: float = 0.0

    def together(self, rng: np.random.Generator) -> int:
        """Draw how many nodes a failure takes."""
        return self.domain if self.domain_share and rng.random() < self.domain_share else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A run without failures.

    Attributes:
        saved_at: steps after which the state is saved, ascending; the last of them ends the run.
        step_s: of one step, checkpoints apart.
        save_s: that each saving holds the run up.
        lag_s: from then until what was saved can be read again (asynchronous checkpoints).
        evaluate_every: steps between two evaluations; 0: none.
        evaluate_s: of one.
        startup_s: before the first step.
        paces: (last step, its steps' time over ``step_s``) of each stage, in order; empty: all steps are alike.
    """

    saved_at: tuple[int, ...]
    step_s: float
    save_s: float
    lag_s: float = 0.0
    evaluate_every: int = 0
    evaluate_s: float = 0.0
    startup_s: float = 0.0
    paces: tuple[tuple[int, float], ...] = ()

    def __post_init__(self) -> None:
        if not self.saved_at or self.saved_at[0] < 1 or list(self.saved_at) != sorted(set(self.saved_at)):
            raise InputError("a run has at least 1 step, and its saved steps ascend.")

    @property
    def steps(self) -> int:
        """Of the whole run."""
        return self.saved_at[-1]

    def working_s(self, steps: Any) -> Any:
        """Seconds of the first so many steps, for a number or an array of numbers."""
        if not self.paces:
            return steps * self.step_s
        ends = [0, *(end for end, _ in self.paces)]
        taken = np.cumsum([0.0, *(pace * count for (_, pace), count in zip(self.paces, np.diff(ends), strict=True))])
        return np.interp(steps, ends, taken) * self.step_s

    def evaluations(self, steps: int) -> int:
        """How many stand between the start and the end of a step."""
        return steps // self.evaluate_every if self.evaluate_every else 0

    def ledger(self) -> dict[str, float]:
        """Return the seconds by cause of the run without failures."""
        return {
            "startup": self.startup_s,
            "steps": float(self.working_s(self.steps)),
            "checkpoint": len(self.saved_at) * self.save_s,
            "evaluation": self.evaluations(self.steps) * self.evaluate_s,
        }

    def reached_s(self) -> list[float]:
        """Seconds from the first step to each saved state, and 0 before all of them."""
        saved = np.array((0, *self.saved_at), dtype=float)
        evaluated = saved // self.evaluate_every * self.evaluate_s if self.evaluate_every else 0.0
        found: list[float] = (self.working_s(saved) + evaluated + np.arange(len(saved)) * self.save_s).tolist()
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One run to its end.

    Attributes:
        ledger: seconds by cause: ``startup``, ``steps``, ``checkpoint``, ``evaluation``, ``lost`` (work that failures
            undid), ``restart``, ``spares`` (waiting for a node) and ``degraded`` (steps that take longer, with fewer
            replicas); they add up to ``time_s``.
        failures: how many stopped it.
        reached_s: seconds from the beginning to each step of ``Course.saved_at``, failures included.
    """

    time_s: float
    ledger: dict[str, float]
    failures: int
    reached_s: tuple[float, ...]


def play_run(course: Course, faults: Faults | None, rng: np.random.Generator) -> Played:
    """Play a run; the same generator gives the same one.

    Raises:
        InputError: failures come so often between saved states that the run would not end.
    """
    reached = course.reached_s()
    times, down, waited, lost, failures = [0.0] * len(reached), 0.0, 0.0, 0.0, 0
    if faults is not None:
        must_end(reached, faults)
    now, at = course.startup_s, 0
    repaired: list[float] = [-1.0] * (faults.spares if faults else 0)  # when each node beside the run is ready
    while at < len(reached) - 1:
        work = reached[-1] - reached[at]
        until = rng.exponential(faults.mtbf) if faults is not None else work
        if until >= work:
            last = len(reached) - 1
        else:
            last = max(at, bisect_right(reached, reached[at] + until - course.lag_s) - 1)
        for mark in range(at + 1, last + 1):
            times[mark] = now + reached[mark] - reached[at]
        if until >= work or faults is None:
            now += work
            break
        lost += until - (reached[last] - reached[at])
        now, at, failures = now + until, last, failures + 1
        ready = 0.0
        for _ in range(faults.together(rng)):
            heapq.heappush(repaired, now + faults.repair)
            ready = max(ready, heapq.heappop(repaired) - now)
        now, down, waited = now + faults.restart + ready, down + faults.restart, waited + ready
    ledger = course.ledger() | {"lost": lost, "restart": down, "spares": waited, "degraded": 0.0}
    return Played(time_s=now, ledger=ledger, failures=failures, reached_s=tuple(times[1:]))


def must_end(reached: list[float], faults: Faults) -> None:
    """Raise :class:`InputError` if failures come so often between saved states that a run would not end."""
    longest = float(np.diff(reached).max())
    if longest > LONGEST * faults.mtbf:
        raise InputError(
            f"{longest:.4g} s lie between two saved states, and a node fails every {faults.mtbf:.4g} s; the run would "
            "not end. Save more often, as in 'checkpoint: {every: auto, to: {write: 100 GB/s, read: 100 GB/s}}'."
        )
