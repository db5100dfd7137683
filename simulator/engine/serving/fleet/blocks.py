"""The KV cache of a replica in blocks: what a run of decode iterations will need, without looking at each request.

``residue[r, i]`` counts the running requests with ``(context - iteration) mod block size = i``. Context and iteration
grow together, so the count holds while they run; in iteration ``n`` those with ``i = -n mod block size`` open a block.
"""

from __future__ import annotations

from simulator.engine.serving.compiled import jit
from simulator.engine.serving.fleet.layout import (
    BLOCK_SIZE,
    ITERATION,
    NEVER,
    RUNNING,
    Fleet,
)


@jit
def blocks_of(tokens: int, size: int) -> int:
    """Return the blocks that hold so many tokens."""
    return (tokens + size - 1) // size


@jit
def growth(f: Fleet, e: int, r: int, steps: int) -> int:
    """Return the blocks that the running batch opens in its next ``steps`` iterations."""
    size = f.engines[e, BLOCK_SIZE]
    opened = (steps // size) * f.replicas[r, RUNNING]
    now = f.replicas[r, ITERATION]
    for j in range(steps % size):
        opened += f.residue[r, (-(now + j)) % size]
    return int(opened)


@jit
def steps_within(f: Fleet, e: int, r: int, free: int) -> int:
    """Return the most iterations whose growth fits in ``free`` blocks."""
    running = f.replicas[r, RUNNING]
    if running == 0:
        return NEVER
    size = f.engines[e, BLOCK_SIZE]
    now = f.replicas[r, ITERATION]
    rounds = free // running
    left = free - rounds * running
    steps = rounds * size
    for j in range(size):
        left -= f.residue[r, (-(now + j)) % size]
        if left < 0:
            break
        steps += 1
    return int(steps)
