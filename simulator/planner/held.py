"""What of an answer is held fast, and what became of a decision that was expected, for answers of every kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import singledispatch
from typing import Any, Final

from simulator.foundation.errors import Infeasible
from simulator.foundation.units import show
from simulator.planner.capacity.capacity_plan import CapacityPlan
from simulator.planner.decide import Answer
from simulator.planner.placing.placement_plan import PlacementPlan
from simulator.planner.recommendation import Recommendation
from simulator.planner.serving.cheapest import fresh_draw
from simulator.planner.serving.mix import cheapest_mix
from simulator.planner.serving.scaling_plan import ScalingPlan
from simulator.planner.serving.service_mix import FleetMix
from simulator.planner.serving.service_plan import ServicePlan, decision
from simulator.planner.serving.service_pool import ServicePool
from simulator.planner.training_cluster import ClusterPlan

_GONE: Final = "the expected plan is no longer among the best"

#: what a service's price is called among the figures, by objective
_PRICES: Final = {"cost": "usd_per_hour", "energy": "power_w", "carbon": "carbon_g_per_hour"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An answer as a golden file sees it.

    Attributes:
        decision: key -> value; the machines of a mix are keys whose values are such mappings.
        margin: how much worse the runner-up is, as a share; None if there is none.
        binding: what keeps a better decision away, in a few words; None where that is not known.
        metrics: every figure that can be held, by name with unit.
        told: names of those that a new file holds.
    """

    scenario: str
    objective: str
    decision: Mapping[str, Any]
    margin: float | None
    binding: str | None
    metrics: Mapping[str, float]
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What the expected decision would be now: ``margin`` worse than the best, or out for the reason ``why``."""

    margin: float | None
    why: str = _GONE


@singledispatch
def held_of(found: Answer) -> Held:
    """Return what of an answer is held fast."""
    raise AssertionError(f"no way to hold {type(found).__name__}")


@singledispatch
def fate_of(found: Answer, wanted: Mapping[str, Any]) -> Fate:
    """Return what became of another decision than the one found, given its keys (those left out may be anything)."""
    raise AssertionError(f"no way to look for a decision in {type(found).__name__}")


def _head(binding: str) -> str:
    """Return the constraint without its figures: what stands before the first colon or semicolon."""
    return re.split("[:;]", binding, maxsplit=1)[0]


def _plain(decided: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys with lists for tuples, as files have them."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in decided.items()}


def _agrees(decided: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(decided.get(name) == value for name, value in wanted.items())


@held_of.register
def _(found: Recommendation) -> Held:
    return Held(
        scenario=found.scenario.name,
        objective=found.objective,
        decision=_plain(asdict(found.plan)),
        margin=found.margin,
        binding=_head(found.binding),
        metrics=found.result.metrics,
        told=("step_time_s", "mfu", "memory_bytes"),
    )


@fate_of.register
def _(found: Recommendation, wanted: Mapping[str, Any]) -> Fate:
    for one in (*found.confirmed, *found.runner_ups):
        if _agrees(_plain(asdict(one.plan)), wanted):
            return Fate(margin=one.margin)
    return Fate(margin=None)


@held_of.register
def _(found: ClusterPlan) -> Held:
    return Held(
        scenario=found.plan.scenario.name,
        objective=found.objective,
        decision=_plain(found.decision),
        margin=found.margin,
        binding=_head(found.binding),
        metrics=found.plan.result.metrics,
        told=("time_to_train_s", "cost_usd", "mfu", "memory_bytes"),
    )


@fate_of.register
def _(found: ClusterPlan, wanted: Mapping[str, Any]) -> Fate:
    """On the chosen cluster another layout is looked for; of another cluster only machine and number are compared."""
    chosen, layout = found.chosen, {name: one for name, one in wanted.items() if name not in ("node", "nodes")}
    cluster = {name: wanted[name] for name in ("node", "nodes") if name in wanted}
    if _agrees({"node": chosen.machine.node.name, "nodes": chosen.nodes}, cluster):
        return fate_of(found.plan, layout)
    for one in found.offers:
        if _agrees({"node": one.machine.node.name, "nodes": one.nodes}, cluster):
            if one.keeps(found.plan.scenario.slo):
                return Fate(margin=found.worse(one))
            return Fate(margin=None, why=f"the expected cluster now takes {show(one.seconds, 'time')} and "
                        f"{one.usd:,.0f} USD, beyond the limits")  # fmt: skip
    return Fate(margin=None, why="the run does not fit the expected cluster, or it is not among those tried")


@held_of.register
def _(found: ServicePlan) -> Held:
    return Held(
        scenario=found.scenario.name,
        objective=found.objective,
        decision=decision(found.chosen),
        margin=found.margin,
        binding=_head(found.binding),
        metrics={_PRICES[found.objective]: found.chosen.cost, **found.chosen.result.metrics()},
        told=(_PRICES[found.objective], "attainment", "ttft_p95_ms", "tpot_p95_ms"),
    )


@fate_of.register
def _(found: ServicePlan, wanted: Mapping[str, Any]) -> Fate:
    played = sorted((one for one in found.played if _agrees(decision(one), wanted)), key=lambda one: one.cost)
    for one in played:
        if one.keeps:
            return Fate(margin=one.cost / found.chosen.cost - 1.0)
    if played:
        share = fresh_draw(played[-1].attainments)
        return Fate(margin=None, why=f"the expected deployment now keeps the limits for {share:.2%} of the requests, "
                    f"{found.workload.attainment:.2%} are wanted")  # fmt: skip
    return Fate(margin=None, why="the expected deployment was not played: it is dearer, or out by its bounds")


@held_of.register
def _(found: FleetMix) -> Held:
    alone = [price for _, price in found.alone() if price is not None]
    return Held(
        scenario=found.scenario.name,
        objective="cost",
        decision=found.decision(),
        margin=min(alone) / found.mix.price - 1.0 if alone else None,
        binding=None,
        metrics=found.metrics(),
        told=("usd_per_hour", "attainment_worst_draw"),
    )


@fate_of.register
def _(found: FleetMix, wanted: Mapping[str, Any]) -> Fate:
    """Ask the integer programme whether the expected nodes serve the rates of now, and compare what they cost."""
    names = [one.machine.node.name for one in found.deployments]
    nodes = [int(wanted.get(name, {}).get("nodes", 0)) for name in names]
    if nodes == list(found.mix.nodes):
        return Fate(margin=None, why="the machines are the same, and what stands on them is not")
    if unknown := [name for name, one in wanted.items() if name not in names and one.get("nodes")]:
        return Fate(margin=None, why=f"{', '.join(unknown)} cannot keep the limits, or may not be taken")
    prices = [one.machine.price for one in found.deployments]
    try:
        _ = cheapest_mix(prices, found.capacity, found.mix.rates.sum(axis=0), nodes)
    except Infeasible as error:
        return Fate(margin=None, why=f"of the expected fleet {str(error).rstrip('.')}")
    price = sum(number * one for number, one in zip(nodes, prices, strict=True))
    return Fate(margin=price / found.mix.price - 1.0)


@held_of.register
def _(found: PlacementPlan) -> Held:
    return Held(
        scenario=found.scenario.name,
        objective="value",
        decision=found.decision,
        margin=None,
        binding=found.binding[0][0] if found.binding else None,
        metrics={"value": found.placed.value, "exchange_device_s_per_step": found.placed.exchange_s,
                 "nodes_taken": float(found.placed.nodes)},
        told=("value", "nodes_taken"),
    )  # fmt: skip


@fate_of.register
def _(found: PlacementPlan, wanted: Mapping[str, Any]) -> Fate:
    """Ask the integer programme what is placed if the expected jobs must be; where they stand is left to it."""
    if unknown := [name for name in wanted if name not in found.placed.tasks]:
        return Fate(margin=None, why=f"there is no job {', '.join(unknown)}")
    margin = found.worse({name: int(one.get("tasks", 0)) for name, one in wanted.items()})
    return Fate(margin=margin, why="the jobs that were placed cannot all be placed now")


@held_of.register
def _(found: CapacityPlan) -> Held:
    return Held(
        scenario=found.scenario.name,
        objective=found.objective,
        decision=found.decision,
        margin=None,
        binding=found.binding[0][0] if found.binding else None,
        metrics={"cost_usd": found.chosen.usd, "energy_j": found.chosen.joules, "carbon_g": found.chosen.grams},
        told=("cost_usd",),
    )


@fate_of.register
def _(found: CapacityPlan, wanted: Mapping[str, Any]) -> Fate:
    """Ask the programme again with every demand in the region that was expected; the numbers are left to it."""
    regions = {name: str(value) for name, value in wanted.items() if not isinstance(value, Mapping)}
    if unknown := [name for name in regions if name not in found.chosen.regions]:
        return Fate(margin=None, why=f"there is no demand {', '.join(unknown)}")
    return Fate(margin=found.worse(regions), why="the demands cannot all run in the regions that were expected")


@held_of.register
def _(found: ServicePool) -> Held:
    return Held(
        scenario=found.scenario.name,
        objective=found.objective,
        decision=found.decision,
        margin=None,
        binding=None,
        metrics={_PRICES[found.objective]: found.pool.price},
        told=(_PRICES[found.objective],),
    )


@fate_of.register
def _(found: ServicePool, wanted: Mapping[str, Any]) -> Fate:
    """Ask the programme again with the kinds of machine that were expected only; how many is left to it."""
    kinds = [name for name, one in wanted.items() if not isinstance(one, Mapping)]
    other = found.again(kinds)
    if other is None:
        return Fate(margin=None, why=f"{', '.join(kinds) or 'no machine'} cannot serve all services now")
    return Fate(margin=other.price / found.pool.price - 1.0)


@held_of.register
def _(found: ScalingPlan) -> Held:
    return Held(
        scenario=found.scenario.name,
        objective=found.objective,
        decision=found.decision,
        margin=None,
        binding=_head(found.binding),
        metrics={"replica_hours": found.chosen.replica_hours, **found.chosen.result.metrics()},
        told=("replica_hours", "attainment", "ttft_p95_ms"),
    )


@fate_of.register
def _(found: ScalingPlan, wanted: Mapping[str, Any]) -> Fate:
    """Look the expected bounds up among those that were played."""
    for one in found.played:
        if _agrees({"policy": found.decision["policy"], "minimum": one.minimum, "maximum": one.maximum}, wanted):
            if one.keeps:
                return Fate(margin=one.value / found.chosen.value - 1.0)
            return Fate(margin=None, why=f"the expected bounds now keep the limits for {min(one.attainments):.2%} only")
    return Fate(margin=None, why="the expected bounds were not played: they cost more, or there is no such policy")
