"""Steps and bytes per tier of the few patterns that all collectives are made of: ring, tree, exchange."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.costs.collectives.reach import Array, Reach

PerTier = tuple[Array, ...]


def log2_steps(ranks: Array) -> Array:
    """Return the levels of a binary tree over so many ranks."""
    return np.ceil(np.log2(np.maximum(ranks, 1)) - 1e-9)


def ring_hops(over: Reach) -> PerTier:
    """Return, per tier, how often one trip round the ring crosses it; p - 1 in all, domains being visited in a row."""
    size = over.size
    return tuple(size / (level.below * level.ranks) * (level.ranks - 1) for level in over.levels)


def tree_hops(over: Reach) -> PerTier:
    """Return the depth per tier of a tree that is a chain inside the innermost domain and binary above."""
    first, *upper = over.levels
    return (first.ranks - 1, *(log2_steps(level.ranks) for level in upper))


def doubling_hops(over: Reach) -> PerTier:
    """Return the steps per tier of recursive doubling, near partners first."""
    return tuple(log2_steps(level.ranks) for level in over.levels)


def ring_wire(over: Reach, sent: Any) -> PerTier:
    """Return bytes per rank and tier when every rank passes on ``sent`` bytes.

    A domain has one outgoing edge for each ring; the rings are spread over the ranks inside, so that each carries
    ``sent / below`` over the tier that leaves the domain.
    """
    return tuple(np.where(over.size > level.below, sent / level.below, 0.0) for level in over.levels)


def shared_wire(over: Reach, size: Any) -> PerTier:
    """Return bytes per rank and tier when ``size`` bytes are joined (or spread) with the least traffic.

    A domain with ``m - 1`` others sends ``(m - 1) / m`` of the whole once, spread over its ranks.
    """
    wires = []
    for level in over.levels:
        domains = over.size / level.below
        wires.append((domains - 1) / domains * size / level.below)
    first = over.levels[0]
    wires[0] = (first.ranks - 1) / first.ranks * size
    return tuple(np.asarray(wire) for wire in wires)


def exchange_wire(over: Reach, size: Any) -> PerTier:
    """Return bytes per rank and tier when each rank sends ``size / p`` to each rank, itself left out.

    Whatever leaves a domain passes the tier that leaves it, also when it goes further up.
    """
    size_of_group = over.size
    first, *upper = over.levels
    inner = size * (first.ranks - 1) / size_of_group
    return (inner, *(size * (size_of_group - level.below) / size_of_group for level in upper))


def only(over: Reach, position: int, values: PerTier) -> PerTier:
    """Return the values of one tier, zero for the others."""
    return tuple(value if index == position else np.zeros_like(value) for index, value in enumerate(values))


def times(factor: Any, values: PerTier) -> PerTier:
    """Return the product tier by tier."""
    return tuple(factor * value for value in values)
