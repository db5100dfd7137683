from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.shipped import shipped
from simulator.planner.decide import decide
from simulator.planner.held import fate_of, held_of
from simulator.planner.pages import html_of
from simulator.planner.serving.scaling_plan import Bounds, ScalingPlan, _pairs, _Player, recommend_scaling
from simulator.scenario import Scenario, load_scenario
from tests.results.test_report import loads_nothing

FILE = shipped("scenarios") / "plan-serve-autoscale.yaml"
GROUP = "workloads[0].traffic.groups[0]"


def _asked(*overrides: str) -> Scenario:
    short = ("workloads[0].traffic.seconds=120 s", f"{GROUP}.options={{amplitude: 0.9, period_s: 120, peak_s: 60}}",
             f"{GROUP}.rate=5 /s", "cluster.nodes[0].count=3", "workloads[0].scale.look_every=5 s",
             "workloads[0].scale.start_up={schedule: 1 s, image: 2 s, weights: 2 s, warm_up: 1 s}",
             "workloads[0].scale.options={stabilisation_s: 10}")  # fmt: skip
    return load_scenario(FILE, [*short, *overrides])


def _every(asked: Scenario) -> list[Bounds]:
    player = _Player.of(asked, asked.workloads[0], "cost")
    return [player.play(least, most) for least, most in _pairs(player, asked.workloads[0])]


@pytest.fixture(scope="module")
def found() -> ScalingPlan:
    one = decide(_asked())
    assert isinstance(one, ScalingPlan)
    return one


def _random(seed: int) -> Scenario:
    """Return one of many services with a short day, by its number: rate, lengths, limits, start-up, seeds."""
    draw = np.random.default_rng(seed)
    return _asked(
        f"run.seed={seed}", f"{GROUP}.rate={draw.uniform(2, 9):.2f} /s", f"plan.seeds={draw.integers(1, 3)}",
        "workloads[0].traffic.seconds=40 s", f"{GROUP}.options={{amplitude: 0.9, period_s: 40, peak_s: 20}}",
        f"{GROUP}.output={{mean: {draw.integers(20, 250)}, cv: 0.8, maximum: 800}}",
        f"workloads[0].scale.look_every={draw.integers(1, 6)} s",
        f"workloads[0].scale.start_up={{schedule: 1 s, image: {draw.integers(0, 4)} s, weights: 1 s, warm_up: 0 s}}",
        f"workloads[0].limits={{ttft: {draw.integers(100, 2000)} ms, attainment: {draw.choice([0.8, 0.9, 0.95])}}}",
    )  # fmt: skip


def _as_brute_force(seeds: range) -> tuple[int, int]:
    """Hold each answer against all pairs played; return how many there were, and how many of them scale."""
    answered = scaled = 0
    for seed in seeds:
        asked = _random(seed)
        every = _every(asked)
        kept = [one.value for one in every if one.keeps]
        try:
            plan = recommend_scaling(asked, asked.workloads[0])
        except Infeasible:
            assert not kept, seed
            continue
        answered += 1
        scaled += not plan.chosen.fixed
        assert plan.chosen.value == pytest.approx(min(kept)), seed
        assert len(plan.played) + plan.excluded == len(every), seed
    return answered, scaled


def test_no_pair_of_bounds_costs_less_and_the_bound_loses_none() -> None:
    answered, scaled = _as_brute_force(range(12))
    assert answered >= 6
    assert scaled >= 1, "fleets that never scale are not what is asked for"


@pytest.mark.slow
def test_no_pair_of_bounds_costs_less_in_200_services() -> None:
    answered, scaled = _as_brute_force(range(12, 212))
    assert answered >= 100
    assert scaled >= 20


def test_more_replicas_that_are_kept_always_cost_at_least_their_time(found: ScalingPlan) -> None:
    player = _Player.of(found.scenario, found.workload, "cost")
    for one in found.played:
        if one.keeps:
            assert one.value >= player.at_least(one.minimum)
            assert one.value >= found.chosen.value
    assert all(a.value < b.value for a, b in pairwise(found.front))


def test_bounds_are_held_fast_and_a_page(found: ScalingPlan) -> None:
    held = held_of(found)
    assert held.decision["maximum"] >= held.decision["minimum"]
    assert fate_of(found, dict(held.decision)).margin == pytest.approx(0.0)
    assert fate_of(found, {"policy": "kpa"}).margin is None
    html = html_of(found)
    loads_nothing(html)
    assert "Let hpa keep between" in html


def test_questions_without_an_answer_are_told() -> None:
    with pytest.raises(InputError, match="bounds are chosen by"):
        _ = decide(_asked(), objective="time")
    with pytest.raises(InputError, match="no limits to keep"):
        _ = decide(_asked("workloads[0].limits={attainment: 0.9}"))
    with pytest.raises(Infeasible, match="no bounds of the autoscaler"):
        _ = decide(_asked(f"{GROUP}.rate=200 /s", "workloads[0].traffic.seconds=20 s", "plan.seeds=1"))
