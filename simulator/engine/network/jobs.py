"""Several jobs on one fabric: each computes, then communicates, step after step, and slows the others where they meet.

A job's collective costs what ``costs.collectives`` says of it alone: its latency passes first, then its flows run, each
no faster than alone. On shared links they may be slower; the step ends with the last of them.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from simulator.costs.collectives import Reach, collective_cost, reach
from simulator.engine.clock import to_seconds, to_ticks
from simulator.engine.network.fabric import Wires
from simulator.engine.network.live import LiveNetwork
from simulator.engine.network.traffic import transfers
from simulator.foundation.errors import Infeasible, InputError
from simulator.topology.cluster import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Ranks that compute and communicate in turns.

    Attributes:
        nodes: devices by node, as :func:`place` gives them.
        size: bytes of the collective in each step, as nccl-tests counts them.
        compute: s of each step before it.
        steps: how many; 0: for as long as the others run (background traffic).
        start: s.
    """

    name: str
    nodes: tuple[tuple[int, ...], ...]
    operation: str = "all-reduce"
    size: float
    compute: float = 0.0
    steps: int = 10
    start: float = 0.0

    @property
    def ranks(self) -> int:
        """Devices in all."""
        return sum(len(node) for node in self.nodes)


@dataclass(slots=True)
class Story:
    """How one job fared.

    Attributes:
        ends: tick of the end of each step.
        lost: s that its slowest flow lost, by (link, job that used it too).
    """

    ends: list[int] = field(default_factory=list)
    lost: dict[tuple[int, str], float] = field(default_factory=dict)

    def step(self, start: float) -> float:
        """Return the mean duration of a step, s."""
        return (to_seconds(self.ends[-1]) - start) / len(self.ends)


def place(cluster: Cluster, nodes: Sequence[int], ranks: int | None = None) -> tuple[tuple[int, ...], ...]:
    """Return the devices of some nodes by their numbers; the first ``ranks`` of each, by default all.

    Raises:
        InputError: no such node, or a node with fewer devices.
    """
    found: list[tuple[int, ...]] = []
    by_node: dict[int, list[int]] = {}
    for device in range(cluster.devices):
        by_node.setdefault(cluster.spot(device).node, []).append(device)
    for node in nodes:
        devices = by_node.get(node, [])
        if len(devices) < (ranks or 1):
            raise InputError(f"node {node} has {len(devices)} devices, {ranks or 1} are asked; nodes go from 0.")
        found.append(tuple(devices[: ranks or len(devices)]))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """A job's collective with nobody else on the fabric, in closed form: s before bytes flow, s while they do."""

    latency: float
    transfer: float
    algorithm: str

    @property
    def time(self) -> float:
        """Both together, s."""
        return self.latency + self.transfer


def alone(job: Job, cluster: Cluster) -> Alone:
    """Return what a job's collective costs when all links that it uses are idle otherwise.

    Between nodes an all-reduce goes by trees, which spread over all adapters; a ring's bytes between two nodes would
    have to be laid on one edge.
    """
    over = _reach(job, cluster)
    names = None
    if job.operation == "all-reduce" and len(job.nodes) > 1:
        helped = over.inner.fabric.in_network_fraction is not None and len(job.nodes[0]) > 2
        names = ("tree", "in-network") if helped else ("tree",)
    cost = collective_cost(job.operation, job.size, over, algorithm=names)
    return Alone(latency=float(cost.latency), transfer=float(cost.transfer), algorithm=str(cost.algorithm))


def _reach(job: Job, cluster: Cluster) -> Reach:
    tiers = cluster.tiers_of(cluster.spot(job.nodes[0][0]).group)
    per_node = len(job.nodes[0])
    group: list[int] = []
    domains = [tuple(sorted({device // tier.span for node in job.nodes for device in node})) for tier in tiers]
    members = job.ranks
    for tier, domain in enumerate(domains):
        inside = max(round(members / len(domain)), 1)
        done = int(np.prod(group)) if group else 1
        group.append(max(inside // done, 1) if tier else min(per_node, inside))
    while int(np.prod(group)) < members:  # uneven over the domains: the outermost tier joins what is left
        group[-1] += 1
    return reach(tuple(group), tiers, alone=True)


class Ensemble:
    """Jobs that run on one cluster at the same time."""

    def __init__(self, cluster: Cluster, jobs: Sequence[Job], wires: Wires, *, policy: str = "ecmp") -> None:
        self.jobs = tuple(sorted(jobs, key=lambda job: job.name))
        if len({job.name for job in self.jobs}) != len(self.jobs):
            raise InputError("two jobs have one name; name each differently.")
        if not any(job.steps for job in self.jobs):
            raise InputError("every job is background; give one a number of steps.")
        self.wires = wires
        self.routes: list[tuple[int, ...]] = []
        self.owner: list[int] = []
        self.size: list[float] = []
        self.limit: list[float] = []
        self.latency: list[int] = []
        for number, job in enumerate(self.jobs):
            self._add(number, job, cluster, policy)

    def _add(self, number: int, job: Job, cluster: Cluster, policy: str) -> None:
        own = alone(job, cluster)
        self.latency.append(to_ticks(own.latency))
        sent = transfers(job.operation, job.size, job.nodes, in_network=own.algorithm == "in-network")
        for order, (source, target, size) in enumerate(sent):
            wanted = size / own.transfer if own.transfer > 0 else 0.0
            links, _ = self.wires.route(source, target, flow=order, policy=policy, wanted=wanted)
            if size > 0 and links:
                self.routes.append(links)
                self.owner.append(number)
                self.size.append(size)
                self.limit.append(wanted)

    def run(self) -> dict[str, Story]:
        """Play all jobs; return how each fared, by name.

        Raises:
            Infeasible: a flow is stuck on a link without capacity.
        """
        return _Run(self).play()


class _Run:
    """One play: the clock, the network and what each job waits for."""

    def __init__(self, fabric: Ensemble) -> None:
        self.fabric = fabric
        self.net = LiveNetwork(fabric.wires.capacity, fabric.routes, limits=fabric.limit)
        owner = np.array(fabric.owner, dtype=np.int64)
        self.mine = [np.flatnonzero(owner == job).tolist() for job in range(len(fabric.jobs))]
        self.stories = [Story() for _ in fabric.jobs]
        self.open: list[int] = [0] * len(fabric.jobs)  # flows of the present collective that still run
        self.wakes: list[tuple[int, int]] = []  # (tick, job) at which a job's flows begin
        self.since = 0

    def play(self) -> dict[str, Story]:
        for number, job in enumerate(self.fabric.jobs):
            self._sleep(number, to_ticks(job.start))
        while any(job.steps and len(s.ends) < job.steps for job, s in zip(self.fabric.jobs, self.stories, strict=True)):
            times = [wake[0] for wake in self.wakes[:1]] + (
                [self.net.next_end] if self.net.next_end is not None else []
            )
            if not times:
                raise Infeasible("the jobs wait for flows that never end: a link on their route has no capacity.")
            self._at(min(times))
        return {job.name: story for job, story in zip(self.fabric.jobs, self.stories, strict=True)}

    def _all_done(self) -> bool:
        pairs = zip(self.fabric.jobs, self.stories, strict=True)
        return all(len(story.ends) >= job.steps for job, story in pairs)

    def _at(self, now: int) -> None:
        self._blame(now)
        while self.wakes and self.wakes[0][0] == now:
            _, number = heapq.heappop(self.wakes)
            self.open[number] = len(self.mine[number])
            for route in self.mine[number]:
                self.net.begin(route, self.fabric.size[route])
            if not self.mine[number]:
                self._step_done(number, now)
        for route in self.net.advance(now).tolist():
            number = self.fabric.owner[route]
            self.open[number] -= 1
            if self.open[number] == 0:
                self._step_done(number, now)

    def _step_done(self, number: int, now: int) -> None:
        job, story = self.fabric.jobs[number], self.stories[number]
        story.ends.append(now)
        if not job.steps or len(story.ends) < job.steps:
            self._sleep(number, now)

    def _sleep(self, number: int, now: int) -> None:
        """Compute, and pass the latency of the collective, before the flows begin."""
        job = self.fabric.jobs[number]
        pause = to_ticks(job.compute) + self.fabric.latency[number]
        if pause == 0 and not self.mine[number]:
            raise InputError(f"job {job.name!r} neither computes nor communicates.")
        heapq.heappush(self.wakes, (now + pause, number))

    def _blame(self, now: int) -> None:
        """Charge the time since the last event to those who share the link that holds a job's slowest flow back."""
        passed = to_seconds(now - self.since)
        self.since = now
        for number, story in enumerate(self.stories):
            if passed <= 0 or not self.open[number]:
                continue
            running = [route for route in self.mine[number] if self.net.rate(route) > 0]
            slowest = max(running, key=lambda route: (self.net.planned_end(route) or 0, -route), default=None)
            link = self.net.bottleneck(slowest) if slowest is not None else None
            if slowest is None or link is None:
                continue
            lost = passed * (1 - self.net.rate(slowest) / self.fabric.limit[slowest])
            others: dict[str, float] = {}
            for route in self.net.users(link):
                if self.fabric.owner[route] != number or route != slowest:
                    name = self.fabric.jobs[self.fabric.owner[route]].name
                    others[name] = others.get(name, 0.0) + self.net.rate(route)
            total = sum(others.values())
            for name, rate in others.items():
                story.lost[link, name] = story.lost.get((link, name), 0.0) + lost * rate / total


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowdown:
    """Who slows whom.

    Attributes:
        job, by: names; ``by`` may be the job itself, whose own flows meet on a link.
        link: names of the ends of the link, in the direction of travel.
        seconds: lost per step there.
    """

    job: str
    by: str
    link: tuple[str, str]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The jobs together, beside each alone.

    Attributes:
        step: s of a mean step together, by job.
        step_alone: s in closed form with nobody else.
        without: s of a mean step of a job when another one is taken away, by (job, other).
        slowdowns: largest first.
    """

    step: dict[str, float]
    step_alone: dict[str, float]
    without: dict[tuple[str, str], float]
    slowdowns: tuple[Slowdown, ...]

    def factor(self, job: str) -> float:
        """Return how many times longer a step takes than alone."""
        return self.step[job] / self.step_alone[job]


def share(cluster: Cluster, jobs: Sequence[Job], *, policy: str = "ecmp", **conditions: Any) -> Shared:
    """Play jobs together, and again without each of them; return who slows whom, by how much and over which link.

    Args:
        policy: of routing, see :meth:`Wires.route`.
        conditions: ``down`` and ``derated`` links, see :class:`Wires`.

    Raises:
        Infeasible: no way round a failed link.
    """
    stories, names = _play(cluster, jobs, policy, conditions)
    timed = [job for job in jobs if job.steps]
    without: dict[tuple[str, str], float] = {}
    for other in jobs:
        rest = [job for job in jobs if job is not other]
        if any(job.steps for job in rest):
            told, _ = _play(cluster, rest, policy, conditions)
            without |= {(job.name, other.name): told[job.name].step(job.start) for job in rest if job.steps}
    slowdowns = [
        Slowdown(job=job.name, by=by, link=names[link], seconds=seconds / len(stories[job.name].ends))
        for job in timed
        for (link, by), seconds in stories[job.name].lost.items()
    ]
    return Shared(
        step={job.name: stories[job.name].step(job.start) for job in timed},
        step_alone={job.name: job.compute + alone(job, cluster).time for job in timed},
        without=dict(sorted(without.items())),
        slowdowns=tuple(sorted(slowdowns, key=lambda one: (-one.seconds, one.job, one.by, one.link))),
    )


def _play(
    cluster: Cluster, jobs: Sequence[Job], policy: str, conditions: dict[str, Any]
) -> tuple[dict[str, Story], list[tuple[str, str]]]:
    wires = Wires(cluster, **conditions)
    ensemble = Ensemble(cluster, jobs, wires, policy=policy)
    return ensemble.run(), wires.names
