from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from unittest.mock import patch

import numpy as np
import pytest

from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.shipped import shipped
from simulator.foundation.units import DAY, HOUR
from simulator.planner.recommendation import recommend
from simulator.planner.training_cluster import front_of, recommend_cluster
from simulator.scenario import Scenario, load_scenario
from tests.planner.small_clusters import deadline, every_answer, random_run

PRICES = {"aws-p4d.24xlarge": 21.9576, "aws-p4de.24xlarge": 27.4471, "aws-p5.48xlarge": 55.04}


def _asked(*overrides: str) -> Scenario:
    small = ("plan.choices.nodes=[aws-p4d.24xlarge, aws-p5.48xlarge]", "plan.choices.count=[1, 2, 4]",
             "workloads[0].model=gpt2-124m", "workloads[0].seq_len=1024", "workloads[0].batch.global=64",
             "workloads[0].tokens=300e9", "slo.finish=3 d")  # fmt: skip
    return load_scenario(shipped("scenarios") / "plan-train-7b-deadline.yaml", [*small, *overrides])


def _by_hand(node: str, count: int, *overrides: str) -> tuple[float, float]:
    """Return days and USD on one cluster, as a scenario that leaves no machine open says them."""
    alone = _asked(f"cluster.nodes=[{{profile: {node}, count: {count}}}]", *overrides)
    choices = {name: values for name, values in alone.plan.choices.items() if name not in ("nodes", "count")}
    result = recommend(replace(alone, plan=replace(alone.plan, choices=choices)), objective="time", confirm=0).result
    seconds = result.metrics["time_to_train_s"]
    return seconds, seconds / HOUR * count * PRICES[node]


def test_every_cluster_takes_what_it_takes_when_it_is_the_only_one() -> None:
    found = recommend_cluster(_asked(), confirm=0)
    assert len(found.offers) == 6
    for one in found.offers:
        seconds, usd = _by_hand(one.machine.node.name, one.nodes)
        assert one.seconds == pytest.approx(seconds, rel=1e-9)
        assert one.usd == pytest.approx(usd, rel=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_the_choice_is_that_of_brute_force(seed: int) -> None:
    draw = np.random.default_rng(seed)
    nodes = draw.choice(list(PRICES), size=2, replace=False).tolist()
    counts = sorted(draw.choice([1, 2, 4, 8], size=2, replace=False).tolist())
    model, batch = draw.choice(["gpt2-124m", "gpt3-1.3b"]), int(draw.choice([64, 128]))
    changes = (f"plan.choices.nodes=[{', '.join(nodes)}]", f"plan.choices.count={counts}",
               f"workloads[0].model={model}", f"workloads[0].batch.global={batch}")  # fmt: skip
    every = {(node, count): _by_hand(node, count, *changes) for node in nodes for count in counts}
    deadline = float(np.median([seconds for seconds, _ in every.values()]))
    in_time = {key: usd for key, (seconds, usd) in every.items() if seconds <= deadline}
    found = recommend_cluster(_asked(*changes, f"slo.finish={deadline * (1 + 1e-9) / DAY!r} d"), confirm=0)
    assert (found.chosen.machine.node.name, found.chosen.nodes) == min(in_time, key=lambda key: in_time[key])


@pytest.mark.parametrize("first", range(0, 200, 25))
def test_the_choice_is_that_of_brute_force_with_every_layout_played(first: int) -> None:
    """200 random runs on two kinds and two numbers of machines: every layout that fits is played on every cluster."""
    answered = 0
    for number in range(first, first + 25):
        asked = random_run(number)
        by_cost = asked.plan.objective == "cost"
        kept = [usd if by_cost else seconds for _, _, seconds, usd in every_answer(asked) if seconds <= deadline(asked)]
        try:
            with patch("simulator.simulation.answer.gains_of", return_value={}):  # they decide nothing, and take long
                chosen = recommend_cluster(asked, confirm=1000).chosen
        except Infeasible:
            assert not kept, number
            continue
        answered += 1
        assert (chosen.usd if by_cost else chosen.seconds) == pytest.approx(min(kept), rel=1e-9), number
    assert answered >= 8, "many must have an answer, or nothing is shown"


def test_no_cluster_of_the_front_is_beaten_and_every_other_is() -> None:
    found = recommend_cluster(_asked(), confirm=0)
    assert all(a.seconds < b.seconds and a.usd > b.usd for a, b in pairwise(found.front))
    for one in found.offers:
        beaten = any(other.seconds <= one.seconds and other.usd <= one.usd for other in found.offers if other != one)
        assert beaten != (one in found.front)
    assert front_of(list(reversed(found.offers))) == found.front


def test_a_longer_deadline_never_costs_more_and_a_larger_budget_is_never_slower() -> None:
    found = recommend_cluster(_asked(), confirm=0)
    slow, fast = found.front[-1], found.front[0]
    later = recommend_cluster(_asked("slo.finish=300 d"), confirm=0)
    assert later.chosen.usd == pytest.approx(slow.usd)
    assert later.chosen.usd <= found.chosen.usd
    rich = recommend_cluster(_asked("slo={cost: 1000000 USD}"), objective="time", confirm=0)
    assert rich.chosen.seconds == pytest.approx(fast.seconds)
    poor = recommend_cluster(_asked(f"slo={{cost: {slow.usd + 0.01} USD}}"), objective="time", confirm=0)
    assert poor.chosen.usd <= slow.usd + 0.01


def test_a_deadline_that_nothing_keeps_names_the_least_that_does() -> None:
    with pytest.raises(Infeasible, match="none of 6 clusters trains within the limits") as caught:
        _ = recommend_cluster(_asked("slo.finish=1 min"), confirm=0)
    assert caught.value.binding == "time"
    fastest = caught.value.account["fastest_s"]
    assert recommend_cluster(_asked(f"slo.finish={fastest + 1.0} s"), confirm=0).chosen.seconds <= fastest + 1.0


def test_the_played_plan_keeps_the_deadline_too() -> None:
    found = recommend_cluster(_asked(), confirm=2)
    assert found.plan.result.metrics["time_to_train_s"] == found.chosen.seconds <= 3 * DAY


@pytest.mark.parametrize(
    ("override", "told"),
    [("plan.objective=memory", "chosen by cost, time, energy, carbon"), ("workloads[0].tokens=null", "write tokens")],
)
def test_questions_that_cannot_be_asked_say_what_to_mend(override: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        _ = recommend_cluster(_asked(override))


def test_energy_and_carbon_are_power_over_the_run_and_choose_other_clusters_than_money_does() -> None:
    found = recommend_cluster(_asked("slo.finish=300 d"), objective="carbon", confirm=0)
    for one in found.offers:
        machine = one.machine
        watts = machine.node.power_w or machine.device.tdp_w * machine.node.device_count
        assert one.joules == pytest.approx(one.seconds * one.nodes * watts)
        assert one.grams == pytest.approx(one.joules / 3.6e6 * 369.0 * 1.135)  # us-east-1, AWS
    assert found.chosen.grams == pytest.approx(min(one.grams for one in found.offers))
    assert (
        recommend_cluster(_asked("slo.finish=300 d"), objective="energy", confirm=0).chosen.nodes == found.chosen.nodes
    )
    assert any((one.machine, one.nodes) == (found.chosen.machine, found.chosen.nodes) for one in found.unbeaten)
    assert set(found.front) <= set(found.unbeaten)


def test_a_grid_of_ones_own_scales_all_emissions_alike() -> None:
    ours = recommend_cluster(_asked(), objective="time", confirm=0)
    clean = recommend_cluster(_asked("prices.carbon=36.9 g/kWh"), objective="time", confirm=0)
    for one, other in zip(ours.offers, clean.offers, strict=True):
        assert other.grams == pytest.approx(one.grams / 10.0)
