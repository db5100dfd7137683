"""What to own and rent held against trying everything, and against the load curve of one region."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest

from simulator.costs.tenure import break_even
from simulator.planner.capacity.programme import Demand, Region, Split, cheapest_capacity
from simulator.scenario.capacity import Way

HOURS = 3600.0


def _problem(seed: int, *, split: bool = False) -> tuple[list[Demand], list[Region], list[float]]:
    """Return one of many small problems; with ``split`` demands may stand in several regions."""
    draw = np.random.default_rng(seed)
    names = ["north", "south", "west"][: int(draw.integers(2 if split else 1, 4))]
    periods = int(draw.integers(1, 4))
    regions = []
    for name in names:
        committed: dict[Way, float] = {"owned": float(draw.uniform(3, 12))} if draw.random() < 0.6 else {}
        if draw.random() < 0.5:
            committed["reserved-1y"] = float(draw.uniform(4, 14))
        hourly: dict[Way, float] = {"on-demand": float(draw.uniform(1, 5)) / HOURS} if draw.random() < 0.9 else {}
        if draw.random() < 0.5:
            hourly["spot"] = float(draw.uniform(0.5, 3)) / HOURS
        if not committed and not hourly:
            hourly = {"on-demand": 4.0 / HOURS}
        most: dict[Way, float] = {"on-demand": float(draw.integers(1, 5))} if draw.random() < 0.3 else {}
        running = float(draw.uniform(0, 0.5)) / HOURS
        regions.append(Region(name=name, committed=committed, hourly=hourly, running=running, most=most,
                              again=float(draw.choice([1.0, 1.25])), watts=float(draw.uniform(1, 2)),
                              grams=float(draw.uniform(0, 1))))  # fmt: skip
    demands = []
    for name in ["a", "b"][: int(draw.integers(1, 3))]:
        allowed = [region for region in names if draw.random() < 0.8] or names[:1]
        demands.append(Demand(name=name, nodes=tuple(draw.integers(0, 4, periods).astype(float).tolist()),
                              interruptible=float(draw.choice([0.0, 0.5, 1.0])),
                              moved={region: float(draw.uniform(0, 4)) for region in allowed},
                              sent={region: float(draw.uniform(0, 4)) for region in allowed if draw.random() < 0.7},
                              split=_split(draw) if split and draw.random() < 0.7 else None))  # fmt: skip
    return demands, regions, (draw.integers(1, 4, periods) * HOURS).tolist()


def _split(draw: np.random.Generator) -> Split:
    return Split(regions=int(draw.integers(2, 4)), share=float(draw.choice([0.4, 0.5, 0.7, 1.0])))


def _cheapest_in(region: Region, nodes: list[float], soft: list[float], seconds: list[float]) -> float:
    """Return the least USD in one region for so many nodes per period, by trying every number that is committed to."""
    most = int(max(nodes, default=0.0))
    best = float("inf")
    for counts in product(*(range(most + 1) for _ in region.committed)):
        fixed = dict(zip(region.committed, counts, strict=True))
        usd = sum(region.committed[way] * count for way, count in fixed.items())
        for work, part, time in zip(nodes, soft, seconds, strict=True):
            usd += _hour_by_hour(region, work, part, fixed) * time
        best = min(best, usd)
    return best


def _hour_by_hour(region: Region, work: float, soft: float, fixed: dict[Way, int]) -> float:
    """Return the least USD/s of a period, by trying every number of nodes by the hour."""
    kept = sum(count for way, count in fixed.items() if way != "owned")
    best, most = float("inf"), region.most or {}
    spots = range(int(soft * region.again) + 1) if "spot" in region.hourly else range(1)
    rents = range(int(min(work, most.get("on-demand", work))) + 1) if "on-demand" in region.hourly else range(1)
    for spot, rented in product(spots, rents):
        left = max(0.0, work - kept - rented - spot / region.again)
        if left <= fixed.get("owned", 0) + 1e-9:
            usd = spot * region.hourly.get("spot", 0.0) + rented * region.hourly.get("on-demand", 0.0)
            best = min(best, usd + left * region.running)
    return best


Parts = dict[str, tuple[float, ...]]


def _ways_to_stand(demand: Demand) -> Iterator[Parts]:
    """Yield every way in which a demand may stand: its nodes in each period by region."""
    if demand.split is None:
        yield from ({region: demand.nodes} for region in demand.moved)
        return
    places = list(demand.moved)
    each = [[counts for counts in product(range(demand.most(period) + 1), repeat=len(places)) if sum(counts) == nodes]
            for period, nodes in enumerate(demand.nodes)]  # fmt: skip
    for days in product(*each):
        parts = {place: tuple(float(counts[number]) for counts in days) for number, place in enumerate(places)}
        stands = {place: nodes for place, nodes in parts.items() if any(nodes)}
        if len(stands) <= demand.split.regions:
            yield stands or {min(demand.moved, key=lambda name: demand.moved[name]): demand.nodes}


def _placed_usd(demand: Demand, parts: Parts, seconds: list[float]) -> float:
    """Return what is paid for moving data to where a demand stands and for what it sends from there."""
    work = float(np.dot(demand.nodes, seconds))
    sent = sum(demand.sent.get(place, 0.0) * float(np.dot(nodes, seconds)) / work
               for place, nodes in parts.items() if work)  # fmt: skip
    return sent + sum(demand.moved[place] for place in parts)


def _brute_force(demands: list[Demand], regions: list[Region], seconds: list[float]) -> float:
    @cache
    def cheapest(number: int, nodes: tuple[float, ...], soft: tuple[float, ...]) -> float:
        return _cheapest_in(regions[number], list(nodes), list(soft), seconds)

    best, nothing = float("inf"), (0.0,) * len(seconds)
    for stands in product(*(list(_ways_to_stand(one)) for one in demands)):
        usd = sum(_placed_usd(one, parts, seconds) for one, parts in zip(demands, stands, strict=True))
        for number, region in enumerate(regions):
            mine = [(one, parts.get(region.name, nothing)) for one, parts in zip(demands, stands, strict=True)]
            nodes = tuple(sum(part[t] for _, part in mine) for t in range(len(seconds)))
            soft = tuple(sum(part[t] * one.interruptible for one, part in mine) for t in range(len(seconds)))
            usd += cheapest(number, nodes, soft)
        best = min(best, usd)
    return best


@pytest.mark.parametrize("start", range(0, 240, 60))
def test_nothing_is_cheaper_by_trying_every_region_and_every_number_of_nodes(start: int) -> None:
    answered = 0
    for seed in range(start, start + 60):
        demands, regions, seconds = _problem(seed)
        best = _brute_force(demands, regions, seconds)
        found = cheapest_capacity(demands, regions, seconds)
        assert (found is None) == (best == float("inf")), seed
        if found is not None:
            answered += 1
            assert found.usd == pytest.approx(best, rel=1e-5), seed
    assert answered >= 40


@pytest.mark.parametrize("start", range(0, 240, 60))
def test_nothing_is_cheaper_by_trying_every_way_to_split_demands_over_regions(start: int) -> None:
    answered = stand_in_several = 0
    for seed in range(start, start + 60):
        demands, regions, seconds = _problem(seed, split=True)
        best = _brute_force(demands, regions, seconds)
        found = cheapest_capacity(demands, regions, seconds)
        assert (found is None) == (best == float("inf")), seed
        if found is None:
            continue
        answered += 1
        assert found.usd == pytest.approx(best, rel=1e-5), seed
        for one in demands:
            parts = [nodes for (name, _), nodes in found.parts.items() if name == one.name]
            stand_in_several += len(parts) > 1
            assert np.max(np.abs(np.sum(parts, axis=0) - one.nodes)) == 0.0, seed
            assert one.split is None or len(parts) <= one.split.regions, seed
    assert answered >= 40
    assert stand_in_several >= 10


def test_a_demand_that_two_regions_have_half_the_nodes_for_is_split_where_it_may_be() -> None:
    few: dict[Way, float] = {"on-demand": 2.0}
    regions = [Region(name=name, committed={}, hourly={"on-demand": 1.0 / HOURS}, most=few) for name in ("a", "b")]
    whole = Demand(name="x", nodes=(4.0, 1.0), interruptible=0.0, moved={"a": 5.0, "b": 7.0}, sent={"a": 8.0, "b": 8.0})
    assert cheapest_capacity([whole], regions, [HOURS, HOURS]) is None
    split = replace(whole, split=Split(regions=2))
    found = cheapest_capacity([split], regions, [HOURS, HOURS])
    assert found is not None
    assert found.usd == pytest.approx(5.0 + 7.0 + 8.0 + 4.0 + 1.0)
    assert found.parts["x", "a"][0] == found.parts["x", "b"][0] == 2.0
    assert dict(found.regions) == {"x": "a + b"}


def _one_region(**more: Any) -> Region:
    return Region(name="here", committed={"owned": 24.0}, hourly={"on-demand": 2.0 / HOURS}, **more)


def test_nodes_are_owned_exactly_where_the_load_curve_is_above_break_even() -> None:
    draw = np.random.default_rng(3)
    for _ in range(40):
        load = draw.integers(0, 12, 24).astype(float)
        running = float(draw.uniform(0.0, 0.8))
        region = _one_region(running=running / HOURS)
        demand = Demand(name="a", nodes=tuple(load.tolist()), interruptible=0.0, moved={"here": 0.0})
        found = cheapest_capacity([demand], [region], [HOURS] * 24)
        assert found is not None
        even = float(break_even(24.0 / (24 * HOURS), 2.0 / HOURS, running / HOURS))
        use = [float((load > node).mean()) for node in range(12)]  # of the n-th node
        assert found.committed.get(("here", "owned"), 0) == pytest.approx(sum(share > even for share in use), abs=0)


def test_the_least_carbon_stands_in_the_cleanest_region_that_is_allowed_and_less_may_cost_more() -> None:
    clean = Region(name="clean", committed={}, hourly={"on-demand": 3.0 / HOURS}, grams=0.1, watts=1.0)
    cheap = Region(name="cheap", committed={}, hourly={"on-demand": 1.0 / HOURS}, grams=0.9, watts=1.0)
    demands = [Demand(name="free", nodes=(2.0,), interruptible=0.0, moved={"clean": 0.0, "cheap": 0.0}),
               Demand(name="held", nodes=(1.0,), interruptible=0.0, moved={"cheap": 0.0})]  # fmt: skip
    cost = cheapest_capacity(demands, [clean, cheap], [HOURS])
    carbon = cheapest_capacity(demands, [clean, cheap], [HOURS], measures=("carbon", "cost"))
    assert cost is not None
    assert carbon is not None
    assert dict(cost.regions) == {"free": "cheap", "held": "cheap"}
    assert dict(carbon.regions) == {"free": "clean", "held": "cheap"}
    assert carbon.usd > cost.usd
    assert carbon.grams < cost.grams
    between = cheapest_capacity(demands, [clean, cheap], [HOURS], limits={"carbon": carbon.grams})
    assert between is not None
    assert between.usd == pytest.approx(carbon.usd)
    assert cheapest_capacity(demands, [clean, cheap], [HOURS], limits={"carbon": 0.5 * carbon.grams}) is None
