"""Routing on the unfolded graph: shortest paths, equal-cost choice by hash, least-loaded choice, failures.

Shortest is by ``weight``, a whole number (see ``topology.graph``), so that equal paths are exactly equal. Every answer
depends on names and numbers alone, never on the order in which vertices, links or flows were added.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

import networkx as nx

from simulator.foundation.errors import InputError
from simulator.foundation.registry import Registry
from simulator.topology.paths import flow_hash

Link = tuple[str, str]
Route = tuple[str, ...]

#: (router, source, target, flow number, load in bytes/s per direction of each link) -> path
Policy = Callable[["Router", str, str, int, Mapping[Link, float]], Route]

POLICIES: Final[Registry[Policy]] = Registry("routing policy")


class Router:
    """Shortest paths of one graph; distances to a target are found once and kept."""

    def __init__(self, graph: nx.Graph[str]) -> None:
        self.graph = graph
        self._distances: dict[str, dict[str, int]] = {}

    def distances(self, target: str) -> dict[str, int]:
        """Return the summed weights from every vertex that reaches ``target``; raises InputError if it is unknown."""
        if target not in self.graph:
            raise InputError(f"no vertex {target!r} in the graph; names are as in 'device:0' or 'nic:0.0'.")
        if target not in self._distances:
            self._distances[target] = _dijkstra(self.graph, target)
        return self._distances[target]

    def ahead(self, here: str, target: str) -> tuple[str, ...]:
        """Return the neighbours on shortest paths to ``target``, sorted by name; raises InputError if cut off."""
        distances = self.distances(target)
        if here not in distances:
            raise InputError(f"no path from {here!r} to {target!r}: the links between them are down or missing.")
        near = self.graph[here]
        return tuple(
            sorted(other for other in near if distances.get(other, -1) == distances[here] - near[other]["weight"])
        )

    def equal_paths(self, source: str, target: str, *, limit: int = 1024) -> tuple[Route, ...]:
        """Return the shortest paths in order of their names, at most ``limit`` of them."""
        found: list[Route] = []
        for path in self._walk((source,), target):
            found.append(path)
            if len(found) == limit:
                break
        return tuple(found)

    def _walk(self, path: Route, target: str) -> Iterator[Route]:
        if path[-1] == target:
            yield path
            return
        for other in self.ahead(path[-1], target):
            yield from self._walk((*path, other), target)

    def route(
        self, source: str, target: str, *, flow: int = 0, policy: str = "ecmp", load: Mapping[Link, float] | None = None
    ) -> Route:
        """Return one shortest path, chosen by a registered policy.

        Raises:
            InputError: an unknown vertex, or none reaches the other.
            UnknownName: no such policy.
        """
        return POLICIES[policy](self, source, target, flow, load or {})


def _dijkstra(graph: nx.Graph[str], target: str) -> dict[str, int]:
    """Return the summed weights from every vertex that reaches the target."""
    distances: dict[str, int] = {}
    queue: list[tuple[int, str]] = [(0, target)]
    while queue:
        distance, here = heapq.heappop(queue)
        if here in distances:
            continue
        distances[here] = distance
        for other, link in graph[here].items():
            if other not in distances:
                heapq.heappush(queue, (distance + link["weight"], other))
    return distances


@POLICIES.register("single")
def single(router: Router, source: str, target: str, flow: int, load: Mapping[Link, float]) -> Route:
    """Return the same path for every flow between two vertices: the first by name."""
    return _follow(router, source, target, lambda here, ahead: ahead[0])


@POLICIES.register("ecmp")
def ecmp(router: Router, source: str, target: str, flow: int, load: Mapping[Link, float]) -> Route:
    """Return the path that a hash of the flow chooses at every vertex, as switches do with a packet's header.

    Flows may collide on one link while others stay idle (Al-Fares et al. 2010, Hedera).
    """
    return _follow(
        router, source, target, lambda here, ahead: ahead[flow_hash(source, target, flow, here) % len(ahead)]
    )


@POLICIES.register("adaptive")
def adaptive(router: Router, source: str, target: str, flow: int, load: Mapping[Link, float]) -> Route:
    """Return the path that takes the least used link at every vertex, ties by the hash of the flow.

    Use is load over capacity; a switch sees its own links only, not those further on.
    """

    def least(here: str, ahead: tuple[str, ...]) -> str:
        use = {other: load.get((here, other), 0.0) / router.graph.edges[here, other]["capacity"] for other in ahead}
        free = [other for other in ahead if use[other] == min(use.values())]
        return free[flow_hash(source, target, flow, here) % len(free)]

    return _follow(router, source, target, least)


def _follow(router: Router, source: str, target: str, choose: Callable[[str, tuple[str, ...]], str]) -> Route:
    path = [source]
    while path[-1] != target:
        path.append(choose(path[-1], router.ahead(path[-1], target)))
    return tuple(path)


def links_of(route: Route) -> tuple[Link, ...]:
    """Return the links of a path, each in the direction it is travelled."""
    return tuple(pairwise(route))


def spread(
    router: Router, flows: Sequence[tuple[str, str, float]], *, policy: str = "ecmp"
) -> tuple[tuple[Route, ...], dict[Link, float]]:
    """Route flows and return their paths and the load in bytes/s that each direction of a link is asked to carry.

    Args:
        router: of the graph.
        flows: (source, target, bytes/s wanted). The result for the whole set does not depend on their order: flows
            between the same two vertices are told apart by their rank among equals, and are placed largest first.
        policy: a name in ``POLICIES``.
    """
    order = sorted(range(len(flows)), key=lambda number: (-flows[number][2], flows[number][0], flows[number][1]))
    seen: dict[tuple[str, str], int] = {}
    load: dict[Link, float] = {}
    routes: list[Route] = [()] * len(flows)
    for number in order:
        source, target, wanted = flows[number]
        rank = seen[source, target] = seen.get((source, target), -1) + 1
        routes[number] = router.route(source, target, flow=rank, policy=policy, load=load)
        for link in links_of(routes[number]):
            load[link] = load.get(link, 0.0) + wanted
    return tuple(routes), dict(sorted(load.items()))


def degraded(graph: nx.Graph[str], factors: Mapping[Link, float]) -> nx.Graph[str]:
    """Return a copy in which some links (named in either direction) keep a part of their capacity; 0 takes them away.

    Routes over the copy avoid what is away: re-routing is a new :class:`Router`.

    Raises:
        InputError: no such link, or a factor that is no share from 0 to 1.
    """
    copy = graph.copy()
    for (one, other), factor in sorted(factors.items()):
        if not graph.has_edge(one, other):
            raise InputError(f"no link between {one!r} and {other!r} in the graph.")
        if not 0 <= factor <= 1:
            raise InputError(f"the factor of the link {one} - {other} is {factor:g}; it is a share from 0 to 1.")
        if factor == 0:
            if copy.has_edge(one, other):
                copy.remove_edge(one, other)
        else:
            copy.edges[one, other]["capacity"] = graph.edges[one, other]["capacity"] * factor
    return copy
