"""Dragonfly: groups of fully meshed routers, every pair of groups joined by global links."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations

from simulator.foundation.errors import Infeasible, InputError
from simulator.topology.fabric import Fabric
from simulator.topology.shapes.registry import SHAPES
from simulator.topology.wiring import Ends, Hop, Level, LinkClass, Vertex, Wiring, backwards


@dataclass(frozen=True, slots=True, kw_only=True)
class Dragonfly(Wiring):
    """Ends on routers, routers in groups; every link has the rate of one port of an end.

    Global port ``k`` of a group leads to the group ``1 + k mod (groups - 1)`` further on; ports that do not divide
    evenly over the other groups stay unused, so that each pair of groups has ``trunk`` links.

    Source: Kim, Dally, Scott, Abts 2008, doi:10.1109/ISCA.2008.19 (balanced: a = 2p = 2h).
    Routes are minimal: at most one local, one global and one local link.
    """

    shape: str
    ends: Ends
    hosts: int  # ends on one router
    routers: int  # routers of one group
    globals_: int  # global links of one router

    @property
    def groups(self) -> int:
        """Number of groups."""
        return -(-self.ends.count // (self.hosts * self.routers))

    @property
    def trunk(self) -> int:
        """Links between two groups."""
        return self.routers * self.globals_ // (self.groups - 1) if self.groups > 1 else 0

    @property
    def rate(self) -> float:
        """Bytes/s per direction of one link between routers."""
        return self.ends.fastest / self.ends.ports

    def levels(self, bandwidth: float | None = None) -> tuple[Level, ...]:
        end, switch, count = self.ends.latency, self.ends.switch_latency, self.ends.count
        share = own = self.ends.bandwidth if bandwidth is None else bandwidth
        found = [Level("router", min(self.hosts, count), share, share, 2 * end + switch)]
        if count > self.hosts:
            share = min(share, (self.routers - 1) * self.rate / self.hosts)
            span = min(self.hosts * self.routers, count)
            found.append(Level("group", span, share, min(own, self.rate), 2 * end + 2 * switch))
        if self.groups > 1:
            out = self.trunk * (self.groups - 1) * self.rate
            share = min(share, out / (self.hosts * self.routers))
            port = min(own, self.trunk * self.rate)
            found.append(Level("global", count, min(share, port), port, 2 * end + 4 * switch))
        return tuple(
            level if level.port >= level.bandwidth else level._replace(port=level.bandwidth) for level in found
        )

    def bisection(self) -> float:
        """Return the least cut among: by groups, and through the middle of every group.

        The first is exact for an even number of whole groups in the balanced sizes; otherwise this is an upper bound.
        """
        if self.ends.count < 2:
            return self.ends.bandwidth
        half, size = self.ends.count // 2, self.hosts * self.routers
        by_order = self._cut(lambda end: end < half)
        through = self._cut(lambda end: end % size < size // 2) if self.ends.count % size == 0 else by_order
        return min(by_order, through, self.ends.slowest_half())

    def _cut(self, left: Callable[[int], bool]) -> float:
        """Return the capacity between two halves of the ends; a router stands with most of its ends."""
        sides, total = {}, 0.0
        for router in range(self.groups * self.routers):
            first = router * self.hosts
            ends = range(first, min(first + self.hosts, self.ends.count))
            here = sum(1 for end in ends if left(end))
            sides[divmod(router, self.routers)] = here * 2 > len(ends) if ends else left(self.ends.count - 1)
            total += min(here, len(ends) - here) * self.ends.fastest
        for hop in self._between_routers():
            if sides[hop.source.domain, hop.source.number] != sides[hop.target.domain, hop.target.number]:
                total += hop.capacity
        return total

    def switches(self) -> dict[str, int]:
        return {"router": self.groups * self.routers}

    def link_classes(self) -> tuple[LinkClass, ...]:
        switch = self.ends.switch_latency
        local = self.groups * self.routers * (self.routers - 1) // 2
        across = self.groups * (self.groups - 1) // 2 * self.trunk
        ends = [
            LinkClass("end-router", run.count * run.ports, run.bandwidth / run.ports, self.ends.latency + switch / 2)
            for run in self.ends.runs
        ]
        return (*ends, LinkClass("local", local, self.rate, switch), LinkClass("global", across, self.rate, switch))

    def links(self) -> Iterator[Hop]:
        for end in range(self.ends.count):
            for port in range(self.ends.of(end).ports):
                yield self._attachment(Vertex("end", end, port))
        yield from self._between_routers()

    def _between_routers(self) -> Iterator[Hop]:
        for group in range(self.groups):
            for one, other in combinations(range(self.routers), 2):
                yield self._hop(Vertex("router", group, one), Vertex("router", group, other))
        for one, other in combinations(range(self.groups), 2):
            for link in range(self.trunk):
                yield self._global(one, other, link)

    def _hop(self, source: Vertex, target: Vertex) -> Hop:
        return Hop(source, target, self.rate, self.ends.switch_latency)

    def _global(self, one: int, other: int, link: int) -> Hop:
        """Return global link number ``link`` between two groups."""
        ahead = (other - one - 1) % self.groups
        near = (ahead + link * (self.groups - 1)) // self.globals_
        far = (self.groups - 2 - ahead + link * (self.groups - 1)) // self.globals_
        return self._hop(Vertex("router", one, near), Vertex("router", other, far))

    def _router(self, end: int) -> Vertex:
        return Vertex("router", *divmod(end // self.hosts, self.routers))

    def _attachment(self, end: Vertex) -> Hop:
        run = self.ends.of(end.domain)
        return Hop(
            end, self._router(end.domain), run.bandwidth / run.ports, self.ends.latency + self.ends.switch_latency / 2
        )

    def _between(self, source: Vertex, target: Vertex) -> list[tuple[Hop, ...]]:
        """Return the shortest paths between two routers, in order of their global links."""
        if source == target:
            return [()]
        if source.domain == target.domain:
            return [(self._hop(source, target),)]
        found = []
        for link in range(self.trunk):
            # the same links both ways: they are numbered from the group of the lower number
            low, high = sorted((source.domain, target.domain))
            crossing = (self._global(low, high, link),)
            out = (crossing if source.domain == low else backwards(crossing))[0]
            path = [self._hop(source, out.source)] if out.source != source else []
            path.append(out)
            path += [self._hop(out.target, target)] if out.target != target else []
            found.append(tuple(path))
        shortest = min(len(path) for path in found)
        return [path for path in found if len(path) == shortest]

    def paths(self, source: Vertex, target: Vertex) -> int:
        return len(self._between(self._router(source.domain), self._router(target.domain)))

    def route(self, source: Vertex, target: Vertex, pick: int) -> tuple[Hop, ...]:
        choices = self._between(self._router(source.domain), self._router(target.domain))
        middle = choices[pick % len(choices)]
        return (self._attachment(source), *middle, *backwards((self._attachment(target),)))

    def way_out(self, source: Vertex, pick: int) -> tuple[Hop, ...]:
        router = self._router(source.domain)
        gate = Vertex("router", router.domain, 0)
        return (self._attachment(source), *((self._hop(router, gate),) if router != gate else ()))

    def gates(self) -> tuple[Vertex, ...]:
        return tuple(Vertex("router", group, 0) for group in range(self.groups))


@SHAPES.register("dragonfly")
def dragonfly(ends: Ends, fabric: Fabric) -> Wiring:
    """Return a dragonfly; dims are ports to nodes per router, routers per group, global links per router.

    Without dims, the balanced sizes a = 2p = 2h of routers with ``fabric.radix`` ports.

    Raises:
        InputError: dims that are not three numbers.
        Infeasible: more groups than global links can join.
    """
    half = max(1, (fabric.radix + 1) // 4)
    if fabric.dims and len(fabric.dims) != 3:
        raise InputError(
            f"dims has {len(fabric.dims)} numbers; a dragonfly needs three: ports to ends per router, routers per "
            "group and global links per router, as in 16x32x16."
        )
    ports, routers, across = fabric.dims or (half, 2 * half, half)
    hosts = max(1, ports // ends.ports)
    shape = Dragonfly(shape="dragonfly", ends=ends, hosts=hosts, routers=routers, globals_=across)
    if shape.groups > routers * across + 1:
        raise Infeasible(
            f"{ends.count} nodes need {shape.groups} groups, and {routers * across} global links of a group join at "
            f"most {routers * across + 1}.",
            binding="global links",
            relaxation="routers of a larger radix, or more global links per router",
        )
    return shape
