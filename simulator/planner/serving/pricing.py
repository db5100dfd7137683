"""Every deployment priced in closed form: the fewest nodes that could do, the nodes it probably takes, or why not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final

from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.randomness import Streams
from simulator.planner.machines import Machine, machines_of
from simulator.planner.serving.deployments import Deployment, deployments_of
from simulator.planner.serving.least_work import Demand, demand_of, impossible, least_replicas
from simulator.planner.serving.steady import Steady, nodes_for, steady_of
from simulator.planner.workshop import Answer, Run, Workshop
from simulator.scenario import Scenario
from simulator.scenario.serve import ServeWorkload
from simulator.simulation.serving import prepare
from simulator.workload.requests import Requests

#: why a deployment is left out, in the order in which it is asked
REASONS: Final[Mapping[str, str]] = {
    "figures": "a figure of the device is not known, or the engine refuses the limits",
    "memory": "weights leave no room for a cache",
    "ttft": "too many prompts miss the TTFT limit even alone",
    "tpot": "too many requests miss the TPOT limit even alone",
    "work": "even the most nodes allowed have not the time",
    "simulated": "simulated, and the limits were not kept for less",
    "dearer": "costs at least as much by its bound",
    "untried": "the runs were spent before it was tried",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceQuestion:
    """A service whose machines are to be chosen.

    Attributes:
        draws: its traffic, once for each seed; every deployment meets the same.
        further: how many of the draws, the last ones, are only for what keeps the limits on each of the others.
        choices: what is narrowed, by name.
        workshop: where its runs are done.
    """

    scenario: Scenario
    workload: ServeWorkload
    objective: str
    machines: tuple[Machine, ...]
    draws: tuple[Requests, ...]
    choices: Mapping[str, Any]
    further: int = 0
    workshop: Workshop = field(default_factory=Workshop)

    @property
    def known_by(self) -> dict[str, Any]:
        """What of the question a search changes: the limits; as plain data."""
        limits = self.workload.limits
        return {"workload": self.workload.id, "ttft_s": limits.ttft_s, "tpot_s": limits.tpot_s,
                "latency_s": limits.latency_s, "attainment": self.workload.attainment}  # fmt: skip

    @property
    def alone(self) -> ServiceQuestion:
        """The same for a worker, who has no workshop."""
        return replace(self, workshop=Workshop())

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the draws, from the scenario's on."""
        return tuple(self.scenario.run.seed + number for number in range(len(self.draws)))


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedDeployment:
    """A deployment that may do: ``fewest`` nodes by the bound, ``likely`` nodes by the estimate, both among the counts.

    ``headroom`` is the estimated rate of all replicas on the likely nodes over the rate that is asked.
    """

    deployment: Deployment
    fewest: int
    likely: int
    headroom: float
    steady: Steady

    def cost(self, nodes: int) -> float:
        """Return the price of so many nodes, in the objective's unit."""
        return nodes * self.deployment.machine.price


def service_question(
    scenario: Scenario, workload: ServeWorkload, objective: str, *, further: int = 0, workshop: Workshop | None = None
) -> ServiceQuestion:
    """Return the question of a service, whose runs are done here unless a workshop is given.

    Args:
        further: draws beside those of ``plan.seeds``.

    Raises:
        InputError: the service scales by itself, divides roles, or has no limits, so that there is nothing to keep.
    """
    if workload.scale is not None or workload.prefill is not None or workload.events:
        raise InputError(
            f"the planner sizes fleets of equal replicas that stay; leave scale, events and replicas.prefill of "
            f"{workload.id!r} out, and try the answer with them in `rackcast run`."
        )
    draws = draws_of(scenario, workload, further)
    return ServiceQuestion(
        scenario=scenario, workload=workload, objective=objective, machines=machines_of(scenario, objective),
        draws=draws, choices=scenario.plan.choices, further=further, workshop=workshop or Workshop(),
    )  # fmt: skip


def draws_of(scenario: Scenario, workload: ServeWorkload, further: int = 0) -> tuple[Requests, ...]:
    """Return the traffic of a service, once for each of ``plan.seeds``, and further draws.

    Raises:
        InputError: no limits, so that there is nothing to keep, or no requests.
    """
    if all(limit is None for limit in (workload.limits.ttft_s, workload.limits.tpot_s, workload.limits.latency_s)):
        raise InputError(f"{workload.id!r} has no limits to keep; write limits, as in {{ttft: 1 s, tpot: 50 ms}}.")
    first = scenario.run.seed
    draws = tuple(workload.traffic.draw(Streams(first + number)) for number in range(scenario.plan.seeds + further))
    if not all(len(requests) for requests in draws):
        raise InputError(f"no request of {workload.id!r} arrives; raise traffic.seconds or the rate.")
    return draws


def price_deployments(question: ServiceQuestion) -> tuple[list[PricedDeployment], dict[str, int]]:
    """Return the deployments that may do, and how many are out by reason."""
    rejected = dict.fromkeys(REASONS, 0)
    found: list[PricedDeployment] = []
    for priced in _each_priced(question):
        if isinstance(priced, str):
            rejected[priced] += 1
        else:
            found.append(priced)
    return found, rejected


def _each_priced(question: ServiceQuestion) -> Iterator[PricedDeployment | str]:
    deployments = [one for machine in question.machines
                   for one in deployments_of(question.workload, machine, question.choices)]  # fmt: skip
    demand = demand_of(question.draws[0], question.workload)
    if question.workshop.plain:
        yield from (price_deployment(question, one, demand) for one in deployments)
        return
    alone = question.alone
    runs = [
        Run(kind="price", known_by={**question.known_by, **one.known_by, "counts": list(one.machine.counts)},
            do=_price_facts, arguments=(alone, one, demand))
        for one in deployments
    ]  # fmt: skip
    for one, facts in zip(deployments, question.workshop.all(runs), strict=True):
        yield facts["out"] if "out" in facts else _as_priced(one, facts)


def _price_facts(question: ServiceQuestion, deployment: Deployment, demand: Demand) -> Answer:
    """Return what pricing a deployment comes to, as plain data."""
    priced = price_deployment(question, deployment, demand)
    if isinstance(priced, str):
        return {"out": priced}
    return {"fewest": priced.fewest, "likely": priced.likely, "headroom": priced.headroom, **asdict(priced.steady)}


def _as_priced(deployment: Deployment, facts: Answer) -> PricedDeployment:
    steady = Steady(**{one.name: facts[one.name] for one in fields(Steady)})
    return PricedDeployment(deployment=deployment, fewest=facts["fewest"], likely=facts["likely"],
                            headroom=facts["headroom"], steady=steady)  # fmt: skip


def price_deployment(question: ServiceQuestion, deployment: Deployment, demand: Demand) -> PricedDeployment | str:
    """Return a deployment's bound and estimate, or the reason for which no number of nodes can do."""
    asked, requests = deployment.workload(question.workload), question.draws[0]
    try:
        ready = prepare(deployment.scenario(question.scenario, 1), asked, requests=requests)
    except Infeasible:
        return "memory"
    except InputError:  # a device without a figure that steps need, or limits that the engine refuses
        return "figures"
    engine, per_node = ready.service.pools[0].engine, deployment.replicas_per_node
    late, slow = impossible(engine, demand, asked)
    if len(requests) - max(late, slow) < demand.good:
        return "ttft" if late >= slow else "tpot"
    nodes = least_replicas(engine, demand, tpot_s=asked.limits.tpot_s) / per_node
    counts = [count for count in deployment.machine.counts if count >= nodes]
    if not counts:
        return "work" if math.isfinite(nodes) else "tpot"
    steady = steady_of(engine, requests, asked.limits)
    rate = requests.rate if len(requests) > 1 else 0.0
    likely = next((count for count in counts if count >= nodes_for(steady, rate, per_node)), counts[-1])
    headroom = steady.rate * per_node * likely / rate if rate else math.inf
    return PricedDeployment(deployment=deployment, fewest=counts[0], likely=likely, headroom=headroom, steady=steady)
