from __future__ import annotations

import numpy as np
import pytest

from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.shipped import shipped
from simulator.planner.serving.pricing import service_question
from simulator.planner.serving.service_mix import FleetMix, cheapest_fleet
from simulator.scenario import load_scenario


def _fleet(*overrides: str) -> FleetMix:
    small = ("workloads[0].traffic.seconds=40 s",
             "plan.choices.nodes=[aws-g6.xlarge, aws-g6e.xlarge, aws-g7e.2xlarge]",
             "plan.choices.max_num_seqs=[64]", "plan.choices.max_num_batched_tokens=[2048]",
             "plan.seeds=2")  # fmt: skip
    asked = load_scenario(shipped("scenarios") / "plan-serve-mix.yaml", [*small, *overrides])
    return cheapest_fleet(service_question(asked, asked.workloads[0], "cost"))


@pytest.fixture(scope="module")
def found() -> FleetMix:
    return _fleet()


def test_the_fleet_keeps_the_limits_when_played(found: FleetMix) -> None:
    assert len(found.attainments) == 2
    assert min(found.attainments) >= 0.95


def test_a_mix_is_never_dearer_than_any_kind_alone_by_the_same_rates(found: FleetMix) -> None:
    prices = [price for _, price in found.alone() if price is not None]
    assert len(prices) == 3
    assert found.mix.price <= min(prices) + 1e-9


def test_what_the_kinds_serve_is_what_arrives(found: FleetMix) -> None:
    served = found.mix.rates.sum(axis=0)
    assert found.groups == ("chat", "documents")
    assert served == pytest.approx([33.0, 7.0], rel=0.25)  # of one draw of 40 s, five deviations of Poisson arrivals
    assert sum(float(str(row["usd_per_hour"])) for row in found.rows()) == pytest.approx(found.mix.price)


def test_the_same_question_has_the_same_fleet(found: FleetMix) -> None:
    again = _fleet()
    assert again.facts() == found.facts()
    assert np.array_equal(again.capacity, found.capacity)


def test_too_few_machines_are_infeasible() -> None:
    with pytest.raises(Infeasible, match="of the rates"):
        _ = _fleet("plan.choices.nodes=[aws-g6.xlarge]", "plan.choices.count=[1, 2]",
                   "workloads[0].limits={ttft: 20 s, latency: 300 s, attainment: 0.5}")  # fmt: skip


def test_traffic_without_groups_is_refused() -> None:
    closed = "{closed: {users: 2, rounds: 2, prompt: {mean: 50}, output: {mean: 10}}}"
    with pytest.raises(InputError, match=r"traffic\.groups"):
        _ = _fleet(f"workloads[0].traffic={closed}")
