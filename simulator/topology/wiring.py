"""How like ends are joined: the questions that every shape answers in closed form, and the parts that it is made of.

A wiring joins ``ends.count`` ends (devices of a scale-up domain, nodes of a site, sites of a cluster). It is a few
numbers, however many ends there are; vertices and links are generated only for those who iterate over them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from simulator.topology.tiers import Torus


class Vertex(NamedTuple):
    """A vertex in the numbering of its wiring: ``("end", end, port)`` or (switch level, domain, switch)."""

    kind: str
    domain: int
    number: int


class Hop(NamedTuple):
    """One link, travelled from ``source`` to ``target``; capacity in bytes/s per direction, latency in seconds."""

    source: Vertex
    target: Vertex
    capacity: float
    latency: float


def backwards(hops: tuple[Hop, ...]) -> tuple[Hop, ...]:
    """Return the same path travelled from its end to its start."""
    return tuple(Hop(hop.target, hop.source, hop.capacity, hop.latency) for hop in reversed(hops))


@dataclass(frozen=True, slots=True)
class LinkClass:
    """Identical links, folded: ``count`` of them, each with ``capacity`` bytes/s per direction."""

    name: str
    count: int
    capacity: float
    latency: float


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring ends that are alike: how many, bytes/s per direction of all ports of one, and its ports."""

    count: int
    bandwidth: float
    ports: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """What is to be joined.

    Attributes:
        runs: the ends in their order, like neighbours folded.
        latency: seconds from an end into the first switch, or over one direct link.
        switch_latency: seconds through one switch.
        name: of the tier next to the ends (``nvlink``, ``leaf``); empty for the shape's own word.
    """

    runs: tuple[Run, ...]
    latency: float
    switch_latency: float = 0.0
    name: str = ""

    @property
    def count(self) -> int:
        """Number of ends."""
        return sum(run.count for run in self.runs)

    @property
    def bandwidth(self) -> float:
        """Bytes/s per direction of the slowest end: what all get when all are alike."""
        return min(run.bandwidth for run in self.runs)

    @property
    def fastest(self) -> float:
        """Bytes/s per direction of the fastest end: what switches are sized for."""
        return max(run.bandwidth for run in self.runs)

    @property
    def ports(self) -> int:
        """Most ports of one end."""
        return max(run.ports for run in self.runs)

    def of(self, end: int) -> Run:
        """Return the run that an end belongs to."""
        for run in self.runs:
            if end < run.count:
                return run
            end -= run.count
        raise AssertionError("no such end")

    def slowest_half(self) -> float:
        """Bytes/s of half the ends, the slowest ones: no halving can carry more than the cheaper half sends."""
        left, total = self.count // 2, 0.0
        for run in sorted(self.runs, key=lambda run: run.bandwidth):
            taken = min(left, run.count)
            total, left = total + taken * run.bandwidth, left - taken
        return total


class Level(NamedTuple):
    """A tier in units of ends: see :class:`simulator.topology.tiers.Tier`."""

    name: str
    span: int
    bandwidth: float
    port: float
    latency: float


class Wiring(ABC):
    """Ends joined in one shape."""

    shape: str
    ends: Ends

    @abstractmethod
    def levels(self, bandwidth: float | None = None) -> tuple[Level, ...]:
        """Return the nested domains, innermost first; the last one spans all ends.

        Args:
            bandwidth: bytes/s of the end that looks; by default of the slowest.
        """

    @abstractmethod
    def bisection(self) -> float:
        """Return the least capacity in bytes/s per direction over all halvings of the ends (to within one end)."""

    @abstractmethod
    def switches(self) -> dict[str, int]:
        """Return the number of switches by level."""

    @abstractmethod
    def link_classes(self) -> tuple[LinkClass, ...]:
        """Return the links, folded."""

    @abstractmethod
    def links(self) -> Iterator[Hop]:
        """Yield every link once."""

    @abstractmethod
    def route(self, source: Vertex, target: Vertex, pick: int) -> tuple[Hop, ...]:
        """Return a shortest path between two end vertices.

        Args:
            source, target: ``("end", end, port)``.
            pick: any number; chooses among paths of equal length, always in the same way.
        """

    @abstractmethod
    def paths(self, source: Vertex, target: Vertex) -> int:
        """Return how many paths of least hops join two ports."""

    @abstractmethod
    def gates(self) -> tuple[Vertex, ...]:
        """Return the vertices through which the whole wiring is joined to the outside."""

    @abstractmethod
    def way_out(self, source: Vertex, pick: int) -> tuple[Hop, ...]:
        """Return a shortest path from an end to one of the :meth:`gates`; empty where the end is one itself."""

    def plane(self, port: Vertex) -> int:
        """Return the plane (rail) of the network that a port of an end is joined to."""
        return 0

    def joins_planes(self) -> bool:
        """Return whether :meth:`route` leads from one plane to another."""
        return True

    @property
    def pair_limit(self) -> float | None:
        """Bytes/s between two ends, where one end alone can send more than that (direct links)."""
        return None

    @property
    def torus(self) -> Torus | None:
        """The grid, if the shape is one."""
        return None

    def uniform_limit(self) -> float | None:
        """Bytes/s per end when each sends to all others alike, where the bisection allows less than a fair share.

        Of ``n`` ends at rate ``r``, each of one half of ``h`` ends sends ``r (n - h) / (n - 1)`` to the other half.
        """
        count, half = self.ends.count, self.ends.count // 2
        if count < 2:
            return None
        limit = self.bisection() * (count - 1) / (half * (count - half))
        return limit if limit < self.levels()[-1].bandwidth * (1 - 1e-9) else None
