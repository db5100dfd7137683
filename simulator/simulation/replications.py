"""The same service under several seeds: how much of a figure is chance."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from simulator.results.interval import Interval, intervals_of
from simulator.results.serving import ServingResult
from simulator.scenario import Scenario
from simulator.scenario.serve import ServeWorkload
from simulator.simulation.serving import simulate_serving

Watch = Callable[[Iterable[int]], Iterable[int]]


def replicate(
    scenario: Scenario, workload: ServeWorkload, *, watch: Watch = iter
) -> tuple[ServingResult, dict[str, Interval]]:
    """Return the run of the scenario's own seed, and each figure over ``run.seeds`` runs.

    The seeds are the scenario's and those that follow it; each draws its own requests, so the runs are independent.
    Traffic from a trace is the same in all of them: only routing and caches then vary. ``watch`` may show progress.
    """
    seeds = range(scenario.run.seed, scenario.run.seed + scenario.run.seeds)
    first: ServingResult | None = None
    figures: list[dict[str, float]] = []
    for seed in watch(seeds):
        result = simulate_serving(scenario, workload, seed=seed)
        first = first or result
        figures.append(result.metrics())
    assert first is not None
    return first, intervals_of(figures)
