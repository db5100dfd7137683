"""The same scenario under several seeds: how much of a figure is chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from simulator.results.interval import Interval, intervals_of
from simulator.scenario import Scenario

T = TypeVar("T")
Watch = Callable[[Iterable[int]], Iterable[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replications(Generic[T]):
    """The run of the scenario's own seed, and each figure over all runs."""

    first: T
    intervals: Mapping[str, Interval]

    @property
    def chance(self) -> bool:
        """Whether any figure differs between the runs; if none does, nothing of the workload was drawn."""
        return any(interval.least != interval.most for interval in self.intervals.values() if interval.runs)


def replicate(
    scenario: Scenario,
    play: Callable[[Scenario], T],
    figures: Callable[[T], Mapping[str, Any]],
    *,
    watch: Watch = iter,
) -> Replications[T]:
    """Play a scenario ``run.seeds`` times; whatever its kind, its figures that are numbers get intervals.

    The seeds are the scenario's and those that follow it; each draws everything anew, so the runs are independent.
    Traffic from a replayed trace is the same in all of them: only routing and caches then vary.

    Args:
        scenario: the question; each run sees it with its own seed, and one run of it.
        play: answers it.
        figures: the figures of an answer, by name; what is no number is left out.
        watch: may show progress.
    """
    seeds = range(scenario.run.seed, scenario.run.seed + scenario.run.seeds)
    first: T | None = None
    found: list[dict[str, float]] = []
    for seed in watch(seeds):
        answer = play(replace(scenario, run=replace(scenario.run, seed=seed, seeds=1)))
        first = first or answer
        found.append(_numbers(figures(answer)))
    assert first is not None
    return Replications(first=first, intervals=intervals_of(found))


def _numbers(figures: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: math.nan if value is None else float(value)
        for name, value in figures.items()
        if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
    }
