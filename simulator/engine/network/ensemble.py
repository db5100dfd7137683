"""Several jobs on one fabric: each computes, then communicates, step after step, and slows the others where they meet.

A job's collective costs what ``costs.collectives`` says of it alone: its latency passes first, then its flows run, each
no faster than alone. On shared links they may be slower; the step ends with the last of them.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from simulator.engine.clock import to_seconds, to_ticks
from simulator.engine.network.fabric import Wires, is_gateway, price_between
from simulator.engine.network.jobs import Job, alone, layout
from simulator.engine.network.live import LiveNetwork
from simulator.engine.network.traffic import transfers
from simulator.foundation.errors import Infeasible, InputError
from simulator.topology.cluster import Cluster


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
        ranks = [device for node in job.nodes for device in node]
        reduced = own.algorithm == "in-network"
        sent = transfers(job.operation, job.size, ranks, layout(job, cluster), in_network=reduced)
        for order, (source, target, size) in enumerate(sent):
            wanted = size / own.transfer if own.transfer > 0 else 0.0
            links, _ = self.wires.route(source, target, flow=order, policy=policy, wanted=wanted)
            if size > 0 and links:
                self.routes.append(links)
                self.owner.append(number)
                self.size.append(size)
                self.limit.append(wanted)

    def between_sites(self, cluster: Cluster) -> tuple[dict[str, float], dict[str, float]]:
        """Return the bytes that a step of each job sends over the WAN, and their price in USD."""
        sent = dict.fromkeys((job.name for job in self.jobs), 0.0)
        paid = dict(sent)
        for route, owner, size in zip(self.routes, self.owner, self.size, strict=True):
            for source, target in (self.wires.names[link] for link in route):
                if is_gateway(source) and is_gateway(target):
                    sent[self.jobs[owner].name] += size
                    paid[self.jobs[owner].name] += size * price_between(cluster, source, target)
        return sent, paid

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
