"""Cuts that look before they fall: balanced, recursive bisection, by the speed of the workers, by ranges of a key."""

from __future__ import annotations

import numpy as np

from simulator.foundation.errors import InputError
from simulator.mapping.sharding.prefix import Prefix
from simulator.mapping.sharding.request import Request, sharders
from simulator.mapping.sharding.shards import Contiguous, Scattered, Sharding, blocks


def _cut(request: Request, shares: np.ndarray) -> Contiguous:
    """Cut where the running total is nearest to the cumulated shares; shares sum to 1."""
    prefix = Prefix(request.records, request.sizes)
    inner = np.minimum(np.cumsum(shares)[:-1], 1.0) * prefix.total
    edges = np.concatenate([[0], prefix.edges(inner)[0], [request.records]])
    return Contiguous(edges=edges.astype(np.int64))


@sharders.register("balanced")
def balanced(request: Request) -> Contiguous:
    """Cut at equal bytes: every shard within one (largest) record of the mean; counts within one if sizes are alike."""
    return _cut(request, np.full(request.shards, 1.0 / request.shards))


@sharders.register("by-speed")
def by_speed(request: Request) -> Contiguous:
    """Cut in proportion to the workers' speeds, so that all finish together; within one record of it."""
    speeds = request.worker_speeds()
    return _cut(request, speeds / speeds.sum())


@sharders.register("recursive-bisect")
def recursive_bisect(request: Request) -> Contiguous:
    """Halve the bytes, halve the halves, and so on; an odd number of shards is split as evenly as it goes.

    Each level misses its mark by at most half a record, so a shard is within ``log2(shards) + 1`` halves of the
    largest record of the mean. Unlike ``balanced``, doubling the shards keeps every old edge.
    """
    prefix = Prefix(request.records, request.sizes)
    edges, totals = {0: 0, request.shards: request.records}, {0: 0.0, request.shards: prefix.total}
    ranges = [(0, request.shards)]
    while ranges := [pair for pair in ranges if pair[1] - pair[0] > 1]:
        middles = [first + (last - first) // 2 for first, last in ranges]
        targets = [
            totals[first] + (totals[last] - totals[first]) * (middle - first) / (last - first)
            for (first, last), middle in zip(ranges, middles, strict=True)
        ]
        found, reached = prefix.edges(np.array(targets))
        for (first, last), middle, edge, total in zip(ranges, middles, found, reached, strict=True):
            edges[middle] = min(max(int(edge), edges[first]), edges[last])  # empty records let edges coincide
            totals[middle] = float(total)
        ranges = [half for (a, z), m in zip(ranges, middles, strict=True) for half in ((a, m), (m, z))]
    return Contiguous(edges=np.array([edges[place] for place in range(request.shards + 1)], dtype=np.int64))


@sharders.register("range")
def key_range(request: Request) -> Sharding:
    """Cut the span of the key into equal intervals, as range-partitioned tables do; skewed keys make skewed shards.

    Without keys the index is the key, and the counts are within one of each other.

    Raises:
        InputError: keys that are not finite numbers.
    """
    if request.keys is None:
        edges = np.arange(request.shards + 1, dtype=np.int64) * request.records // request.shards
        return Contiguous(edges=edges)
    if not np.issubdtype(request.keys.dtype, np.number):
        raise InputError(f"range needs a key of numbers, found {request.keys.dtype}; use hash for text.")
    low, high = float(request.keys.min()), float(request.keys.max())
    if not np.isfinite([low, high]).all():
        raise InputError("range needs finite keys; found NaN or infinity.")
    width = (high - low) / request.shards
    owner = np.zeros(request.records, dtype=np.uint32)
    for part in blocks(request.records):
        if width > 0.0:
            position = (request.keys[part].astype(np.float64) - low) / width
            owner[part] = np.minimum(position.astype(np.int64), request.shards - 1)  # the last interval is closed
    return Scattered(owner=owner, shards=request.shards)
