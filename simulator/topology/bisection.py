"""Bisection bandwidth: of a cluster by the closed forms of its shapes, of any graph by looking at every halving."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

import networkx as nx

from simulator.foundation.errors import InputError
from simulator.topology.scaleup import devices_per_node

if TYPE_CHECKING:
    from simulator.topology.cluster import Cluster

MAX_PARTS: Final = 14  # 1,716 halvings, each a maximum flow
_SOURCE: Final = "left half"
_SINK: Final = "right half"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bisection:
    """The least capacity between two halves of one domain.

    Attributes:
        name: of the domain: the tier inside nodes, a site's network, the WAN.
        halves: what is kept whole: ``devices``, ``nodes`` or ``sites``.
        devices: in the domain.
        bandwidth: bytes/s per direction between the halves.
        full: bytes/s that half of the devices can send there; the ratio to it is 1 for a non-blocking network.
    """

    name: str
    halves: str
    devices: int
    bandwidth: float
    full: float

    @property
    def share(self) -> float:
        """Part of what half the devices can send that crosses to the other half."""
        return self.bandwidth / self.full


def bisections(cluster: Cluster) -> tuple[Bisection, ...]:
    """Return the bisection of each kind of domain, innermost first, each kind of scale-up domain once."""
    return tuple(dict.fromkeys((*_scale_up_domains(cluster), *_networks(cluster), *_between_sites(cluster))))


def _scale_up_domains(cluster: Cluster) -> Iterator[Bisection]:
    for inner in cluster.scale_ups:
        if inner.size > 1:
            level = inner.whole.levels()[-1]
            yield Bisection(
                name=level.name,
                halves="devices",
                devices=inner.size,
                bandwidth=inner.whole.bisection(),
                full=inner.whole.ends.slowest_half(),
            )


def _networks(cluster: Cluster) -> Iterator[Bisection]:
    for site in cluster.sites:
        if site.wiring is not None:
            devices = sum(devices_per_node(cluster.groups[one][0]) * cluster.groups[one][2] for one in site.groups)
            yield Bisection(
                name=f"{site.name}/{site.wiring.shape}" if len(cluster.sites) > 1 else site.wiring.shape,
                halves="nodes",
                devices=devices,
                bandwidth=site.wiring.bisection(),
                full=site.wiring.ends.slowest_half(),
            )


def _between_sites(cluster: Cluster) -> Iterator[Bisection]:
    if cluster.wan is not None:
        full = sum(sorted(cluster.sent_by_sites())[: len(cluster.sites) // 2])
        yield Bisection(name="wan", halves="sites", devices=cluster.devices, bandwidth=cluster.bisection(), full=full)


def capacity_between(graph: nx.Graph[str], left: Sequence[str], right: Sequence[str]) -> float:
    """Return the least capacity (bytes/s per direction) whose loss parts two sets of vertices: the maximum flow.

    Source: Ford and Fulkerson 1956, doi:10.4153/CJM-1956-045-5.
    """
    flow: nx.DiGraph[str] = nx.DiGraph()
    capacity: float
    for one, other, capacity in graph.edges(data="capacity"):
        flow.add_edge(one, other, capacity=capacity)
        flow.add_edge(other, one, capacity=capacity)
    for vertex in left:
        flow.add_edge(_SOURCE, vertex)  # without a capacity: no limit
    for vertex in right:
        flow.add_edge(vertex, _SINK)
    return float(nx.maximum_flow_value(flow, _SOURCE, _SINK))


def exact_bisection(graph: nx.Graph[str], parts: Sequence[Sequence[str]]) -> float:
    """Return the least capacity between two halves of the parts (to within one), each part kept whole.

    Args:
        graph: links with ``capacity`` in bytes/s per direction.
        parts: sets of vertices; those of the graph in none of them may stand on either side.

    Raises:
        InputError: fewer than two parts, or more than every halving of which can be looked at.
    """
    if not 2 <= len(parts) <= MAX_PARTS:
        raise InputError(
            f"{len(parts)} parts; every halving is looked at, which needs 2 to {MAX_PARTS} of them. Larger clusters "
            "have closed forms: describe the cluster by nodes and a fabric."
        )
    best = math.inf
    for half in combinations(range(len(parts)), len(parts) // 2):
        if len(parts) % 2 == 0 and 0 not in half:
            continue  # the same halving, seen from the other side
        left = [vertex for number in half for vertex in parts[number]]
        right = [vertex for number, part in enumerate(parts) if number not in half for vertex in part]
        best = min(best, capacity_between(graph, left, right))
    return best
