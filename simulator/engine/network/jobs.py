"""A job on a fabric: its ranks, what they send in each step, and how long that takes with nobody else there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.costs.collectives import Reach, collective_cost, reach
from simulator.foundation.errors import InputError
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
    return reach(layout(job, cluster), cluster.tiers_of(cluster.spot(job.nodes[0][0]).group), alone=True)


def layout(job: Job, cluster: Cluster) -> tuple[int, ...]:
    """Return the ranks of a job per tier, innermost first.

    A tier whose domains hold unequally many of them joins nothing; the next one further out joins all that is left.
    """
    tiers = cluster.tiers_of(cluster.spot(job.nodes[0][0]).group)
    group: list[int] = []
    inside = 1  # ranks of one domain so far
    for position, tier in enumerate(tiers):
        counts = _members(job, cluster, position, tier.span)
        if inside == job.ranks:
            break
        alike = len(set(counts)) == 1 and counts[0] % inside == 0
        last = position == len(tiers) - 1 or len(counts) == 1
        ranks = counts[0] // inside if alike else job.ranks // inside if last else 1
        group.append(ranks)
        inside *= ranks
    assert inside == job.ranks, f"{group} does not hold the {job.ranks} ranks of {job.name}"
    return tuple(group)


def _members(job: Job, cluster: Cluster, position: int, span: int) -> list[int]:
    """Return how many ranks of a job lie in each domain of a tier that holds any."""
    found: dict[int, int] = {}
    single = len(cluster.groups) == 1
    for node in job.nodes:
        for device in node:
            key = device // span if single else _leader(cluster, found, device, span)
            found[key] = found.get(key, 0) + 1
    return list(found.values())


def _leader(cluster: Cluster, leaders: dict[int, int], device: int, span: int) -> int:
    """Return the device that stands for the domain of another one, itself if it is the first."""
    for other in leaders:
        tier = cluster.tier_between(other, device)
        if tier is None or tier.span <= span:
            return other
    return device
