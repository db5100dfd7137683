"""Uneven routing in a training scenario: a step waits for the busiest group of experts, a capacity bounds it."""

from __future__ import annotations

import pytest

from simulator.foundation.errors import InputError
from simulator.foundation.shipped import shipped
from simulator.results.result import Result
from simulator.scenario import load_scenario
from simulator.simulation import simulate
from simulator.workload.models.routing import dropped, group_shares, popularity

FILE = shipped("scenarios") / "train-moe-routing.yaml"


def played(*overrides: str) -> Result:
    found = simulate(load_scenario(FILE, ["run.fidelity=estimate", *overrides]))
    assert isinstance(found, Result)
    return found


def test_the_more_uneven_the_slower_and_the_fuller() -> None:
    found = [played(f"workloads[0].routing.skew={skew}") for skew in (0, 0.2, 0.5, 1)]
    steps, kept = [one.step_time for one in found], [one.memory["activations"] for one in found]
    assert steps == sorted(steps)
    assert kept == sorted(kept)
    assert steps[0] < steps[-1]


def test_balanced_routing_is_that_of_a_scenario_without_the_key_but_for_chance() -> None:
    plain = played("workloads[0].routing=null").step_time
    assert plain <= played("workloads[0].routing.skew=0").step_time < 1.02 * plain


def test_of_one_group_nobody_is_busier_than_the_mean() -> None:
    alone = "workloads[0].parallelism={tp: 1, pp: 4, ep: 1, dp: 16, zero: 3}"
    skewed = played(alone, "workloads[0].routing.skew=1")
    assert skewed.step_time == pytest.approx(played(alone, "workloads[0].routing=null").step_time)


def test_exchanges_grow_as_the_busiest_group_does_but_for_their_latency() -> None:
    """Every rank has one of eight experts, so that the busiest has eight times the share of the most popular."""
    even, uneven = (played("workloads[0].routing=null"), played("workloads[0].routing.skew=1"))
    busiest = 8 * float(group_shares(popularity(8, 1.0), 8).max())
    assert 0.85 * busiest < uneven.parts["exchange"] / even.parts["exchange"] < 1.01 * busiest


def test_room_bounds_the_wait_and_drops_what_does_not_fit() -> None:
    free, bound = played("workloads[0].routing.skew=1"), played("workloads[0].routing={skew: 1, capacity: 1.25}")
    assert bound.step_time < free.step_time
    assert bound.metrics["dropped_visits_fraction"] == pytest.approx(dropped(experts=8, skew=1.0, capacity=1.25))
    assert "dropped_visits_fraction" not in free.metrics


def test_models_without_experts_route_nothing() -> None:
    with pytest.raises(InputError, match="no experts"):
        played("workloads[0].model=llama-2-7b", "workloads[0].parallelism={pp: 4}")
