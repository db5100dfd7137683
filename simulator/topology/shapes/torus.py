"""Grids: every end is joined to its neighbours along two or three axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulator.foundation.errors import InputError
from simulator.topology.fabric import Fabric
from simulator.topology.shapes.direct import Direct
from simulator.topology.shapes.registry import SHAPES
from simulator.topology.tiers import Torus
from simulator.topology.wiring import Ends, Vertex, Wiring


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid(Direct):
    """A torus, or a mesh where an axis does not wrap; the bandwidth of an end is split over two links per axis.

    An axis of two ends has one link between them; the other port of each stays unused.
    """

    shape: str
    ends: Ends
    dims: tuple[int, ...]
    wrap: tuple[bool, ...]

    @property
    def link_bandwidth(self) -> float:
        """Bytes/s per direction of one link."""
        return self.ends.bandwidth / (2 * len(self.dims))

    @property
    def torus(self) -> Torus:
        return Torus(dims=self.dims, wrap=self.wrap, link_bandwidth=self.link_bandwidth, hop_latency=self.ends.latency)

    @property
    def pair_limit(self) -> float:
        return self.link_bandwidth

    def share(self) -> float:
        grid = self.torus
        used = sum(grid.links_along(axis) for axis in range(len(self.dims)))
        return self.link_bandwidth * used if used else self.ends.bandwidth

    def bisection(self) -> float:
        if self.ends.count < 2:
            return self.ends.bandwidth
        return _least_cut(self.dims, self.wrap) * self.link_bandwidth

    def place(self, end: int) -> tuple[int, ...]:
        """Return the coordinates of an end."""
        found = []
        for size in reversed(self.dims):
            end, along = divmod(end, size)
            found.append(along)
        return tuple(reversed(found))

    def at(self, place: tuple[int, ...]) -> int:
        """Return the end at some coordinates."""
        end = 0
        for along, size in zip(place, self.dims, strict=True):
            end = end * size + along
        return end

    def _moved(self, place: tuple[int, ...], axis: int, step: int) -> int:
        along = (place[axis] + step) % self.dims[axis]
        return self.at((*place[:axis], along, *place[axis + 1 :]))

    def neighbours(self, end: int) -> tuple[tuple[int, float], ...]:
        place, found = self.place(end), set()
        for axis, size in enumerate(self.dims):
            for step in (-1, 1):
                if size > 1 and (self.wrap[axis] or 0 <= place[axis] + step < size):
                    found.add(self._moved(place, axis, step))
        return tuple((other, self.link_bandwidth) for other in sorted(found))

    def _steps(self, source: int, target: int) -> list[tuple[int, int, bool]]:
        """Return (axis, signed distance, whether the other way round is as short) for the axes that differ."""
        found = []
        for axis, (a, b) in enumerate(zip(self.place(source), self.place(target), strict=True)):
            size, ahead = self.dims[axis], b - a
            if self.wrap[axis]:
                ahead = (b - a) % size
                ahead = ahead - size if 2 * ahead > size else ahead
            if ahead:
                found.append((axis, ahead, self.wrap[axis] and 2 * ahead == size and size > 2))
        return found

    def next_end(self, source: int, target: int, pick: int) -> int:
        """Go along one axis after the other (dimension order), beginning with the one that ``pick`` names.

        At exactly half a ring ``pick`` chooses the direction; the next step is then shorter that way.
        """
        steps = self._steps(source, target)
        first = pick % len(self.dims)
        axis, ahead, tie = min(steps, key=lambda step: (step[0] - first) % len(self.dims))
        forward = ahead > 0 if not tie else pick // len(self.dims) % 2 == 0
        return self._moved(self.place(source), axis, 1 if forward else -1)

    def paths(self, source: Vertex, target: Vertex) -> int:
        """Return the shortest paths: orders of the steps along the axes, and both ways round where equally long."""
        steps = self._steps(source.domain, target.domain)
        orders = math.factorial(sum(abs(ahead) for _, ahead, _ in steps))
        for _, ahead, tie in steps:
            orders = orders // math.factorial(abs(ahead)) * (2 if tie else 1)
        return orders


def _least_cut(dims: tuple[int, ...], wrap: tuple[bool, ...]) -> int:
    """Return the fewest links between two halves of a grid (to within one end).

    Cut across one axis into slabs; where that axis is odd, the middle slab is itself halved, across the other axes.
    """
    if math.prod(dims) < 2:
        return 0
    best = math.inf
    for axis, size in enumerate(dims):
        if size < 2:
            continue
        faces = (2 if wrap[axis] and size > 2 else 1) * math.prod(dims) // size
        others = (*dims[:axis], *dims[axis + 1 :]), (*wrap[:axis], *wrap[axis + 1 :])
        best = min(best, faces + (_least_cut(*others) if size % 2 else 0))
    return int(best)


def cubic(count: int, axes: int) -> tuple[int, ...]:
    """Return sides whose product is ``count``, as equal as can be, smallest first.

    >>> cubic(64, 3), cubic(128, 3), cubic(12, 2)
    ((4, 4, 4), (4, 4, 8), (3, 4))
    """
    if axes == 1:
        return (count,)
    side = round(count ** (1 / axes))
    side = side if side**axes <= count else side - 1
    first = next(size for size in range(max(side, 1), 0, -1) if count % size == 0)
    return tuple(sorted((first, *cubic(count // first, axes - 1))))


def _grid(shape: str, axes: int, ends: Ends, fabric: Fabric) -> Wiring:
    dims = fabric.dims or cubic(ends.count, axes)
    if len(dims) != axes or math.prod(dims) != ends.count:
        shown = "x".join(map(str, dims))
        raise InputError(
            f"dims {shown} hold {math.prod(dims)} ends on {len(dims)} axes; a {shape} of {ends.count} needs {axes}, "
            f"as in {'x'.join(map(str, cubic(ends.count, axes)))}."
        )
    asked = fabric.wrap if isinstance(fabric.wrap, tuple) else (fabric.wrap is not False,) * axes
    if len(asked) != axes:
        raise InputError(f"wrap has {len(asked)} answers for a {shape} of {axes} axes; give one for each.")
    wrap = tuple(size > 2 and ring for size, ring in zip(dims, asked, strict=True))
    return Grid(shape=shape, ends=ends, dims=dims, wrap=wrap)


@SHAPES.register("torus-2d")
def torus_2d(ends: Ends, fabric: Fabric) -> Wiring:
    """Return a 2D torus, its axes given by dims or as equal as can be.

    Raises:
        InputError: dims that do not hold the ends.
    """
    return _grid("torus-2d", 2, ends, fabric)


@SHAPES.register("torus-3d")
def torus_3d(ends: Ends, fabric: Fabric) -> Wiring:
    """Return a 3D torus, its axes given by dims or as equal as can be.

    Raises:
        InputError: dims that do not hold the ends.
    """
    return _grid("torus-3d", 3, ends, fabric)
