"""Random cuts: the founding article's recursive split read literally, and uniform cut points.

Both keep the order of the records and look at no size. What they cost is in
:mod:`simulator.mapping.sharding.expectation`.
"""

from __future__ import annotations

import numpy as np

from simulator.mapping.sharding.request import Request, sharders
from simulator.mapping.sharding.shards import Contiguous


@sharders.register("seed-literal")
def seed_literal(request: Request) -> Contiguous:
    """Cut at a random point, give the remainder to another worker, and do the same again with the first part.

    This is the founding article's algorithm taken at its word. Each cut falls uniformly on the records that are left,
    so both parts hold at least one, as long as two are left; after that the remaining workers get nothing. The last
    worker keeps the innermost part. The shares are those of a broken stick, so the largest shard holds on average
    0.624 of everything, however many workers there are.

    Shard 0 is the innermost part, shard ``n - 1`` the remainder of the first cut.
    """
    draw = request.generator()
    left = request.records
    edges = [left]
    for _ in range(request.shards - 1):
        left = int(draw.integers(1, left)) if left > 1 else left
        edges.append(left)
    return Contiguous(edges=np.array([0, *sorted(edges)], dtype=np.int64))


@sharders.register("uniform-cuts")
def uniform_cuts(request: Request) -> Contiguous:
    """Cut at ``shards - 1`` independent uniform points: the largest shard holds on average H_n of n shares."""
    draw = request.generator()
    cuts = np.sort(draw.integers(0, request.records, size=request.shards - 1, endpoint=True))
    return Contiguous(edges=np.concatenate([[0], cuts, [request.records]]).astype(np.int64))
