"""A mixed fleet for one service: the integer programme over what each machine takes of each group of its traffic.

Each kind of machine stands with its best deployment for the whole traffic; what a node of it takes of each group is its
steady rate for requests of that group alone. The answer is played: each kind serves its share of every group, drawn by
chance, on its own nodes. Where the whole misses the limits on a draw, the rates of the kinds that miss are lowered, and
the programme is solved again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.randomness import Streams
from simulator.planner.machines import Machine
from simulator.planner.serving.deployments import Deployment
from simulator.planner.serving.mix import Mix, cheapest_mix
from simulator.planner.serving.pricing import PricedDeployment, ServiceQuestion, price_deployments
from simulator.planner.serving.shares import Share, kept_of
from simulator.planner.serving.steady import steady_of
from simulator.scenario import Scenario
from simulator.simulation.serving import prepare
from simulator.workload.requests import Requests

Floats = npt.NDArray[np.float64]

#: what is left of a kind's rates after a draw on which it missed the limits
_LOWERED: Final = 0.9
#: how often rates are lowered before the answer is that no mix was found
_TIMES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetMix:
    """A mixed fleet.

    Attributes:
        scenario: whose traffic it serves.
        deployments: what stands on each kind of machine.
        mix: whole nodes of each kind, and the rate of each group that it serves.
        groups: names of the groups of the traffic, in the order of the rates.
        capacity: (kind, group) requests per second of one node, after lowering.
        attainments: share of all requests that keep the limits, by draw.
        lowered: how often rates had to be lowered.
    """

    scenario: Scenario
    deployments: tuple[Deployment, ...]
    mix: Mix
    groups: tuple[str, ...]
    capacity: Floats
    attainments: tuple[float, ...]
    lowered: int

    def facts(self) -> dict[str, object]:
        """Return everything as plain data, for JSON."""
        return {"scenario": self.scenario.name, "scenario_sha256": self.scenario.sha256, "decision": self.decision(),
                "fleet": self.rows(), "metrics": self.metrics(), "attainments": list(self.attainments),
                "alone": dict(self.alone()), "lowered": self.lowered}  # fmt: skip

    def decision(self) -> dict[str, dict[str, object]]:
        """Return what is taken of each kind of machine; of a kind that is not, only that it is not."""
        return {
            one.machine.node.name: {"nodes": nodes, "tp": one.layout.tp, "pp": one.layout.pp, "ep": one.layout.ep,
                                    "precision": one.precision, "max_num_seqs": one.max_num_seqs,
                                    "max_num_batched_tokens": one.max_num_batched_tokens} if nodes else {"nodes": 0}
            for one, nodes in zip(self.deployments, self.mix.nodes, strict=True)
        }  # fmt: skip

    def metrics(self) -> dict[str, float]:
        """Return the figures of the whole fleet."""
        return {
            "usd_per_hour": self.mix.price,
            "attainment_worst_draw": min(self.attainments),
            "nodes": float(sum(self.mix.nodes)),
            "requests_per_s": float(self.mix.rates.sum()),
        }

    def alone(self) -> Iterator[tuple[str, float | None]]:
        """Yield what each kind of machine would cost by itself, by the same rates; None where it cannot."""
        rates = self.mix.rates.sum(axis=0)
        for number, one in enumerate(self.deployments):
            machine = one.machine
            try:
                found = cheapest_mix([machine.price], self.capacity[number : number + 1], rates, [machine.counts[-1]])
            except Infeasible:
                yield machine.node.name, None
            else:
                yield machine.node.name, found.price

    def rows(self) -> list[dict[str, object]]:
        """Return a row per kind of machine that is taken."""
        return [
            {"node": one.machine.node.name, "nodes": nodes, "tp": one.layout.tp, "precision": one.precision,
             "max_num_seqs": one.max_num_seqs, "usd_per_hour": nodes * one.machine.price}
            | {f"{name}_per_s": float(rate) for name, rate in zip(self.groups, rates, strict=True)}
            for one, nodes, rates in zip(self.deployments, self.mix.nodes, self.mix.rates, strict=True)
            if nodes
        ]  # fmt: skip


def cheapest_fleet(question: ServiceQuestion) -> FleetMix:
    """Return the cheapest mixed fleet that keeps the service's limits on every draw.

    Raises:
        InputError: the traffic has no groups.
        Infeasible: no kind of machine serves a group, there are too few nodes, or none kept the limits when played.
    """
    requests = question.draws[0]
    if requests.group is None:
        raise InputError("a mix is planned for traffic in groups; write traffic.groups.")
    candidates, _ = price_deployments(question)
    chosen = _best_of_each(question.machines, candidates)
    if not chosen:
        raise Infeasible("no machine can keep the limits even alone.", binding="machines",
                         relaxation="other machines in plan.choices.nodes, or longer limits")  # fmt: skip
    groups, machines = range(len(requests.groups)), [one.deployment.machine for one in chosen]
    rates = np.array([float((requests.group == k).sum()) for k in groups]) / float(np.ptp(requests.arrival_s))
    capacity = np.array([[_rate(question, one.deployment, _of_group(requests, k)) for k in groups] for one in chosen])
    prices, most = [machine.price for machine in machines], [machine.counts[-1] for machine in machines]
    for lowered in range(_TIMES):
        mix = cheapest_mix(prices, capacity, rates, most)
        good, missed = _play(question, [one.deployment for one in chosen], mix)
        if min(good) >= question.workload.attainment:
            return FleetMix(scenario=question.scenario, deployments=tuple(one.deployment for one in chosen), mix=mix,
                            groups=requests.groups, capacity=capacity, attainments=good, lowered=lowered)  # fmt: skip
        capacity = np.where(missed[:, None], capacity * _LOWERED, capacity)
    raise Infeasible(f"no mix kept the limits when played, even at {_LOWERED**_TIMES:.0%} of the steady rates.",
                     binding="limits", relaxation="longer limits")  # fmt: skip


def _best_of_each(machines: Sequence[Machine], candidates: Sequence[PricedDeployment]) -> list[PricedDeployment]:
    """Return the deployment of each machine that takes the most requests per node."""
    found = []
    for machine in machines:
        mine = [one for one in candidates if one.deployment.machine is machine and one.steady.rate > 0.0]
        if mine:
            found.append(max(mine, key=lambda one: one.steady.rate * one.deployment.replicas_per_node))
    return found


def _rate(question: ServiceQuestion, deployment: Deployment, requests: Requests) -> float:
    """Return the requests per second of one node that serves only these."""
    workload = deployment.workload(question.workload)
    ready = prepare(deployment.scenario(question.scenario, 1), workload, requests=requests)
    steady = steady_of(ready.service.pools[0].engine, requests, workload.limits)
    return steady.rate * deployment.replicas_per_node


def _of_group(requests: Requests, group: int) -> Requests:
    assert requests.group is not None, "the traffic has groups"
    return requests.rows(np.flatnonzero(requests.group == group))


def _play(
    question: ServiceQuestion, deployments: Sequence[Deployment], mix: Mix
) -> tuple[tuple[float, ...], npt.NDArray[np.bool_]]:
    """Return the share of requests that keep the limits on each draw, and which kinds missed it on any."""
    parts: list[tuple[int, Share]] = []
    for draw, (seed, requests) in enumerate(zip(question.seeds, question.draws, strict=True)):
        kind = _shared_out(requests, mix, seed)
        for number, deployment in enumerate(deployments):
            if len(rows := np.flatnonzero(kind == number)):
                parts.append((number, Share(question=question, deployment=deployment, nodes=mix.nodes[number],
                                            count=None, draw=draw, rows=rows)))  # fmt: skip
    missed, good = np.zeros(len(deployments), dtype=bool), [0] * len(question.draws)
    for (number, share), kept in zip(parts, kept_of([share for _, share in parts]), strict=True):
        good[share.draw] += kept
        missed[number] |= kept < question.workload.attainment * len(share.rows)
    return tuple(kept / len(requests) for kept, requests in zip(good, question.draws, strict=True)), missed


def _shared_out(requests: Requests, mix: Mix, seed: int) -> npt.NDArray[np.int64]:
    """Return the kind of machine of each request, drawn with the rates of the mix."""
    assert requests.group is not None, "the traffic has groups"
    edges = np.cumsum(mix.rates / mix.rates.sum(axis=0), axis=0)
    drawn = Streams(seed)["kind of machine"].random(len(requests))
    kind: npt.NDArray[np.int64] = (drawn[None, :] >= edges[:-1, requests.group]).sum(axis=0)
    return kind
