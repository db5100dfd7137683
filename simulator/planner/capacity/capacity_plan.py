"""The recommendation for demands that come and go: regions, what to own, reserve and rent, what would change it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from simulator.costs.tenure import break_even
from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.units import DAY, HOUR
from simulator.planner.capacity.programme import (
    AND,
    COMMITTED,
    HOURLY,
    Capacity,
    Demand,
    Measure,
    Region,
    cheapest_capacity,
)
from simulator.planner.capacity.regional_figures import demand_of, refused_of, region_of
from simulator.planner.flips import Flip, flips_of
from simulator.planner.pareto import front
from simulator.scenario import Scenario
from simulator.scenario.capacity import CapacityWorkload, Way

#: what capacity is chosen by
MEASURES: Final[tuple[Measure, ...]] = ("cost", "energy", "carbon")
#: points between the least cost and the least carbon
_POINTS: Final = 5

Choice = tuple[tuple[tuple[str, str], ...], tuple[tuple[str, Way], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """Share of busy hours from which on ``way`` in a region is cheaper than renting on demand, there or ``against``.

    ``against`` is the region itself, or the cheapest other one where it rents nothing by the hour.
    """

    region: str
    way: Way
    against: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityPlan:
    """What to take for demands that come and go, and why.

    Attributes:
        regions, demands: as the programme sees them.
        chosen: the best by the objective.
        others: what it costs under one more rule, by name, such as all on demand; None: nothing can.
        even: where ways break even with renting on demand.
        front: (USD, g CO2e) that nothing beats in both, cheapest first; empty where carbon is not known.
        refused: (demand, region, why) of what is not allowed.
        binding: (limit, USD saved without it), most saved first.
        flips: what assumption would change the choice.
    """

    scenario: Scenario
    workload: CapacityWorkload
    objective: Measure
    regions: tuple[Region, ...]
    demands: tuple[Demand, ...]
    chosen: Capacity
    others: Mapping[str, Capacity | None]
    even: tuple[BreakEven, ...]
    front: tuple[Capacity, ...]
    refused: tuple[tuple[str, str, str], ...]
    binding: tuple[tuple[str, float], ...]
    flips: tuple[Flip, ...]

    @property
    def decision(self) -> dict[str, Any]:
        """Region of each demand (``a + b`` where it is split), and nodes by region and way (by the hour: at most)."""
        nodes: dict[str, dict[str, Any]] = {
            region.name: {
                way: self.nodes(region.name, way) for way in (*COMMITTED, *HOURLY) if self.nodes(region.name, way)
            }
            for region in self.regions
        }
        return dict(self.chosen.regions) | {name: ways for name, ways in nodes.items() if ways}

    def nodes(self, region: str, way: Way) -> int:
        """Return how many nodes are taken; by the hour, in the period with the most."""
        if way in COMMITTED:
            return self.chosen.committed.get((region, way), 0)
        return max((count for (name, taken, _), count in self.chosen.hourly.items() if (name, taken) == (region, way)),
                   default=0)  # fmt: skip

    def worse(self, regions: Mapping[str, str]) -> float | None:
        """Return how much worse the objective is, as a share, with demands in these regions; None if they cannot be."""
        demands = tuple(
            replace(
                one,
                moved={name: usd for name, usd in one.moved.items() if name in regions.get(one.name, name).split(AND)},
            )
            for one in self.demands
        )
        asked = _Asked(demands=demands, regions=self.regions, seconds=self.workload.seconds, measure=self.objective)
        other = asked.answer()
        return None if other is None else self.measure(other) / self.measure(self.chosen) - 1.0

    def measure(self, one: Capacity) -> float:
        """Return the objective of an answer: USD, J or g CO2e."""
        return {"cost": one.usd, "energy": one.joules, "carbon": one.grams}[self.objective]

    def facts(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        return {
            "scenario": self.scenario.name,
            "scenario_sha256": self.scenario.sha256,
            "decision": self.decision,
            "objective": self.objective,
            "horizon_s": self.workload.horizon_s,
            "cost_usd": self.chosen.usd,
            "energy_j": self.chosen.joules,
            "carbon_g": self.chosen.grams,
            "by_period": self.rows(),
            "parts": [{"demand": demand, "region": region, "nodes": list(nodes)}
                      for (demand, region), nodes in self.chosen.parts.items()],
            "others": {name: None if one is None else {"cost_usd": one.usd, "carbon_g": one.grams}
                       for name, one in self.others.items()},
            "break_even": [{"region": one.region, "way": one.way, "against": one.against,
                            "busy_share": one.share if math.isfinite(one.share) else None} for one in self.even],
            "front": [{"cost_usd": one.usd, "carbon_g": one.grams, "regions": dict(one.regions)} for one in self.front],
            "refused": [{"demand": demand, "region": region, "reason": why} for demand, region, why in self.refused],
            "binding": [{"without": name, "saved_usd": saved} for name, saved in self.binding],
            "sensitivity": [one.facts() for one in self.flips],
        }  # fmt: skip

    def rows(self) -> list[dict[str, Any]]:
        """Return a row per region and period: what is asked, and the nodes of each way."""
        found = []
        for region in self.regions:
            mine = [nodes for (_, stands), nodes in self.chosen.parts.items() if stands == region.name]
            for period in range(len(self.workload.seconds)) if mine else ():
                row: dict[str, Any] = {"region": region.name, "period": period}
                row["hours_per_day"] = self.workload.seconds[period] / self.workload.horizon_s * DAY / HOUR
                row["asked_nodes"] = sum(nodes[period] for nodes in mine)
                row.update({way: self.chosen.committed.get((region.name, way), 0) for way in COMMITTED})
                row.update({way: self.chosen.hourly.get((region.name, way, period), 0) for way in HOURLY})
                found.append(row)
        return found


def recommend_capacity(scenario: Scenario, workload: CapacityWorkload, *, objective: str | None = None) -> CapacityPlan:
    """Return regions and ways to pay that cost least, or emit least, for the demands of a scenario.

    Raises:
        InputError: an objective that capacity is not chosen by, or a figure that nobody gives.
        Infeasible: a demand has no region that it may use, or not enough nodes there.
    """
    name = objective or scenario.plan.objective or "cost"
    if name not in MEASURES:
        raise InputError(f"plan.objective: capacity is chosen by {', '.join(MEASURES)}, found {name!r}.")
    measure: Measure = name
    regions = tuple(region_of(scenario, workload, one, needed=measure != "cost") for one in workload.regions)
    refused = tuple(refused_of(workload))
    demands = tuple(demand_of(workload, one, refused) for one in workload.demands)
    asked = _Asked(demands=demands, regions=regions, seconds=workload.seconds, measure=measure)
    chosen = asked.answer()
    if chosen is None:
        raise _infeasible(asked, refused)
    return CapacityPlan(
        scenario=scenario, workload=workload, objective=measure, regions=regions, demands=demands, chosen=chosen,
        others=dict(_others(asked)), even=tuple(_even(regions, workload.horizon_s)), front=_front(asked),
        refused=refused, binding=tuple(_binding(asked, chosen, workload)), flips=tuple(_flips(asked)),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One problem, to be asked again with something changed."""

    demands: tuple[Demand, ...]
    regions: tuple[Region, ...]
    seconds: tuple[float, ...]
    measure: Measure

    def answer(self, *measures: Measure, limits: Mapping[Measure, float] | None = None) -> Capacity | None:
        wanted = measures or ((self.measure, "cost") if self.measure != "cost" else ("cost",))
        return cheapest_capacity(self.demands, self.regions, self.seconds, measures=wanted, limits=limits)

    def choice(self) -> Choice | None:
        """Return where each demand runs, and by which ways; how many nodes of each is left out."""
        found = self.answer()
        if found is None:
            return None
        ways = dict.fromkeys(found.committed) | {(name, way): None for name, way, _ in found.hourly}
        return tuple(sorted(found.regions.items())), tuple(sorted(ways))

    def with_ways(self, *ways: Way) -> _Asked:
        """Return the problem with only some ways to pay."""
        regions = tuple(
            replace(one, committed={way: usd for way, usd in one.committed.items() if way in ways},
                    hourly={way: rate for way, rate in one.hourly.items() if way in ways})
            for one in self.regions
        )  # fmt: skip
        return replace(self, regions=regions)


def _others(asked: _Asked) -> Iterator[tuple[str, Capacity | None]]:
    """Yield what one more rule would cost: a single way to pay, a single region."""
    named = {way for one in asked.regions for way in (*one.committed, *one.hourly)}
    for way in (*COMMITTED, *HOURLY):
        if way in named:
            yield f"all {way}", asked.with_ways(way).answer()
    for one in asked.regions if len(asked.regions) > 1 else ():
        yield f"all in {one.name}", replace(asked, regions=(one,)).answer()
    if any(one.split is not None for one in asked.demands):
        together = tuple(replace(one, split=None) for one in asked.demands)
        yield "no demand split", replace(asked, demands=together).answer()


def _even(regions: Sequence[Region], horizon: float) -> Iterator[BreakEven]:
    renting = {one.name: one.hourly["on-demand"] for one in regions if "on-demand" in one.hourly}
    for one in regions if renting else ():
        against = one.name if one.name in renting else min(renting, key=lambda name: renting[name])
        for way, usd in one.committed.items():
            share = break_even(usd / horizon, renting[against], one.running if way == "owned" else 0.0)
            yield BreakEven(region=one.name, way=way, against=against, share=float(share))


def _front(asked: _Asked) -> tuple[Capacity, ...]:
    """Return answers that nothing beats in both cost and carbon: the ends, and the cheapest within limits between."""
    if not all(one.grams for one in asked.regions):
        return ()
    cheap, clean = asked.answer("cost", "carbon"), asked.answer("carbon", "cost")
    assert cheap is not None, "an answer was found before"
    assert clean is not None, "an answer was found before"
    found = [cheap, clean]
    for step in range(1, _POINTS + 1):
        limit = clean.grams + (cheap.grams - clean.grams) * step / (_POINTS + 1)
        one = asked.answer("cost", "carbon", limits={"carbon": limit})
        found += [] if one is None else [one]
    rounded = [(round(one.usd, 2), round(one.grams, 0)) for one in found]
    return tuple(found[row] for row in front(rounded))


def _binding(asked: _Asked, chosen: Capacity, workload: CapacityWorkload) -> Iterator[tuple[str, float]]:
    """Yield each limit by name with what is saved without it, most first."""
    free = {
        "numbers of nodes (most)": replace(asked, regions=tuple(replace(one, most={}) for one in asked.regions)),
        "where data may be (allowed)": replace(asked, demands=_freed(workload, allowed=[])),
        "latency": replace(asked, demands=_freed(workload, latency=None)),
        "what one region may hold (split.share)": replace(asked, demands=tuple(_whole(asked.demands))),
        "what may be interrupted": replace(
            asked, demands=tuple(replace(one, interruptible=1.0) for one in asked.demands)
        ),
    }
    saved = []
    for name, freer in free.items():
        better = freer.answer()
        if better is not None and better.usd < chosen.usd - 0.01:
            saved.append((name, chosen.usd - better.usd))
    yield from sorted(saved, key=lambda pair: -pair[1])


def _whole(demands: Sequence[Demand]) -> Iterator[Demand]:
    """Yield demands, of which each region may hold all even where they are split."""
    for one in demands:
        yield one if one.split is None else replace(one, split=replace(one.split, share=1.0))


def _freed(workload: CapacityWorkload, **change: Any) -> tuple[Demand, ...]:
    """Return the demands without one of their limits."""
    freed = replace(workload, demands=tuple(one.model_copy(update=change) for one in workload.demands))
    refused = tuple(refused_of(freed))
    return tuple(demand_of(freed, one, refused) for one in freed.demands)


def _flips(asked: _Asked) -> Iterator[Flip]:
    """Yield how far prices and demand must be off before regions or ways to pay change."""
    named = {way for one in asked.regions for way in (*one.committed, *one.hourly)}
    for way in (*COMMITTED, *HOURLY):
        if way in named:
            yield from _flips_of_way(asked, way)
    if "owned" in named:
        yield from flips_of("price of electricity", lambda factor: _powered(asked, factor).choice(), _said)
    yield from flips_of("demand", lambda factor: _scaled(asked, factor).choice(), _said)


def _flips_of_way(asked: _Asked, way: Way) -> tuple[Flip, ...]:
    return flips_of(f"price of {way}", lambda factor: _priced(asked, way, factor).choice(), _said)


def _priced(asked: _Asked, way: Way, factor: float) -> _Asked:
    regions = tuple(
        replace(one, committed={name: usd * (factor if name == way else 1.0) for name, usd in one.committed.items()},
                hourly={name: rate * (factor if name == way else 1.0) for name, rate in one.hourly.items()})
        for one in asked.regions
    )  # fmt: skip
    return replace(asked, regions=regions)


def _powered(asked: _Asked, factor: float) -> _Asked:
    return replace(asked, regions=tuple(replace(one, running=one.running * factor) for one in asked.regions))


def _scaled(asked: _Asked, factor: float) -> _Asked:
    demands = tuple(replace(one, nodes=tuple(nodes * factor for nodes in one.nodes)) for one in asked.demands)
    return replace(asked, demands=demands)


def _said(choice: Choice) -> str:
    places, ways = choice
    inside: dict[str, list[str]] = {}
    for region, way in ways:
        inside.setdefault(region, []).append(way)
    where = ", ".join(f"{demand} in {region}" for demand, region in places)
    return f"{where}; " + "; ".join(f"{region}: {' + '.join(found)}" for region, found in inside.items())


def _infeasible(asked: _Asked, refused: Sequence[tuple[str, str, str]]) -> Infeasible:
    nowhere = [one.name for one in asked.demands if not one.moved]
    if nowhere:
        told = "; ".join(f"{demand} in {region}: {why}" for demand, region, why in refused if demand in nowhere)
        return Infeasible(f"{', '.join(nowhere)} may run in no region ({told}).", binding="regions",
                          relaxation="a longer latency, or more regions that are allowed")  # fmt: skip
    return Infeasible("the regions have too few nodes for the demands.", binding="nodes",
                      relaxation="larger numbers in regions[].most, or more ways to pay")  # fmt: skip
