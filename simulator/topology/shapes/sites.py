"""Several sites, each one end, joined by WAN links."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from simulator.foundation.errors import InputError
from simulator.topology.fabric import Fabric
from simulator.topology.shapes.direct import Direct
from simulator.topology.shapes.registry import SHAPES
from simulator.topology.wan import Wan
from simulator.topology.wiring import Ends, Hop, Level, Vertex, Wiring

MAX_SITES = 16  # the bisection looks at every halving of the sites


@dataclass(frozen=True, slots=True, kw_only=True)
class Sites(Direct):
    """Sites as ends; ``joined`` holds (site, site, link) with the lower number first, in order."""

    shape: str
    ends: Ends
    joined: tuple[tuple[int, int, Wan], ...]

    def egress(self, site: int) -> float:
        """Return the bytes/s that a site sends over all its links."""
        return sum(link.throughput for one, other, link in self.joined if site in (one, other))

    def levels(self, bandwidth: float | None = None) -> tuple[Level, ...]:
        """Return one level: the site that sends least, the one that sends most, the latency of the longest path."""
        count = self.ends.count
        share = min(self.egress(site) for site in range(count))
        latency = max((self.latency(a, b) for a, b in combinations(range(count), 2)), default=self.ends.latency)
        return (Level("wan", count, share, max(self.egress(site) for site in range(count)), latency),)

    def latency(self, source: int, target: int) -> float:
        """Return seconds, one way, between two sites."""
        path = self.route(Vertex("end", source, 0), Vertex("end", target, 0), 0)
        return sum(hop.latency for hop in path)

    def bisection(self) -> float:
        """Return the least throughput between two halves of the sites (to within one site)."""
        count = self.ends.count
        if count < 2:
            return self.ends.bandwidth
        return min(self.cut(half) for half in combinations(range(count), count // 2))

    def cut(self, inside: tuple[int, ...]) -> float:
        """Return the throughput between some sites and the others."""
        return sum(link.throughput for one, other, link in self.joined if (one in inside) != (other in inside))

    def links(self) -> Iterator[Hop]:
        for one, other, link in self.joined:
            yield Hop(Vertex("end", one, 0), Vertex("end", other, 0), link.throughput, link.latency)

    def neighbours(self, end: int) -> tuple[tuple[int, float], ...]:
        return tuple(
            sorted(
                (other if end == one else one, link.throughput)
                for one, other, link in self.joined
                if end in (one, other)
            )
        )

    def next_end(self, source: int, target: int, pick: int) -> int:
        ahead = _ahead(self.joined, self.ends.count, source, target)
        return ahead[pick % len(ahead)]

    def route(self, source: Vertex, target: Vertex, pick: int) -> tuple[Hop, ...]:
        latencies = {(one, other): link.latency for one, other, link in self.joined}
        path = Direct.route(self, source, target, pick)
        return tuple(
            hop._replace(latency=latencies[min(ends), max(ends)])
            for hop in path
            for ends in ((hop.source.domain, hop.target.domain),)
        )

    def paths(self, source: Vertex, target: Vertex) -> int:
        if source.domain == target.domain:
            return 1
        ahead = _ahead(self.joined, self.ends.count, source.domain, target.domain)
        return sum(self.paths(Vertex("end", end, 0), target) for end in ahead)


@lru_cache(maxsize=4096)
def _ahead(joined: tuple[tuple[int, int, Wan], ...], count: int, source: int, target: int) -> tuple[int, ...]:
    """Return the neighbours of ``source`` that lie on a path of least hops to ``target``."""
    near: list[list[int]] = [[] for _ in range(count)]
    for one, other, _ in joined:
        near[one].append(other)
        near[other].append(one)
    distance, edge = {target: 0}, [target]
    while edge:
        fresh = sorted({site for here in edge for site in near[here]} - distance.keys())
        distance.update(dict.fromkeys(fresh, distance[edge[0]] + 1))
        edge = fresh
    return tuple(site for site in sorted(near[source]) if distance.get(site) == distance[source] - 1)


@SHAPES.register("sites")
def sites(ends: Ends, fabric: Fabric) -> Wiring:
    """Return sites joined over a WAN: one link for every pair, or those that the links name.

    Raises:
        InputError: no link, an unknown site, a pair twice, or sites that no path joins.
    """
    names = tuple(dict.fromkeys(fabric.sites)) or tuple(f"site-{number}" for number in range(ends.count))
    if ends.count > MAX_SITES:
        raise InputError(f"{ends.count} sites; at most {MAX_SITES} are modelled.")
    if not fabric.wan and ends.count > 1:
        raise InputError(f"sites {', '.join(names)} need a WAN link; give its rtt and bandwidth.")
    joined: dict[tuple[int, int], Wan] = {}
    for link in fabric.wan:
        for pair in _pairs(link, names):
            if pair in joined:
                raise InputError(f"two WAN links join {names[pair[0]]} and {names[pair[1]]}; keep one.")
            joined[pair] = link
    _refuse_islands(joined, names)
    listed = tuple((one, other, link) for (one, other), link in sorted(joined.items(), key=lambda item: item[0]))
    return Sites(shape="sites", ends=ends, joined=listed)


def _pairs(link: Wan, names: tuple[str, ...]) -> list[tuple[int, int]]:
    if not link.between:
        return list(combinations(range(len(names)), 2))
    unknown = [name for name in link.between if name not in names]
    if unknown or link.between[0] == link.between[1]:
        raise InputError(f"a WAN link joins two of the sites {', '.join(names)}; found {' and '.join(link.between)}.")
    one, other = sorted(names.index(name) for name in link.between)
    return [(one, other)]


def _refuse_islands(joined: dict[tuple[int, int], Wan], names: tuple[str, ...]) -> None:
    reached = {0}
    for _ in names:
        reached |= {end for pair in joined if reached & set(pair) for end in pair}
    lost = [name for site, name in enumerate(names) if site not in reached]
    if lost:
        raise InputError(f"no WAN link leads from {names[0]} to {', '.join(lost)}; add one.")
