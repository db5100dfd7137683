"""Decisions of every kind of answer are held alike: the laws of each verdict, over all kinds."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from simulator.foundation.shipped import shipped
from simulator.planner.decide import Answer, decide
from simulator.planner.golden import FLIP, GoldenFile, golden_text, load_golden
from simulator.planner.held import fate_of, held_of
from simulator.planner.serving.cheapest import fresh_draw
from simulator.planner.serving.service_mix import FleetMix
from simulator.planner.serving.service_plan import ServicePlan, decision
from simulator.planner.training_cluster import ClusterPlan
from simulator.planner.verdict import judge
from simulator.scenario import load_scenario
from tests.planner.questions import scenario as training
from tests.planner.serving.small_services import scenario as service


def _layout() -> Answer:
    return decide(training(model="gpt3-6.7b", nodes=2, batch=64), confirm=1)


def _cluster() -> Answer:
    small = ("plan.choices.nodes=[aws-p4d.24xlarge, aws-p5.48xlarge]", "plan.choices.count=[1, 2, 4]",
             "workloads[0].model=gpt2-124m", "workloads[0].seq_len=1024", "workloads[0].batch.global=64",
             "workloads[0].tokens=300e9", "slo.finish=3 d")  # fmt: skip
    return decide(load_scenario(shipped("scenarios") / "plan-train-7b-deadline.yaml", small), confirm=0)


def _service() -> Answer:
    return decide(service())


def _mix() -> Answer:
    small = ("workloads[0].traffic.seconds=20 s", "plan.choices.nodes=[aws-g6.xlarge, aws-g6e.xlarge]",
             "plan.choices.max_num_seqs=[64]", "plan.choices.max_num_batched_tokens=[2048]",
             "plan.seeds=2")  # fmt: skip
    return decide(load_scenario(shipped("scenarios") / "plan-serve-mix.yaml", small))


KINDS: dict[str, Callable[[], Answer]] = {
    "layout": cache(_layout),
    "cluster": cache(_cluster),
    "service": cache(_service),
    "mix": cache(_mix),
}


@pytest.fixture(params=KINDS)
def found(request: pytest.FixtureRequest) -> Answer:
    return KINDS[request.param]()


def _expected(found: Answer, folder: Path) -> GoldenFile:
    file = folder / "golden.yaml"
    file.write_text(golden_text(found), encoding="utf-8")
    return load_golden(file)


def _expecting(found: Answer, decision: dict[str, Any]) -> GoldenFile:
    held = held_of(found)
    return GoldenFile(scenario=held.scenario, objective=held.objective, decision=decision)


def test_an_answer_is_the_same_as_its_own_golden_file_says(found: Answer, tmp_path: Path) -> None:
    assert judge(_expected(found, tmp_path), found).word == "same"


def test_the_file_holds_the_whole_decision(found: Answer) -> None:
    assert yaml.safe_load(golden_text(found))["decision"] == held_of(found).decision


def test_each_figure_of_the_file_may_drift_and_no_further_than_told(found: Answer, tmp_path: Path) -> None:
    expected = _expected(found, tmp_path)
    assert expected.metrics
    for name, held in expected.metrics.items():
        moved = held.model_copy(update={"value": held.value * (1.0 + 2.0 * held.tolerance)})
        verdict = judge(expected.model_copy(update={"metrics": {name: moved}}), found)
        assert verdict.word == "drift"
        assert name in str(verdict)


def test_feasibility_that_changed_is_told_both_ways(found: Answer, tmp_path: Path) -> None:
    expected = _expected(found, tmp_path)
    assert judge(expected, None).word == "now-infeasible"
    assert judge(expected.model_copy(update={"decision": "infeasible"}), found).word == "now-feasible"


def test_another_cluster_that_keeps_the_limits_is_worse_by_its_own_price() -> None:
    found = KINDS["cluster"]()
    assert isinstance(found, ClusterPlan)
    slo, chosen = found.plan.scenario.slo, found.chosen
    mine = next(one for one in found.offers if (one.machine, one.nodes) == (chosen.machine, chosen.nodes))
    others = [one for one in found.offers if one.keeps(slo) and one is not mine]
    assert others
    for other in others:
        expected = _expecting(found, {"node": other.machine.node.name, "nodes": other.nodes})
        margin = other.usd / mine.usd - 1.0
        assert fate_of(found, expected.decision).margin == pytest.approx(margin)
        verdict = judge(expected, found)
        assert verdict.word == ("flip-within-margin" if margin < FLIP else "changed")
        assert f"nodes {other.nodes} -> {chosen.nodes}" in str(verdict) or other.nodes == chosen.nodes


def test_a_cluster_that_is_too_late_now_is_told_by_what_it_takes() -> None:
    found = decide(
        load_scenario(
            shipped("scenarios") / "plan-train-7b-deadline.yaml", ["plan.choices.nodes=[aws-p5.48xlarge]",
            "plan.choices.count=[2, 4]", "workloads[0].model=gpt2-124m", "workloads[0].seq_len=1024",
            "workloads[0].batch.global=64", "workloads[0].tokens=300e9", "slo.finish=48 h"],
        ), confirm=0,
    )  # fmt: skip
    assert isinstance(found, ClusterPlan)
    assert found.binding.startswith("slo.finish: ")
    verdict = judge(_expecting(found, {"nodes": 2}), found)
    assert verdict.word == "changed"
    assert "beyond the limits" in str(verdict)


def test_a_service_that_was_expected_elsewhere_is_judged_by_how_it_was_played() -> None:
    found = KINDS["service"]()
    assert isinstance(found, ServicePlan)
    failed = [one for one in found.played if not one.keeps]
    kept = [one for one in found.played if one.keeps and one.cost > found.chosen.cost]
    assert failed
    assert kept
    verdict = judge(_expecting(found, decision(failed[0])), found)
    assert verdict.word == "changed"
    assert f"keeps the limits for {fresh_draw(failed[0].attainments):.2%}" in str(verdict)
    assert fate_of(found, decision(kept[0])).margin == pytest.approx(kept[0].cost / found.chosen.cost - 1.0)


def test_a_deployment_that_was_never_played_is_no_flip() -> None:
    found = KINDS["service"]()
    verdict = judge(_expecting(found, {"max_num_seqs": 7}), found)
    assert verdict.word == "changed"
    assert "was not played" in str(verdict)


def test_a_fleet_of_one_kind_is_worse_by_what_it_costs_alone() -> None:
    found = KINDS["mix"]()
    assert isinstance(found, FleetMix)
    prices = {one.machine.node.name: one.machine.price for one in found.deployments}
    dearest = max((price, name) for name, price in found.alone() if price is not None)
    nodes = round(dearest[0] / prices[dearest[1]])
    expected = {name: {"nodes": nodes if name == dearest[1] else 0} for name in prices}
    assert fate_of(found, expected).margin == pytest.approx(dearest[0] / found.mix.price - 1.0)
    few = {name: {"nodes": 1 if name == dearest[1] else 0} for name in prices}
    verdict = judge(_expecting(found, few), found)
    assert verdict.word == "changed"
    assert "of the rates" in str(verdict)


def test_a_machine_that_left_a_fleet_is_named_with_its_nodes() -> None:
    found = KINDS["mix"]()
    now = dict(held_of(found).decision)
    verdict = judge(_expecting(found, {**now, "aws-p5.4xlarge": {"nodes": 2, "tp": 1}}), found)
    assert verdict.word == "changed"
    assert "aws-p5.4xlarge nodes 2 -> 0" in str(verdict)
    assert "aws-p5.4xlarge tp" not in str(verdict)
