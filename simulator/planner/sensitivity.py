"""Which assumption flips the choice: the question asked again with one figure changed, of every kind of answer.

A training layout is searched again with one resource faster or slower, a service is played with more and less traffic
and asks at which prices another machine would win, a mix solves its integer programme with another price.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Final

import numpy as np

from simulator.costs.conditions import at_host_speed, at_speed, with_bandwidth
from simulator.costs.network import AnalyticNetwork
from simulator.foundation.errors import Infeasible
from simulator.mapping.plan import PlanTable
from simulator.planner.capacity.capacity_plan import CapacityPlan
from simulator.planner.decide import Answer
from simulator.planner.golden import FLIP
from simulator.planner.objectives import objectives
from simulator.planner.placing.placement_plan import PlacementPlan
from simulator.planner.priced import price_table
from simulator.planner.question import Question, question_of
from simulator.planner.recommendation import Recommendation
from simulator.planner.report import short
from simulator.planner.search import search
from simulator.planner.serving.cheapest import Trials
from simulator.planner.serving.mix import cheapest_mix
from simulator.planner.serving.pricing import service_question
from simulator.planner.serving.scaling_plan import ScalingPlan
from simulator.planner.serving.service_mix import FleetMix
from simulator.planner.serving.service_plan import ServicePlan
from simulator.planner.serving.service_pool import ServicePool
from simulator.planner.training_cluster import ClusterPlan

#: what a figure is multiplied by
FACTORS: Final = (0.5, 0.8, 1.25, 2.0)
#: the same for traffic, where each try is played, and for prices
TRAFFIC: Final = (0.8, 1.1, 1.25, 1.5)
PRICES: Final = (0.8, 1.25)

_RESOURCES: Final = {
    "arithmetic": "peak FLOP/s",
    "memory_bandwidth": "memory bandwidth",
    "scaleup": "scale-up bandwidth",
    "scaleout": "scale-out bandwidth",
    "host": "speed of the host",
    "capacity": "memory of a device",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One assumption changed.

    Attributes:
        assumption: what was changed, in words.
        change: how, in words.
        flips: whether another decision would be right.
        then: what would be, in words.
    """

    assumption: str
    change: str
    flips: bool
    then: str


@singledispatch
def sensitivity(found: Answer) -> list[Tried]:
    """Return what becomes of the decision under other assumptions."""
    raise AssertionError(f"no assumptions are known of {type(found).__name__}")


@sensitivity.register
def _(found: Recommendation) -> list[Tried]:
    return list(_of_layout(found))


@sensitivity.register
def _(found: ClusterPlan) -> list[Tried]:
    """The layout's, and for each other kind of machine the price at which it would win."""
    return [*_rents(found), *_of_layout(found.plan)]


@sensitivity.register
def _(found: ServicePlan) -> list[Tried]:
    return [*_break_even(found), *_traffic(found)]


@sensitivity.register
def _(found: FleetMix) -> list[Tried]:
    return list(_mixes(found))


@sensitivity.register
def _(found: PlacementPlan) -> list[Tried]:
    """What else could be placed without each limit, or with one more node."""
    return [
        Tried(assumption=name, change="one more" if name.startswith("one more") else "not kept", flips=True,
              then=f"value {gain:g} more could be placed")
        for name, gain in found.binding
    ]  # fmt: skip


@sensitivity.register
def _(found: CapacityPlan) -> list[Tried]:
    """How far each price and the demand must be off before regions or ways to pay change."""
    return [
        Tried(assumption=one.assumption, change="x 1/3 to x 3" if one.factor is None else f"x {one.factor:.3g}",
              flips=one.factor is not None, then=one.becomes)
        for one in found.flips
    ]  # fmt: skip


@sensitivity.register
def _(found: ServicePool) -> list[Tried]:
    """The programme again with the rates of one service, or without one kind of machine."""
    return [*_pool_rates(found), *_pool_kinds(found)]


@sensitivity.register
def _(found: ScalingPlan) -> list[Tried]:
    """The chosen bounds with the same requests arriving faster or slower."""
    tried = []
    for factor in TRAFFIC:
        one = found.at_traffic(factor)
        then = f"{min(one.attainments):.1%} of the requests keep the limits, {one.replica_hours:.3g} replica-hours"
        tried.append(Tried(assumption="traffic", change=f"x {factor:g}", flips=not one.keeps, then=then))
    return tried


def _pool_rates(found: ServicePool) -> Iterator[Tried]:
    for name in found.rates:
        for factor in PRICES:
            other = replace(found, rates={**found.rates, name: found.rates[name] * factor}).again()
            flips = other is None or other.nodes != found.pool.nodes
            then = (
                "too few nodes" if other is None else f"{other.price:,.2f} {found.unit}" if flips else "the same nodes"
            )
            yield Tried(assumption=f"traffic of {name}", change=f"x {factor:g}", flips=flips, then=then)


def _pool_kinds(found: ServicePool) -> Iterator[Tried]:
    kinds = [one.node.name for one in found.options[0].question.machines]
    for name in kinds if len(kinds) > 1 else ():
        other = found.again([one for one in kinds if one != name])
        flips = bool(found.pool.nodes[name])
        then = "not all can be served" if other is None else f"{other.price / found.pool.price - 1.0:.1%} dearer"
        yield Tried(assumption=f"{name} may be taken", change="not at all", flips=flips, then=then)


def _of_layout(found: Recommendation) -> Iterator[Tried]:
    """The chosen layout held against the best one for a machine with one resource changed, both by the estimate.

    Of a mixed cluster nothing is known: its plans are not searched with a machine changed.
    """
    if not found.scenario.cluster.homogeneous:
        return
    question, measure = question_of(found.scenario, found.result.workload), objectives[found.objective]
    table = PlanTable.of([found.plan])
    behind = found.chosen.estimated / measure.of(search(question, measure, keep=1).best, question)[0].item() - 1.0
    for name, words in _RESOURCES.items():
        for factor in FACTORS:
            changed = _changed(question, name, factor)
            if changed is None:
                continue
            best = search(changed, measure, keep=1).best
            mine = price_table(table, changed)
            if not len(best) or mine.memory.total[0] > changed.capacity:
                lost = (
                    "nothing fits" if not len(best) else f"it no longer fits; {short(best.table.row(0))} would be best"
                )
                yield Tried(assumption=words, change=f"x {factor:g}", flips=True, then=lost)
                continue
            lost_share = measure.of(mine, changed)[0].item() / measure.of(best, changed)[0].item() - 1.0
            flips = lost_share - max(0.0, behind) > FLIP
            then = f"{short(best.table.row(0))} would be {lost_share:.1%} better" if flips else "the same, within 1 %"
            yield Tried(assumption=words, change=f"x {factor:g}", flips=flips, then=then)


def _changed(question: Question, name: str, factor: float) -> Question | None:
    """Return the question with one resource times a factor; None where there is no such tier."""
    setting = question.setting
    if name == "capacity":
        return replace(question, capacity=question.capacity * factor)
    if name == "host":
        return replace(question, setting=replace(setting, framework=at_host_speed(setting.framework, factor)))
    if name in ("arithmetic", "memory_bandwidth"):
        speeds = {"arithmetic": factor} if name == "arithmetic" else {"memory": factor}
        return replace(question, setting=replace(setting, machine=at_speed(setting.machine, **speeds)))
    inner = {tier.name for tier in setting.tiers if tier.span <= setting.scaleup}
    named = {tier.name: factor for tier in setting.tiers if (tier.name in inner) == (name == "scaleup")}
    if not named:
        return None
    tiers = with_bandwidth(setting.tiers, named)
    return replace(question, setting=replace(setting, tiers=tiers), network=AnalyticNetwork.of(tiers))


def _rents(found: ClusterPlan) -> Iterator[Tried]:
    """For each other kind of machine: how much its price would have to fall for its best cluster to win."""
    if found.objective != "cost":
        return
    slo, seen = found.plan.scenario.slo, {found.chosen.machine.node.name}
    for one in sorted(found.offers, key=found.worse):
        name = one.machine.node.name
        if name not in seen and one.keeps(slo):
            seen.add(name)
            yield _fall(f"{one.nodes} x {name}", name, found.worse(one))


def _break_even(found: ServicePlan) -> Iterator[Tried]:
    """The same for the machines of the runner-ups of a service."""
    seen = {found.chosen.deployment.machine.node.name}
    for one in found.runner_ups:
        name = one.deployment.machine.node.name
        if name not in seen:
            seen.add(name)
            yield _fall(f"{one.nodes} x {name}", name, one.cost / found.chosen.cost - 1.0)


def _fall(taken: str, name: str, margin: float) -> Tried:
    fall = margin / (1.0 + margin)
    return Tried(
        assumption=f"price of {name}", change=f"lower by {fall:.1%}", flips=True, then=f"{taken} costs as little"
    )


def _traffic(found: ServicePlan) -> Iterator[Tried]:
    """The chosen deployment on its nodes, played with the same requests arriving faster or slower."""
    question = service_question(found.scenario, found.workload, found.objective,
                                further=found.scenario.plan.further_seeds)  # fmt: skip
    for factor in TRAFFIC:
        draws = tuple(one.faster(factor) for one in question.draws)
        trial = Trials(question=replace(question, draws=draws), most_runs=len(draws)).play(
            found.chosen.priced, found.chosen.nodes
        )
        kept = min(trial.attainments)
        then = f"{kept:.1%} of the requests keep the limits"
        yield Tried(assumption="traffic", change=f"x {factor:g}", flips=not trial.keeps, then=then)


def _mixes(found: FleetMix) -> Iterator[Tried]:
    """The integer programme with one price, or all rates, changed."""
    prices = np.array([one.machine.price for one in found.deployments])
    rates, most = found.mix.rates.sum(axis=0), [one.machine.counts[-1] for one in found.deployments]
    changes = [("traffic", f"x {factor:g}", prices, rates * factor) for factor in PRICES]
    for number, one in enumerate(found.deployments):
        for factor in PRICES:
            other = np.where(np.arange(len(prices)) == number, prices * factor, prices)
            changes.append((f"price of {one.machine.node.name}", f"x {factor:g}", other, rates))
    for assumption, change, priced, asked in changes:
        try:
            mix = cheapest_mix(priced.tolist(), found.capacity, asked, most)
        except Infeasible as error:
            yield Tried(assumption=assumption, change=change, flips=True, then=str(error).rstrip("."))
            continue
        taken = " + ".join(
            f"{count} x {one.machine.node.name}"
            for one, count in zip(found.deployments, mix.nodes, strict=True)
            if count
        )
        flips = mix.nodes != found.mix.nodes
        yield Tried(
            assumption=assumption,
            change=change,
            flips=flips,
            then=f"{taken}: {mix.price:,.2f} USD/h" if flips else "the same fleet",
        )
