"""A binary heap of instants over an array, for the kernels of stations."""

from __future__ import annotations

from simulator.engine.serving.compiled import jit
from simulator.engine.serving.fleet.layout import Ints


@jit
def push(heap: Ints, size: int, value: int) -> int:
    """Add a value to the first ``size`` entries; return the new size."""
    at = size
    while at > 0 and value < heap[(at - 1) >> 1]:
        heap[at] = heap[(at - 1) >> 1]
        at = (at - 1) >> 1
    heap[at] = value
    return size + 1


@jit
def pop(heap: Ints, size: int) -> int:
    """Remove the least of the first ``size`` entries; return the new size (read ``heap[0]`` before)."""
    size -= 1
    value, at, child = heap[size], 0, 1
    while child < size:
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[at] = heap[child]
        at, child = child, 2 * child + 1
    heap[at] = value
    return size
