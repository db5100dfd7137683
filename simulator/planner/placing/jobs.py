"""What is to be placed, and where: jobs as equal tasks, the cluster as rooms of like nodes.

A *task* is what a job has on one node: so many devices of it. A *room* is the nodes of one kind below one leaf of the
network. A job has one *home*: a site and a kind of device, on which all of its tasks run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from simulator.costs.memory import usable_memory
from simulator.topology import Cluster
from simulator.topology.scaleup import devices_per_node

Level = Literal["node", "leaf"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job.

    Attributes:
        tasks: how many, each on one node.
        devices: of one task.
        value: what placing all of it is worth; each task an equal part.
        gang: all tasks or none.
        memory: bytes that each device must have for tensors.
        host_memory: bytes of host memory of a task.
        on: names of the devices that it can run on; empty: any.
        within: the level that holds all of its tasks.
        at_most: of its tasks, on one node or below one leaf.
        apart: jobs that may not share a node or a leaf with it.
        near: jobs of which one task at least stands below every leaf that holds a task of this one.
        aligned: its tasks take the same devices of every node, so that all traffic stays on their rails.
        exchange: bytes of the all-reduce of a step; 0 if it sends nothing.
    """

    name: str
    tasks: int
    devices: int
    value: float
    gang: bool = True
    memory: float = 0.0
    host_memory: float = 0.0
    on: tuple[str, ...] = ()
    within: Literal["node", "leaf", "site"] = "site"
    at_most: Mapping[Level, int] | None = None
    apart: Mapping[Level, tuple[str, ...]] | None = None
    near: tuple[str, ...] = ()
    aligned: bool = False
    exchange: float = 0.0

    @property
    def ranks(self) -> int:
        """Devices of all tasks."""
        return self.tasks * self.devices

    def most(self, level: Level) -> int:
        """Return how many of its tasks one node or leaf may hold."""
        return min(self.tasks, (self.at_most or {}).get(level, self.tasks))


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Nodes of one kind below one leaf.

    Attributes:
        site, leaf: numbers in the cluster.
        device: name of what computes in it.
        first, nodes: number of its first node in the cluster, and how many follow each other.
        devices: of one node.
        memory: bytes that tensors can take on a device.
        host_memory: bytes of one node; infinite where no source gives it.
    """

    site: int
    leaf: int
    device: str
    first: int
    nodes: int
    devices: int
    memory: float
    host_memory: float

    @property
    def home(self) -> tuple[int, str]:
        """Site and device."""
        return self.site, self.device

    def suits(self, job: Job) -> bool:
        """Return whether a task of the job can stand on an empty node of it."""
        return (
            job.devices <= self.devices
            and job.memory <= self.memory
            and job.host_memory <= self.host_memory
            and (not job.on or self.device in job.on)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spares:
    """Nodes of every kind that stay empty: ``nodes`` below each leaf, or in the whole cluster."""

    nodes: int = 0
    per: Literal["leaf", "cluster"] = "cluster"


#: every node may be taken
NO_SPARES: Final = Spares()


def rooms_of(cluster: Cluster) -> tuple[Room, ...]:
    """Return the rooms of a cluster; a leaf is the innermost domain of the network between nodes, or else the site."""
    found: list[Room] = []
    leaves: dict[tuple[int, int], int] = {}
    for number, site in enumerate(cluster.sites):
        wiring = site.wiring
        span = wiring.levels()[0].span if wiring is not None else max(1, cluster.nodes)
        for group in site.groups:
            node, device, count = cluster.groups[group]
            start, inside = cluster.start(group), 0
            while inside < count:
                place = (start.node_of_site + inside) // span
                here = min(count, (place + 1) * span - start.node_of_site) - inside
                leaf = leaves.setdefault((number, place), len(leaves))
                found.append(Room(
                    site=number, leaf=leaf, device=device.name, first=start.node + inside, nodes=here,
                    devices=devices_per_node(node), memory=usable_memory(device),
                    host_memory=node.host_memory_bytes or float("inf"),
                ))  # fmt: skip
                inside += here
    return tuple(found)
