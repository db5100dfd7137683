from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.shipped import shipped
from simulator.planner.decide import decide
from simulator.planner.held import fate_of, held_of
from simulator.planner.pages import html_of
from simulator.planner.sensitivity import sensitivity
from simulator.planner.serving.service_pool import ServicePool, recommend_pool
from simulator.scenario import load_scenario
from tests.results.test_report import loads_nothing

FILE = shipped("scenarios") / "plan-serve-pool.yaml"
SMALL = ("plan.choices.max_num_seqs=[64]", "plan.seeds=2", *(f"workloads[{k}].traffic.seconds=20 s" for k in range(3)))


def _pool(*overrides: str) -> ServicePool:
    found = decide(load_scenario(FILE, [*SMALL, *overrides]))
    assert isinstance(found, ServicePool)
    return found


@pytest.fixture(scope="module")
def found() -> ServicePool:
    return _pool()


def test_every_service_has_its_rate_and_keeps_its_limits_when_played(found: ServicePool) -> None:
    for name, rate in found.rates.items():
        assert sum(row["per_s"] for row in found.rows() if row["service"] == name) >= rate
    assert all(len(shares) == 2 and min(shares) >= 0.95 for shares in found.attainments.values())
    for name, count in found.pool.nodes.items():
        taken = sum(row["tp"] * row["replicas"] for row in found.rows() if row["node"] == name)
        machine = next(one for one in found.options[0].question.machines if one.node.name == name)
        assert taken <= count * machine.node.device_count


def test_fewer_kinds_and_more_traffic_never_cost_less(found: ServicePool) -> None:
    for kind in found.pool.nodes:
        other = found.again([name for name in found.pool.nodes if name != kind])
        assert other is None or other.price >= found.pool.price - 1e-6
    more = replace(found, rates={name: 1.5 * rate for name, rate in found.rates.items()}).again()
    assert more is None or more.price >= found.pool.price


def test_sharing_devices_never_costs_more_and_says_that_it_is_not_played() -> None:
    rare = tuple(f"workloads[{k}].traffic.groups[0].rate=0.3 /s" for k in range(3))
    long = tuple(f"workloads[{k}].traffic.seconds=100 s" for k in range(3))
    alone, together = _pool(*rare, *long), _pool(*rare, *long, "plan.share=true")
    assert together.pool.price < alone.pool.price
    assert together.pool.shared
    assert not together.attainments
    for slot in together.pool.shared:
        assert sum(slot.shares.values()) <= 1.0 + 1e-6


def test_a_pool_is_held_fast_asked_again_and_a_page(found: ServicePool) -> None:
    held = held_of(found)
    assert held.decision["chat"]
    fate = fate_of(found, {name: value for name, value in held.decision.items() if not isinstance(value, dict)})
    assert fate.margin == pytest.approx(0.0)
    assert fate_of(found, {"aws-g6.xlarge": 3}).margin is None or found.again(["aws-g6.xlarge"]) is not None
    assert any(one.flips for one in sensitivity(found))
    html = html_of(found)
    loads_nothing(html)
    assert html_of(found) == html


def test_what_cannot_be_asked_or_served_is_told() -> None:
    with pytest.raises(Infeasible, match="do not serve all"):
        _ = _pool("cluster.nodes=[{profile: aws-g6e.xlarge, count: 2}]")
    scenario = load_scenario(FILE, [*SMALL, "workloads[0].limits={tpot: 1 us}"])
    with pytest.raises(Infeasible, match="chat can stand on no kind"):
        _ = recommend_pool(scenario)
    with pytest.raises(InputError, match="are planned for"):
        _ = recommend_pool(load_scenario(FILE, SMALL), objective="time")
