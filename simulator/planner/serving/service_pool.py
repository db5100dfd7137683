"""Several services on one pool of machines of several kinds: which model stands where, on how many replicas.

What a slot takes of each service is the steady rate of its best batch limits there; the integer programme places the
replicas on whole nodes. The answer is played, each service on its own replicas with its requests dealt out by chance in
proportion to their rates; where a service misses its limits, its rates are lowered and the programme is solved again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.randomness import Streams
from simulator.planner.machines import UNITS, Machine
from simulator.planner.placing.models import Kind, Option, Pool, place_models
from simulator.planner.serving.deployments import Deployment, deployments_of
from simulator.planner.serving.pricing import ServiceQuestion, service_question
from simulator.planner.serving.shares import Share, kept_of
from simulator.planner.serving.steady import steady_of
from simulator.planner.workshop import Workshop
from simulator.scenario import Scenario
from simulator.scenario.serve import ServeWorkload
from simulator.simulation.serving import prepare

#: what is left of a service's rates after a draw on which it missed its limits
_LOWERED: Final = 0.9
#: how often rates are lowered before the answer is that no placement was found
_TIMES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Stood:
    """A service on a kind of machine: what stands there, the option of the programme, and the rate of a slot."""

    question: ServiceQuestion
    deployment: Deployment
    option: Option


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePool:
    """Several services on one pool.

    Attributes:
        rates: requests per second of each service.
        options: every service on every kind and width that it can stand on, with lowered rates.
        pool: what the programme chose.
        attainments: of each service, share of its requests that keep its limits, by draw; empty where slots are
            shared, which is not played.
        lowered: how often rates had to be lowered.
    """

    scenario: Scenario
    objective: str
    rates: Mapping[str, float]
    options: tuple[Stood, ...]
    pool: Pool
    attainments: Mapping[str, tuple[float, ...]]
    lowered: int

    @property
    def unit(self) -> str:
        """Unit of the price."""
        return UNITS[self.objective]

    @property
    def decision(self) -> dict[str, Any]:
        """Nodes by kind, and replicas of each service by kind and width."""
        placed: dict[str, dict[str, Any]] = {model: {} for model in self.rates}
        for option, count in self.pool.replicas:
            placed[option.model][f"{option.kind} tp{option.width}"] = count
        for number, slot in enumerate(self.pool.shared, start=1):
            for model, share in slot.shares.items():
                placed[model][f"shared {number} on {slot.kind} tp{slot.width}"] = round(share, 3)
        return {name: count for name, count in self.pool.nodes.items() if count} | placed

    def facts(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        return {
            "scenario": self.scenario.name,
            "scenario_sha256": self.scenario.sha256,
            "decision": self.decision,
            "objective": {"name": self.objective, "unit": self.unit, "value": self.pool.price},
            "proved": self.pool.proved,
            "rows": self.rows(),
            "attainments": {name: list(shares) for name, shares in self.attainments.items()},
            "lowered": self.lowered,
            "slot_rates": [
                {"service": one.option.model, "node": one.option.kind, "tp": one.option.width,
                 "per_s": one.option.rate, "weights_share": one.option.weights} for one in self.options
            ],
        }  # fmt: skip

    def rows(self) -> list[dict[str, Any]]:
        """Return a row per service and kind of slot that it stands on."""
        found = []
        for option, count in self.pool.replicas:
            one = self.stood(option)
            found.append({
                "service": option.model, "node": option.kind, "tp": option.width, "replicas": float(count),
                "shared": False, "per_s": count * option.rate, "max_num_seqs": one.deployment.max_num_seqs,
                "max_num_batched_tokens": one.deployment.max_num_batched_tokens,
            })  # fmt: skip
        for slot in self.pool.shared:
            for model, share in slot.shares.items():
                key = model, slot.kind, slot.width
                one = next(two for two in self.options if (two.option.model, two.option.kind, two.option.width) == key)
                found.append({
                    "service": model, "node": slot.kind, "tp": slot.width, "replicas": share, "shared": True,
                    "per_s": share * one.option.rate, "max_num_seqs": one.deployment.max_num_seqs,
                    "max_num_batched_tokens": one.deployment.max_num_batched_tokens,
                })  # fmt: skip
        return found

    def stood(self, option: Option) -> Stood:
        """Return what stands behind an option."""
        return next(one for one in self.options if one.option == option)

    def again(self, kinds: Sequence[str] | None = None) -> Pool | None:
        """Return the programme's answer with some kinds of machine only, at the same rates."""
        machines = self.options[0].question.machines
        chosen = [_kind(one) for one in machines if kinds is None or one.node.name in kinds]
        names = {one.name for one in chosen}
        options = [one.option for one in self.options if one.option.kind in names]
        return place_models(self.rates, chosen, options, share=self.scenario.plan.share)


def recommend_pool(
    scenario: Scenario, *, objective: str | None = None, workshop: Workshop | None = None
) -> ServicePool:
    """Return which services of a scenario stand on which machines, for least cost (or energy, or carbon).

    Raises:
        InputError: a workload that is no service, or an objective that services have not.
        Infeasible: nothing serves all rates, or no placement kept the limits when played.
    """
    name = objective or scenario.plan.objective or "cost"
    if name not in UNITS:
        raise InputError(f"plan.objective: services are planned for {', '.join(UNITS)}, found {name!r}.")
    if not all(isinstance(one, ServeWorkload) for one in scenario.workloads):
        raise InputError("several workloads are planned together only if all are services; name one with --workload.")
    shop = workshop or Workshop()
    questions = [service_question(scenario, one, name, workshop=shop) for one in scenario.workloads]
    rates = {one.workload.id: _rate(one) for one in questions}
    machines = questions[0].machines
    stood = [found for question in questions for found in _options(replace(question, machines=machines))]
    for lowered in range(_TIMES):
        options = [one.option for one in stood]
        pool = place_models(rates, [_kind(one) for one in machines], options, share=scenario.plan.share)
        if pool is None:
            raise _infeasible(rates, stood)
        played = {} if pool.shared else {one.workload.id: _play(one, stood, pool) for one in questions}
        missed = [one.workload.id for one in questions
                  if played and min(played[one.workload.id]) < one.workload.attainment]  # fmt: skip
        if not missed:
            return ServicePool(scenario=scenario, objective=name, rates=rates, options=tuple(stood), pool=pool,
                               attainments=played, lowered=lowered)  # fmt: skip
        stood = [_lowered(one) if one.option.model in missed else one for one in stood]
    raise Infeasible(f"no placement kept the limits when played, even at {_LOWERED**_TIMES:.0%} of the steady rates.",
                     binding="limits", relaxation="longer limits, or other machines")  # fmt: skip


def _rate(question: ServiceQuestion) -> float:
    """Return the requests per second of a service; raises :class:`InputError` where some wait for others to end."""
    requests, rate = question.draws[0], question.draws[0].rate
    if requests.given < len(requests) or not rate > 0.0:
        raise InputError(f"{question.workload.id!r}: services share machines by their rates; write traffic.groups.")
    return rate


def _kind(machine: Machine) -> Kind:
    return Kind(name=machine.node.name, price=machine.price, devices=machine.node.device_count,
                most=machine.counts[-1])  # fmt: skip


def _lowered(one: Stood) -> Stood:
    return replace(one, option=replace(one.option, rate=one.option.rate * _LOWERED))


def _options(question: ServiceQuestion) -> Iterator[Stood]:
    """Yield the fastest deployment of a service on each kind and width that it fits; widths must fill nodes."""
    for machine in question.machines:
        best: dict[int, Stood] = {}
        for deployment in deployments_of(question.workload, machine, question.choices):
            width = deployment.layout.devices
            if machine.node.device_count % width:
                continue
            found = _stood(question, deployment)
            if found is not None and (width not in best or found.option.rate > best[width].option.rate):
                best[width] = found
        yield from best.values()


def _stood(question: ServiceQuestion, deployment: Deployment) -> Stood | None:
    """Return a deployment with its steady rate; None if its weights do not fit or it keeps the limits at no rate."""
    workload = deployment.workload(question.workload)
    try:
        ready = prepare(deployment.scenario(question.scenario, 1), workload, requests=question.draws[0])
    except (Infeasible, InputError):  # too large, or a figure that steps need is not known
        return None
    steady = steady_of(ready.service.pools[0].engine, question.draws[0], workload.limits)
    if steady.rate <= 0.0:
        return None
    weights = ready.memory.weights / (ready.memory.weights + ready.memory.cache)
    option = Option(model=question.workload.id, kind=deployment.machine.node.name, width=deployment.layout.devices,
                    rate=steady.rate, weights=weights)  # fmt: skip
    return Stood(question=question, deployment=deployment, option=option)


def _play(question: ServiceQuestion, stood: Sequence[Stood], pool: Pool) -> tuple[float, ...]:
    """Return the share of a service's requests that keep its limits on its replicas, by draw."""
    mine = [(one, count) for option, count in pool.replicas if option.model == question.workload.id
            for one in stood if one.option == option]  # fmt: skip
    edges = np.cumsum([count * one.option.rate for one, count in mine])
    shares: list[Share] = []
    for draw, (seed, requests) in enumerate(zip(question.seeds, question.draws, strict=True)):
        drawn = Streams(seed).child(question.workload.id)["replicas of a kind"].random(len(requests)) * edges[-1]
        part = np.searchsorted(edges, drawn, side="right")
        for number, (one, count) in enumerate(mine):
            if len(rows := np.flatnonzero(part == number)):
                nodes = -(-count // one.deployment.replicas_per_node)
                shares.append(Share(question=question, deployment=one.deployment, nodes=nodes, count=count, draw=draw,
                                    rows=rows))  # fmt: skip
    good = [0] * len(question.draws)
    for share, kept in zip(shares, kept_of(shares), strict=True):
        good[share.draw] += kept
    return tuple(kept / len(requests) for kept, requests in zip(good, question.draws, strict=True))


def _infeasible(rates: Mapping[str, float], stood: Sequence[Stood]) -> Infeasible:
    nowhere = [name for name in rates if not any(one.option.model == name for one in stood)]
    if nowhere:
        return Infeasible(f"{', '.join(nowhere)} can stand on no kind of machine within the limits.",
                          binding="machines",
                          relaxation="other machines in plan.choices.nodes, or longer limits")  # fmt: skip
    return Infeasible("all the nodes there are do not serve all services.", binding="nodes",
                      relaxation="more nodes of each kind, or plan.share: true")  # fmt: skip
