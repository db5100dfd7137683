"""Direct links between all ends, or between those of a hybrid cube mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simulator.foundation.errors import InputError
from simulator.topology.fabric import Fabric
from simulator.topology.shapes.direct import Direct
from simulator.topology.shapes.registry import SHAPES
from simulator.topology.wiring import Ends, Vertex, Wiring

#: links between the 8 devices of a hybrid cube mesh with 6 links each, as ``nvidia-smi topo -m`` prints them on a DGX-1
#: with V100 (NV1, NV2); 0 where two devices are two hops apart
CUBE: Final = (
    (0, 1, 1, 2, 2, 0, 0, 0),
    (1, 0, 2, 1, 0, 2, 0, 0),
    (1, 2, 0, 2, 0, 0, 1, 0),
    (2, 1, 2, 0, 0, 0, 0, 1),
    (2, 0, 0, 0, 0, 1, 1, 2),
    (0, 2, 0, 0, 1, 0, 2, 1),
    (0, 0, 1, 0, 1, 2, 0, 2),
    (0, 0, 0, 1, 2, 1, 2, 0),
)
CUBE_LINKS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class FullMesh(Direct):
    """Every end joined to every other; the bandwidth of an end is split evenly over the others."""

    shape: str
    ends: Ends

    @property
    def pair_limit(self) -> float | None:
        return self.ends.bandwidth / (self.ends.count - 1) if self.ends.count > 2 else None

    def bisection(self) -> float:
        count, half = self.ends.count, self.ends.count // 2
        return half * (count - half) * self.ends.bandwidth / (count - 1) if count > 1 else self.ends.bandwidth

    def neighbours(self, end: int) -> tuple[tuple[int, float], ...]:
        capacity = self.ends.bandwidth / max(1, self.ends.count - 1)
        return tuple((other, capacity) for other in range(self.ends.count) if other != end)

    def next_end(self, source: int, target: int, pick: int) -> int:
        return target

    def paths(self, source: Vertex, target: Vertex) -> int:
        return 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeMesh(Direct):
    """Two fully meshed quads whose devices are joined in pairs; some links are doubled."""

    shape: str
    ends: Ends

    @property
    def pair_limit(self) -> float | None:
        return self.ends.bandwidth / CUBE_LINKS

    def bisection(self) -> float:
        """Return the capacity between the quads: 6 of the links."""
        return 6 * self.ends.bandwidth / CUBE_LINKS

    def neighbours(self, end: int) -> tuple[tuple[int, float], ...]:
        link = self.ends.bandwidth / CUBE_LINKS
        return tuple((other, count * link) for other, count in enumerate(CUBE[end]) if count)

    def _ahead(self, source: int, target: int) -> tuple[int, ...]:
        if CUBE[source][target]:
            return (target,)
        return tuple(other for other in range(len(CUBE)) if CUBE[source][other] and CUBE[other][target])

    def next_end(self, source: int, target: int, pick: int) -> int:
        ahead = self._ahead(source, target)
        return ahead[pick % len(ahead)]

    def paths(self, source: Vertex, target: Vertex) -> int:
        return len(self._ahead(source.domain, target.domain))


@SHAPES.register("full-mesh")
def full_mesh(ends: Ends, fabric: Fabric) -> Wiring:
    """Return ends that are joined to each other directly (xGMI, Gaudi, bridged pairs)."""
    return FullMesh(shape="full-mesh", ends=ends)


@SHAPES.register("cube-mesh")
def cube_mesh(ends: Ends, fabric: Fabric) -> Wiring:
    """Return the hybrid cube mesh of eight devices.

    Raises:
        InputError: another number of ends.
    """
    if ends.count != len(CUBE):
        raise InputError(f"a cube-mesh joins 8 devices, and there are {ends.count}; use 'full-mesh' or 'nvswitch'.")
    return CubeMesh(shape="cube-mesh", ends=ends)
