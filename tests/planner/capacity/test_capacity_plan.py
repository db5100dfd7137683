from __future__ import annotations

from itertools import pairwise

import pytest

from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.shipped import shipped
from simulator.foundation.units import GIGA, HOUR, KILO, TERA, YEAR
from simulator.planner.capacity.capacity_plan import CapacityPlan, recommend_capacity
from simulator.scenario import Scenario, load_scenario

FILE = shipped("scenarios") / "plan-capacity-regions.yaml"
HALL = ("{name: hall, ways: [owned], own: {purchase: 350400 USD, lifetime: 4 y, hosting: 2 USD/h}, "
        "electricity: 0.10 USD/kWh, grid: fra, pue: 1.25, egress: 0.05 USD/GB}")  # fmt: skip
CLOUD = ("{name: cloud, provider: gcp, region: us-central1, rates: {on-demand: 40 USD/h, reserved-1y: 20 USD/h}, "
         "egress: 0.1 USD/GB}")  # fmt: skip


def _asked(regions: str, demands: str, *more: str) -> Scenario:
    changes = (f"workloads[0].regions=[{regions}]", f"workloads[0].demands=[{demands}]",
               "workloads[0].periods=[12 h, 12 h]", "workloads[0].horizon=1 y")  # fmt: skip
    return load_scenario(FILE, [*changes, *more])


def _planned(regions: str, demands: str, *more: str, objective: str | None = None) -> CapacityPlan:
    scenario = _asked(regions, demands, *more)
    return recommend_capacity(scenario, scenario.workloads[0], objective=objective)


def test_an_invoice_worked_by_hand() -> None:
    demand = "{name: a, nodes: [3, 3], sends: 1 TB, data: {size: 100 TB, at: cloud}}"
    found = _planned(f"{HALL}, {CLOUD}", demand, "workloads[0].regions[0].most={owned: 9}")
    watts = found.regions[0].watts / 1.25
    depreciation, hosting = 350_400.0 / 4, 2.0 * 8760
    electricity = watts * 1.25 / KILO * 8760 * 0.10
    moved = 100 * TERA / GIGA * 0.1 + 365 * TERA / GIGA * 0.05
    assert dict(found.chosen.regions) == {"a": "hall"}
    assert found.nodes("hall", "owned") == 3
    assert found.chosen.usd == pytest.approx(3 * (depreciation + hosting + electricity) + moved)
    assert found.chosen.joules == pytest.approx(3 * watts * 1.25 * YEAR)
    french = found.scenario.catalogue.prices["grid-carbon-fra"].offer().carbon_g_per_j
    assert french is not None
    assert found.chosen.grams == pytest.approx(found.chosen.joules * french)


def test_what_is_used_half_the_day_is_rented_and_the_base_is_reserved() -> None:
    found = _planned(CLOUD.replace("reserved-1y: 20", "reserved-1y: 24"), "{name: a, nodes: [2, 7]}")
    assert (found.nodes("cloud", "reserved-1y"), found.nodes("cloud", "on-demand")) == (2, 5)
    assert found.chosen.usd == pytest.approx(8760 * (2 * 24 + 5 * 40 / 2))
    (even,) = found.even
    assert even.share == pytest.approx(24 / 40)
    flips = {(one.assumption, (one.factor or 0.0) > 1.0): one for one in found.flips}
    down = flips["price of reserved-1y", False]  # below 20 USD/h half a day is enough
    assert down.factor == pytest.approx(20 / 24, rel=0.02)
    up = flips["price of on-demand", True]
    assert up.factor == pytest.approx(48 / 40, rel=0.02)


def test_residency_latency_and_nodes_bind_and_say_what_they_cost() -> None:
    near = "latency: 50 ms, rtt: {hall: 80 ms, cloud: 20 ms}"
    demands = f"{{name: a, nodes: [4, 4], allowed: [cloud]}}, {{name: b, nodes: [2, 2], {near}}}"
    found = _planned(f"{HALL}, {CLOUD}", demands)
    assert set(found.chosen.regions.values()) == {"cloud"}
    assert {why for _, _, why in found.refused} == {"its data may not be there", "too far from its clients"}
    saved = dict(found.binding)
    free = _planned(f"{HALL}, {CLOUD}", demands.replace(", allowed: [cloud]", ""))
    assert saved["where data may be (allowed)"] == pytest.approx(found.chosen.usd - free.chosen.usd)
    assert saved["latency"] > 0.0


def test_the_front_leads_from_the_cheapest_to_the_cleanest() -> None:
    found = load_scenario(FILE, ["workloads[0].regions[3].most={owned: 30}", "workloads[0].demands[0].nodes=[16]"])
    plan = recommend_capacity(found, found.workloads[0])
    clean = recommend_capacity(found, found.workloads[0], objective="carbon")
    assert plan.front[0].usd == pytest.approx(plan.chosen.usd, rel=1e-6)
    assert plan.front[-1].grams == pytest.approx(clean.chosen.grams, rel=1e-6)
    assert all(a.usd < b.usd and a.grams > b.grams for a, b in pairwise(plan.front))


def test_a_demand_may_stand_in_several_regions_with_its_data_in_each() -> None:
    demand = "{name: a, nodes: [4, 2], sends: 1 TB, data: {size: 100 TB, at: cloud}, split: {share: 0.5}}"
    found = _planned(f"{HALL}, {CLOUD}", demand)
    assert found.decision["a"] == "hall + cloud"
    assert dict(found.chosen.parts) == {("a", "hall"): (2.0, 1.0), ("a", "cloud"): (2.0, 1.0)}
    whole = _planned(f"{HALL}, {CLOUD}", demand.replace("share: 0.5", "share: 1.0"))
    assert whole.chosen.usd < found.chosen.usd
    assert dict(found.binding)["what one region may hold (split.share)"] == pytest.approx(
        found.chosen.usd - whole.chosen.usd
    )
    assert found.others["no demand split"] is not None
    assert found.worse({"a": "hall + cloud"}) == pytest.approx(0.0)
    assert found.worse({"a": "hall"}) is None, "half of it may not stand there"
    watts = found.regions[0].watts
    hall = 2 * (350_400.0 / 4 + 2.0 * 8760) + watts / KILO * 0.10 * 8760 * 1.5
    cloud = 8760 * (1 * 20 + 40 / 2)  # one node all day, and another half of it
    moved = 100 * TERA / GIGA * 0.1 + 365 * TERA / GIGA * (0.05 + 0.1) / 2
    assert found.chosen.usd == pytest.approx(hall + cloud + moved, rel=1e-6)


def test_nowhere_to_run_and_too_few_nodes_are_answers() -> None:
    with pytest.raises(Infeasible, match=r"may run in no region.*too far"):
        _ = _planned(CLOUD, "{name: a, nodes: [1], latency: 5 ms, rtt: {cloud: 30 ms}}")
    with pytest.raises(Infeasible, match="too few nodes"):
        _ = _planned(HALL.replace("grid: fra", "grid: fra, most: {owned: 2}"), "{name: a, nodes: [1, 3]}")


@pytest.mark.parametrize(
    ("regions", "demands", "told"),
    [
        (CLOUD, "{name: a, nodes: [1, 2, 3]}", "3 numbers of nodes for 2 periods"),
        (CLOUD, "{name: a, nodes: [1], allowed: [moon]}", "region of this workload"),
        (CLOUD, "{name: a, nodes: [1], latency: 5 ms}", "write rtt"),
        (CLOUD, "{name: a, nodes: [1], split: {share: 0.4}}", "2 regions with 40% each"),
        (f"{CLOUD}, {CLOUD}", "{name: a, nodes: [1]}", "stands here twice"),
    ],
)
def test_what_makes_no_sense_is_refused(regions: str, demands: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        _ = _asked(regions, demands)


def test_a_day_is_a_day_and_what_nobody_prices_is_asked_for() -> None:
    with pytest.raises(InputError, match="parts of one day"):
        _ = load_scenario(FILE, ["workloads[0].periods=[6 h, 4 h, 8 h, 5 h]"])
    scenario = _asked("{name: hall, node: dgx-h100}", "{name: a, nodes: [1]}")
    with pytest.raises(InputError, match="no price of dgx-h100"):
        _ = recommend_capacity(scenario, scenario.workloads[0])
    bare = _asked("{name: hall, node: dgx-h100, own: {}}", "{name: a, nodes: [1]}")
    with pytest.raises(InputError, match="pue"):
        _ = recommend_capacity(bare, bare.workloads[0])
    assert 8760 * HOUR == YEAR
