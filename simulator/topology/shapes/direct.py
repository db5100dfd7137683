"""What the shapes without switches share: ends that are joined to ends."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from simulator.foundation.errors import InputError
from simulator.topology.wiring import Hop, Level, LinkClass, Vertex, Wiring


class Direct(Wiring):
    """Ends joined by links of their own; an end forwards what is not for it.

    Where ends have several ports, each is joined to the same port of the neighbours, with its part of the capacity.
    """

    def __post_init__(self) -> None:
        if len({run.ports for run in self.ends.runs}) > 1:
            raise InputError(
                f"a {self.shape} joins nodes of equally many adapters; found "
                f"{', '.join(str(run.ports) for run in self.ends.runs)}. Use a fabric with switches, as in 'fat-tree'."
            )

    @abstractmethod
    def neighbours(self, end: int) -> tuple[tuple[int, float], ...]:
        """Return the ends that one end is joined to and the capacity of each bundle, in order of their numbers."""

    @abstractmethod
    def next_end(self, source: int, target: int, pick: int) -> int:
        """Return the neighbour of ``source`` on a shortest path to ``target``."""

    def levels(self, bandwidth: float | None = None) -> tuple[Level, ...]:
        share = self.share()
        return (Level(self.ends.name or self.shape, self.ends.count, share, share, self.ends.latency),)

    def share(self) -> float:
        """Return the bytes/s per direction that an end sends to all its neighbours together."""
        return self.ends.bandwidth

    def switches(self) -> dict[str, int]:
        return {}

    def link_classes(self) -> tuple[LinkClass, ...]:
        found: dict[float, int] = {}
        for hop in self.links():
            found[hop.capacity] = found.get(hop.capacity, 0) + 1
        name = self.ends.name or self.shape
        return tuple(LinkClass(name, found[capacity], capacity, self.ends.latency) for capacity in sorted(found))

    def links(self) -> Iterator[Hop]:
        for end in range(self.ends.count):
            for other, capacity in self.neighbours(end):
                if other > end:
                    for port in range(self.ends.ports):
                        yield self._hop(end, other, port, capacity)

    def _hop(self, source: int, target: int, port: int, capacity: float) -> Hop:
        one, other = Vertex("end", source, port), Vertex("end", target, port)
        return Hop(one, other, capacity / self.ends.ports, self.ends.latency)

    def plane(self, port: Vertex) -> int:
        return port.number

    def joins_planes(self) -> bool:
        return self.ends.ports == 1

    def route(self, source: Vertex, target: Vertex, pick: int) -> tuple[Hop, ...]:
        hops, here = [], source.domain
        while here != target.domain:
            ahead = self.next_end(here, target.domain, pick)
            capacity = dict(self.neighbours(here))[ahead]
            hops.append(self._hop(here, ahead, source.number, capacity))
            here = ahead
        return tuple(hops)

    def way_out(self, source: Vertex, pick: int) -> tuple[Hop, ...]:
        return ()

    def gates(self) -> tuple[Vertex, ...]:
        return tuple(Vertex("end", end, 0) for end in range(self.ends.count))
