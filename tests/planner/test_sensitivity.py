from __future__ import annotations

import pytest

from simulator.planner.recommendation import recommend
from simulator.planner.sensitivity import FACTORS, sensitivity
from simulator.planner.serving.service_mix import FleetMix
from simulator.planner.serving.service_plan import ServicePlan
from tests.planner.questions import scenario
from tests.planner.test_held import KINDS


def test_every_resource_of_a_machine_is_tried_with_every_factor() -> None:
    tried = sensitivity(KINDS["layout"]())
    by_assumption = {name: [one.change for one in tried if one.assumption == name] for name in
                     {one.assumption for one in tried}}  # fmt: skip
    assert {"peak FLOP/s", "memory bandwidth", "scale-up bandwidth", "memory of a device"} <= set(by_assumption)
    assert all(changes == [f"x {factor:g}" for factor in FACTORS] for changes in by_assumption.values())


def test_a_flip_is_what_a_planner_with_that_machine_recommends() -> None:
    found = recommend(scenario(model="gpt3-6.7b", nodes=2, batch=64), confirm=0)
    half = next(one for one in sensitivity(found) if (one.assumption, one.change) == ("memory of a device", "x 0.5"))
    assert half.flips == ("no longer fits" in half.then or "better" in half.then or half.then == "nothing fits")


def test_a_runner_up_wins_where_its_price_falls_by_its_margin() -> None:
    found = KINDS["service"]()
    assert isinstance(found, ServicePlan)
    one, told = found.runner_ups[0], sensitivity(found)[0]
    assert told.assumption == f"price of {one.deployment.machine.node.name}"
    fall = float(told.change.removeprefix("lower by ").rstrip("%")) / 100.0
    assert one.cost * (1.0 - fall) == pytest.approx(found.chosen.cost, rel=2e-3)


def test_more_traffic_never_helps_a_service_and_what_was_decided_for_holds() -> None:
    told = [one for one in sensitivity(KINDS["service"]()) if one.assumption == "traffic"]
    kept = [float(one.then.partition("%")[0]) for one in told]
    assert kept[0] >= kept[-1]
    assert not told[0].flips


def test_a_mix_costs_less_where_a_machine_is_cheaper() -> None:
    found = KINDS["mix"]()
    assert isinstance(found, FleetMix)
    for one in sensitivity(found):
        if one.flips and one.assumption.startswith("price") and one.change == "x 0.8":
            price = float(one.then.rpartition(": ")[2].removesuffix(" USD/h").replace(",", ""))
            assert price <= found.mix.price + 0.005
