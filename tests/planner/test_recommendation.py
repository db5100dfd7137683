from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.foundation.errors import UnknownName
from simulator.planner.recommendation import recommend
from simulator.planner.report import rows, sentences, short
from simulator.simulation import simulate
from tests.planner.questions import scenario

ASKED = {"model": "gpt3-6.7b", "nodes": 4, "batch": 64}


def test_the_recommended_plan_is_the_best_of_those_that_were_played() -> None:
    found = recommend(scenario(**ASKED), confirm=4)
    played = [simulate(scenario(**ASKED), plan=one.plan).step_time for one in found.confirmed]
    assert found.result.step_time == min(played)
    assert [one.simulated for one in found.confirmed] == played == sorted(played)
    assert found.chosen.plan == found.confirmed[0].plan == found.result.plan


def test_without_confirmation_the_estimate_decides() -> None:
    found = recommend(scenario(**ASKED), confirm=0)
    assert found.confirmed == ()
    assert found.chosen.simulated is None
    assert found.result.fidelity == "estimate"
    assert found.result.step_time == pytest.approx(found.chosen.estimated, rel=1e-9)


def test_runner_ups_differ_in_layout_and_come_in_order() -> None:
    found = recommend(scenario(**ASKED), confirm=0, top=6)
    plans = [one.plan for one in (found.chosen, *found.runner_ups)]
    layouts = [(plan.tp, plan.cp, plan.dp, plan.pp, plan.ep) for plan in plans]
    assert len(layouts) == len(set(layouts)) == 7
    margins = [one.margin for one in found.runner_ups]
    assert margins == sorted(margins)
    assert margins[0] >= 0
    assert found.margin == margins[0]


def test_the_recommended_plan_fits_and_what_binds_is_said() -> None:
    found = recommend(scenario(model="gpt3-20b", nodes=2, batch=64), confirm=1)
    assert sum(found.chosen.memory.values()) <= found.result.memory_limit
    assert found.binding.startswith("memory of a device")


def test_a_slow_device_slows_the_played_plans() -> None:
    slow = scenario("events=[{kind: slow-device, device: 0, factor: 0.5}]", **ASKED)
    assert recommend(slow, confirm=2).result.step_time > 1.3 * recommend(scenario(**ASKED), confirm=2).result.step_time


def test_an_unknown_objective_is_named_with_its_neighbours() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'time'"):
        recommend(scenario(), objective="tyme")


def test_the_scenario_says_what_is_wanted_and_the_caller_may_override_it() -> None:
    asked = scenario("plan.objective=time", "plan.top=2", "plan.confirm=1", **ASKED)
    found = recommend(asked)
    assert (found.objective, len(found.runner_ups), len(found.confirmed)) == ("time", 2, 1)
    lean = recommend(asked, objective="memory", top=1, confirm=0)
    assert (lean.objective, len(lean.runner_ups)) == ("memory", 1)
    assert sum(lean.chosen.memory.values()) < sum(found.chosen.memory.values())


def test_the_report_names_the_decision_the_margin_and_the_counts() -> None:
    found = recommend(scenario(**ASKED), confirm=1)
    text = "\n".join(sentences(found))
    assert f"tp {found.plan.tp}, cp 1, dp {found.plan.dp}, pp {found.plan.pp}" in text
    assert f"{found.considered:,} plans were looked at" in text
    assert short(found.runner_ups[0].plan) in text
    assert [row[0] for row in rows(found)] == [1, 2, 3, 4, 5, 6]


def test_facts_are_plain_data_that_hold_the_decision_and_why_others_were_rejected() -> None:
    found = recommend(scenario(**ASKED), confirm=1)
    facts = found.facts()
    assert facts["decision"] == facts["plan"]
    assert facts["plans"]["considered"] == facts["plans"]["fitting"] + sum(
        entry["count"] for entry in facts["plans"]["rejected"].values()
    )


def test_a_workload_is_chosen_by_id() -> None:
    asked = scenario(**ASKED)
    assert recommend(asked, workload=asked.workloads[0].id, confirm=0).result.workload == asked.workloads[0].id
    with pytest.raises(UnknownName):
        recommend(replace(asked), workload="nothing")
