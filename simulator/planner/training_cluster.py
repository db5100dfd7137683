"""The cheapest or fastest cluster for a training run: each kind and number of machines with its own best layout.

Every cluster is priced by the closed form of its fastest layout; those that none beats in both time and money are the
front. The best of them are then planned as on a given cluster, with their best layouts played, and the best by its
played figures that keeps the limits is taken: all clusters are planned that playing could still bring to the front.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.units import HOUR, show
from simulator.planner.emissions import node_grams_per_s, node_power_w
from simulator.planner.machines import Machine, machines_of
from simulator.planner.objectives import objectives
from simulator.planner.pareto import front
from simulator.planner.question import question_of
from simulator.planner.recommendation import Recommendation, recommend
from simulator.planner.search import search
from simulator.planner.workshop import Workshop
from simulator.scenario import Scenario
from simulator.scenario.train import TrainWorkload
from simulator.scenario.wishes import Slo
from simulator.simulation import chosen_workload
from simulator.topology import build_cluster

#: what clusters are chosen by
MEASURES: Final = ("cost", "time", "energy", "carbon")
#: a gain, as a share of the objective, for which another limit is worth naming
_NOTABLE: Final = 0.001
#: what a played step can be shorter than its estimate: only interleaved pipelines are, by up to 2.3 % as far as seen
_GAIN: Final = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A cluster and what the run takes on it: seconds and USD, by the estimate of its fastest layout.

    ``joules`` and ``grams`` (CO2 equivalent, of use) are at full load; not a number where a figure is not known.
    """

    machine: Machine
    nodes: int
    seconds: float
    usd: float
    joules: float
    grams: float

    def measure(self, objective: str) -> float:
        """Return what it takes of the objective, the less the better."""
        return {"cost": self.usd, "time": self.seconds, "energy": self.joules, "carbon": self.grams}[objective]

    def lasting(self, seconds: float) -> Offer:
        """Return the same cluster with a run that takes so long."""
        times = seconds / self.seconds
        return replace(self, seconds=seconds, usd=self.usd * times, joules=self.joules * times,
                       grams=self.grams * times)  # fmt: skip

    def keeps(self, slo: Slo) -> bool:
        """Return whether the run ends in time and within the budget."""
        return _within(self.seconds, slo.finish_s) and _within(self.usd, slo.cost_usd)

    def facts(self) -> dict[str, Any]:
        """Return the offer as plain data."""
        return {
            "node": self.machine.node.name,
            "nodes": self.nodes,
            "devices": self.nodes * self.machine.node.device_count,
            "time_to_train_s": self.seconds,
            "cost_usd": self.usd,
            "energy_j": None if math.isnan(self.joules) else self.joules,
            "carbon_g": None if math.isnan(self.grams) else self.grams,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPlan:
    """Which cluster to take.

    Attributes:
        plan: the chosen cluster with its layout, as recommended on it.
        front: offers that none beats in both time and money, fastest first.
        unbeaten: offers that none beats in time, money, energy and carbon together, as far as these are known.
        offers: every cluster on which the run fits.
        refused: clusters on which it does not, with the reason.
    """

    objective: str
    chosen: Offer
    plan: Recommendation
    front: tuple[Offer, ...]
    unbeaten: tuple[Offer, ...]
    offers: tuple[Offer, ...]
    refused: tuple[tuple[str, str], ...]

    @property
    def decision(self) -> dict[str, Any]:
        """Machine, number and layout."""
        return {"node": self.chosen.machine.node.name, "nodes": self.chosen.nodes, **asdict(self.plan.plan)}

    @property
    def margin(self) -> float | None:
        """How much worse the next best cluster that keeps the limits is, by the estimates; None if there is none."""
        slo = self.plan.scenario.slo
        return min((self.worse(one) for one in self.offers if one.keeps(slo) and not self.takes(one)), default=None)

    @property
    def binding(self) -> str:
        """What keeps a better cluster away: the limit that the best of the better ones breaks."""
        slo = self.plan.scenario.slo
        better = [one for one in self.offers if self.worse(one) < -_NOTABLE and not one.keeps(slo)]
        if not better:
            return "none; no cluster that was tried would be better without the limits"
        best = min(better, key=self.worse)
        limit = "slo.cost" if _within(best.seconds, slo.finish_s) else "slo.finish"
        return (
            f"{limit}: {best.nodes} x {best.machine.node.name} would be {-self.worse(best):.1%} better, but takes "
            f"{show(best.seconds, 'time')} and {best.usd:,.0f} USD"
        )

    def worse(self, offer: Offer) -> float:
        """Return how much worse an offer is than the chosen one, as a share of the objective, both by the estimate."""
        mine = next(one for one in self.offers if self.takes(one))
        return offer.measure(self.objective) / mine.measure(self.objective) - 1.0

    def takes(self, offer: Offer) -> bool:
        """Return whether an offer is the chosen cluster, whatever the run takes on it."""
        return (offer.machine, offer.nodes) == (self.chosen.machine, self.chosen.nodes)

    def facts(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        return {**self.plan.facts(), "decision": self.decision, "cluster": self.chosen.facts(),
                "cluster_objective": self.objective,
                "cluster_margin": self.margin, "cluster_binding": self.binding,
                "cluster_front": [one.facts() for one in self.front],
                "cluster_unbeaten": [one.facts() for one in self.unbeaten],
                "clusters": [one.facts() for one in self.offers],
                "clusters_refused": [{"cluster": name, "reason": reason} for name, reason in self.refused]}  # fmt: skip


def asks_for_a_cluster(scenario: Scenario) -> bool:
    """Return whether the choices leave the machines or their number open."""
    return "nodes" in scenario.plan.choices or "count" in scenario.plan.choices


def recommend_cluster(
    scenario: Scenario,
    *,
    objective: str | None = None,
    confirm: int | None = None,
    top: int | None = None,
    workload: str | None = None,
    workshop: Workshop | None = None,
) -> ClusterPlan:
    """Return the cheapest (or fastest) cluster that trains within ``slo.finish`` and ``slo.cost``, and its layout.

    Args:
        objective: ``cost``, ``time``, ``energy`` or ``carbon``; None for the scenario's, else cost under a deadline and
            time without.
        confirm, top, workload, workshop: as of :func:`simulator.planner.recommendation.recommend`.

    Raises:
        InputError: an objective that clusters are not chosen by, no ``tokens``, or a machine without a price.
        Infeasible: no cluster keeps the limits; with the least time and money that there are.
    """
    entry = chosen_workload(scenario, workload)
    assert isinstance(entry, TrainWorkload), "the caller has looked at the kind"
    limits = scenario.slo
    name = objective or scenario.plan.objective or ("time" if limits.finish_s is None else "cost")
    if name not in MEASURES:
        raise InputError(f"plan.objective: a cluster is chosen by {', '.join(MEASURES)}, found {name!r}.")
    if entry.steps is None:
        raise InputError(f"the length of {entry.id!r} is not known; write tokens, as in 300e9.")
    offers, refused = _offers(scenario, entry, entry.steps)
    _known(offers, name)
    ranked = sorted(offers, key=lambda one: (one.measure(name), one.seconds, one.usd))
    best = _best_played(scenario, ranked, name, confirm=confirm, top=top, workload=entry.id, workshop=workshop)
    if best is None:
        raise _infeasible(limits, offers, refused)
    return ClusterPlan(objective=name, chosen=best[0], plan=best[1], front=front_of(offers), unbeaten=unbeaten(offers),
                       offers=tuple(ranked), refused=refused)  # fmt: skip


def _best_played(
    scenario: Scenario,
    ranked: list[Offer],
    name: str,
    *,
    confirm: int | None,
    top: int | None,
    workload: str,
    workshop: Workshop | None,
) -> tuple[Offer, Recommendation] | None:
    """Return the best cluster by its played layouts, and its plan; None if none keeps the limits.

    Clusters are planned in the order of their estimates, until the next could not be better than the best so far even
    if playing it gained what playing can gain.
    """
    limits, best = scenario.slo, None
    for offer in ranked:
        if best is not None and (confirm == 0 or offer.measure(name) * (1.0 - _GAIN) >= best[0].measure(name)):
            break
        if not offer.lasting(offer.seconds * (1.0 - _GAIN)).keeps(limits):
            continue
        plan = recommend(on_machines(scenario, offer.machine, offer.nodes), objective="time", confirm=confirm, top=top,
                         workload=workload, workshop=workshop)  # fmt: skip
        played = offer.lasting(plan.result.metrics["time_to_train_s"])
        if played.keeps(limits) and (best is None or played.measure(name) < best[0].measure(name)):
            best = played, plan
    return best


def _within(value: float, limit: float | None) -> bool:
    return limit is None or value <= limit


def on_machines(scenario: Scenario, machine: Machine, nodes: int) -> Scenario:
    """Return the scenario on so many of one machine."""
    group = replace(machine.group, count=nodes)
    fabric = replace(scenario.cluster.fabric, sites=(), wan=())
    cluster = build_cluster(nodes=[(group.node, group.device, nodes)], fabric=fabric, links=scenario.catalogue.links)
    return replace(scenario, groups=(group,), cluster=cluster)


def _offers(
    scenario: Scenario, entry: TrainWorkload, steps: float
) -> tuple[list[Offer], tuple[tuple[str, str], ...]]:  # fmt: skip
    offers, refused = [], []
    for machine in machines_of(scenario, "cost", doubling=True):
        for nodes in machine.counts:
            try:
                question = question_of(on_machines(scenario, machine, nodes), entry.id)
                best = search(question, objectives["time"], keep=1).best
            except (InputError, Infeasible) as error:  # a figure that nobody gives, or a fabric that cannot be wired
                refused.append((f"{nodes} x {machine.node.name}", str(error)))
                continue
            if not len(best):
                refused.append((f"{nodes} x {machine.node.name}", "no layout fits"))
                continue
            seconds = steps * float(best.estimate.step[0])
            joules, grams = (nodes * rate for rate in _power_and_carbon(scenario, machine))
            offers.append(Offer(machine=machine, nodes=nodes, seconds=seconds, joules=seconds * joules,
                                grams=seconds * grams, usd=seconds * nodes * machine.price / HOUR))  # fmt: skip
    return offers, tuple(refused)


def _power_and_carbon(scenario: Scenario, machine: Machine) -> tuple[float, float]:
    """Return W and g CO2e/s of one node, not a number where that is not known; neither is needed for time or money."""
    try:
        power = node_power_w(machine.group)
    except InputError:
        return math.nan, math.nan
    try:
        return power, node_grams_per_s(scenario, machine.group)
    except InputError:
        return power, math.nan


def _known(offers: list[Offer], objective: str) -> None:
    """Raise unless every offer says what it takes of the objective."""
    for one in offers:
        if math.isnan(one.measure(objective)):
            raise InputError(
                f"the {objective} of {one.machine.node.name} is not known; give prices.grid and prices.pue, or "
                "leave the machine out of plan.choices.nodes."
            )


def front_of(offers: list[Offer]) -> tuple[Offer, ...]:
    """Return the offers that none beats in both time and money, fastest first."""
    return tuple(offers[row] for row in front([(one.seconds, one.usd) for one in offers]))


def unbeaten(offers: list[Offer]) -> tuple[Offer, ...]:
    """Return the offers that none beats in all of time, money, energy and carbon; what some do not know is left out."""
    table = [[one.seconds, one.usd, one.joules, one.grams] for one in offers]
    known = [column for column in zip(*table, strict=True) if not any(math.isnan(value) for value in column)]
    return tuple(offers[row] for row in front(list(zip(*known, strict=True))))


def _infeasible(limits: Slo, offers: list[Offer], refused: tuple[tuple[str, str], ...]) -> Infeasible:
    if not offers:
        told = "; ".join(f"{name}: {reason}" for name, reason in refused[:5])
        return Infeasible(f"the run fits on none of {len(refused)} clusters ({told}).", binding="machines",
                          relaxation="more nodes in plan.choices.count, or machines with more memory")  # fmt: skip
    fastest, cheapest = min(offers, key=lambda one: one.seconds), min(offers, key=lambda one: one.usd)
    return Infeasible(
        f"none of {len(offers)} clusters trains within the limits; the fastest ({fastest.nodes} x "
        f"{fastest.machine.node.name}) takes {show(fastest.seconds, 'time')} and the cheapest ({cheapest.nodes} x "
        f"{cheapest.machine.node.name}) {show(cheapest.usd, 'money')}.",
        binding="time" if limits.finish_s is not None and fastest.seconds > limits.finish_s else "budget",
        account={"fastest_s": fastest.seconds, "cheapest_usd": cheapest.usd},
        relaxation=" or ".join(_relaxations(limits, offers)),
    )


def _relaxations(limits: Slo, offers: list[Offer]) -> Iterator[str]:
    """Yield the least deadline within the budget, and the least budget within the deadline."""
    if in_budget := [one for one in offers if _within(one.usd, limits.cost_usd)]:
        best = min(in_budget, key=lambda one: one.seconds)
        yield f"slo.finish {show(best.seconds, 'time')} ({best.nodes} x {best.machine.node.name})"
    if in_time := [one for one in offers if _within(one.seconds, limits.finish_s)]:
        best = min(in_time, key=lambda one: one.usd)
        yield f"slo.cost {show(best.usd, 'money')} ({best.nodes} x {best.machine.node.name})"
