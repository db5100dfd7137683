"""The links of a cluster as the flow network numbers them, and the routes that flows take over them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from simulator.costs.collectives import fabrics_of
from simulator.foundation.errors import Infeasible, UnknownName
from simulator.topology.cluster import Cluster
from simulator.topology.paths import Path, flow_hash, path_between

#: equal paths that an adaptive switch weighs against each other, and that re-routing tries
CANDIDATES: Final = 64
POLICIES: Final = ("ecmp", "adaptive", "single")

Route = tuple[int, ...]


class Wires:
    """Directed links, numbered as they are first used; parallel directions do not disturb each other.

    A link of the network carries what software gets out of it: its datasheet rate times the fraction of its class.
    Links inside a node carry their datasheet rate, since the flows over them know their own limits. Failed links carry
    nothing, and routes go round them where an equal path is left.

    Args:
        cluster: whose links.
        down: failed links by the names of their ends, either way round, as in ``("leaf:0.0", "spine:0.1")``.
        derated: share of its capacity that a link keeps, by the names of its ends.
        ideal: datasheet rates, as if software took nothing.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        down: Iterable[tuple[str, str]] = (),
        derated: Mapping[tuple[str, str], float] | None = None,
        ideal: bool = False,
    ) -> None:
        self.cluster = cluster
        self.names: list[tuple[str, str]] = []
        self.capacity: list[float] = []
        self.down = {ends for one, other in down for ends in ((one, other), (other, one))}
        self.derated = {ends: share for pair, share in (derated or {}).items() for ends in (pair, pair[::-1])}
        self._number: dict[tuple[str, str], int] = {}
        self._asked: dict[int, float] = {}  # B/s that routes so far want of a link, for adaptive choice
        local = [tier for tier in cluster.tiers if tier.name != "wan"]
        self._fraction = 1.0 if ideal else fabrics_of(local)[-1].link_fraction

    def link(self, source: str, target: str, capacity: float) -> int:
        """Return the number of a directed link; it is entered at its first use."""
        ends = (source, target)
        if ends not in self._number:
            whole = (_inside(source) and _inside(target)) or is_gateway(source) or is_gateway(target)
            fraction = 1.0 if whole else self._fraction
            self._number[ends] = len(self.names)
            self.names.append(ends)
            self.capacity.append(capacity * fraction * self.derated.get(ends, 1.0))
        return self._number[ends]

    def route(
        self, source: int, target: int, *, flow: int = 0, policy: str = "ecmp", wanted: float = 0.0
    ) -> tuple[Route, float]:
        """Return the links of a route between two devices, and its latency in s.

        Args:
            flow: tells flows between the same devices apart.
            policy: ``ecmp`` (a hash picks the path: flows may collide), ``adaptive`` (the path whose busiest link is
                least asked for) or ``single`` (always the first).
            wanted: B/s that the flow asks for; what adaptive routing goes by.

        Raises:
            UnknownName: no such policy.
            Infeasible: every equal path crosses a failed link.
        """
        if policy not in POLICIES:
            raise UnknownName("routing policy", policy, POLICIES)
        if source == target:
            return (), 0.0
        first = 0 if policy == "single" else flow_hash(source, target, flow)
        best: tuple[float, Route, float] | None = None
        for path in self._candidates(source, target, first):
            links = tuple(self.link(step.source, step.target, step.capacity) for step in path)
            busiest = max(((self._asked.get(link, 0.0) + wanted) / self.capacity[link] for link in links), default=0.0)
            if best is None or busiest < best[0]:
                best = (busiest, links, sum(step.latency for step in path))
            if policy != "adaptive":
                break
        if best is None:
            raise Infeasible(
                f"every path from device {source} to device {target} crosses a failed link.",
                binding="links that are down",
                relaxation="bring a link back, or place the ranks on the same side",
            )
        for link in best[1]:
            self._asked[link] = self._asked.get(link, 0.0) + wanted
        return best[1], best[2]

    def _candidates(self, source: int, target: int, first: int) -> Iterable[Path]:
        """Yield paths without failed links, beginning with the one that ``first`` picks."""
        for step in range(CANDIDATES):
            path = path_between(self.cluster, source, target, pick=first + step)
            if not any((hop.source, hop.target) in self.down for hop in path):
                yield path


def is_gateway(name: str) -> bool:
    """Whether a vertex joins a site to the WAN; what such links carry allows for loss already."""
    return name.endswith("/gateway")


def price_between(cluster: Cluster, source: str, target: str) -> float:
    """Return USD per byte from one gateway to another."""
    ends = {source.removesuffix("/gateway"), target.removesuffix("/gateway")}
    exact = [wan for wan in cluster.fabric.wan if set(wan.between) == ends]
    general = [wan for wan in cluster.fabric.wan if not wan.between]
    return (exact or general)[0].usd_per_byte if exact or general else 0.0


def _inside(name: str) -> bool:
    """Whether a vertex belongs to the inside of a node or scale-up domain."""
    return name.startswith(("device:", "host:")) or "switch:" in name
