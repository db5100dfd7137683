"""The slice of a torus that a group takes: how far it runs along each axis, and which links that leaves each rank.

Devices are numbered along the last axis first, so that a group of neighbours fills that axis before it enters the
next. Along an axis that it runs all round it closes a ring, and a rank sends both ways; along a part of one it is a
line, whose end gets everything through a single link. Where its members lie ``k`` devices apart, ``k`` groups share the
links between them. The links of all axes work at once (Jouppi et al. 2023, arXiv:2304.01433, section 2.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.foundation.errors import InputError
from simulator.topology.tiers import Tier, Torus

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What a rank of a group has of a torus, per plan.

    Attributes:
        bandwidth: B/s that it sends in a gather or a scatter, over all its links.
        uniform: B/s that it sends when each rank sends to all others alike: the middle of the longest axis bounds it.
        steps: hops from a rank to the furthest one of its group.
    """

    bandwidth: Array
    uniform: Array
    steps: Array


def slice_of(tier: Tier, ranks: Array, spacing: Any = 1, asked: Sequence[int] = ()) -> Slice | None:
    """Return the slice that a group takes of the innermost tier; None where that is no torus.

    Args:
        tier: the innermost tier.
        ranks: of the group inside it.
        spacing: devices from one rank of the group to the next.
        asked: lengths along the axes, by which a slice is named instead; a tier that is no torus becomes one of them.

    Raises:
        InputError: the lengths do not hold the ranks.
    """
    grid = tier.torus
    if asked:
        if not np.all(np.prod(asked) == ranks):
            shown = "x".join(map(str, asked))
            raise InputError(f"a torus of {shown} has {np.prod(asked):g} ranks; the group has {np.max(ranks):g} there.")
        grid = grid or _grid(tier, asked)
        axes = [(np.asarray(float(length)), np.asarray(1.0)) for length in asked]
    elif grid is None:
        return None
    else:
        axes = _laid(grid, ranks, np.asarray(spacing, dtype=float))
    bandwidth, uniform, steps = np.zeros_like(ranks), np.full_like(ranks, np.inf), np.zeros_like(ranks)
    for (length, apart), size, wrap in zip(axes, grid.dims, grid.wrap, strict=True):
        closed = wrap & (length * apart >= size)
        ways = np.where(closed, 2.0, 1.0) * grid.link_bandwidth / apart
        bandwidth = bandwidth + np.where(length > 1, ways, 0.0)
        uniform = np.where(length > 1, np.minimum(uniform, 4.0 * ways / length), uniform)
        steps = steps + np.where(closed, np.floor(length / 2), length - 1.0) * apart
    bandwidth = np.where(ranks > 1, np.minimum(bandwidth, tier.port_bandwidth), tier.bandwidth)
    uniform = np.where(ranks > 1, np.minimum(uniform, tier.port_bandwidth) * (ranks - 1) / ranks, bandwidth)
    return Slice(bandwidth=bandwidth, uniform=np.minimum(uniform, bandwidth), steps=steps)


def _grid(tier: Tier, lengths: Sequence[int]) -> Torus:
    link = tier.bandwidth / (2 * len(lengths))
    return Torus(dims=tuple(lengths), wrap=(True,) * len(lengths), link_bandwidth=link, hop_latency=tier.latency)


def _laid(grid: Torus, ranks: Array, spacing: Array) -> list[tuple[Array, Array]]:
    """Return the group's length along each axis, and how many devices its members lie apart there."""
    left, apart, axes = ranks, spacing, []
    for size in reversed(grid.dims):
        length = np.clip(np.floor(size / apart), 1.0, left)
        axes.append((length, np.where(length > 1, apart, 1.0)))
        left, apart = np.ceil(left / length), np.maximum(apart / size, 1.0)
    return axes[::-1]
