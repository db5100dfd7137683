"""Waiting requests of a replica: one first-come first-served list per priority class."""

from __future__ import annotations

from simulator.engine.serving.compiled import jit
from simulator.engine.serving.fleet.layout import (
    ARRIVAL,
    CLASSES,
    ENDS,
    FOLLOWING,
    LEAN,
    NEVER,
    NOBODY,
    PRIORITY,
    QUEUE_HEAD,
    QUEUE_TAIL,
    ROUTER,
    WAITING,
    Fleet,
)
from simulator.engine.serving.fleet.routing import ONE_QUEUE


@jit
def queue_of(f: Fleet, r: int) -> int:
    """Return the replica that keeps the queue from which ``r`` takes."""
    return 0 if f.world[ROUTER] == ONE_QUEUE else r


@jit
def oldest(f: Fleet, q: int) -> int:
    """Return the earliest arrival of those at the front of a class of a queue; NEVER if nobody waits."""
    found = NEVER
    for c in range(0, ENDS * f.world[CLASSES], ENDS):
        k = f.replicas[q, QUEUE_HEAD + c]
        if k != NOBODY:
            found = min(found, f.times[k, ARRIVAL])
    return int(found)


@jit
def class_of(f: Fleet, k: int) -> int:
    """Return how far the columns of a request's priority class are from those of the first."""
    return ENDS * int(f.facts[k, PRIORITY]) if f.facts.shape[1] > LEAN else 0


@jit
def wait_last(f: Fleet, r: int, k: int) -> None:
    """Append a request to its class."""
    c = class_of(f, k)
    f.facts[k, FOLLOWING] = NOBODY
    if f.replicas[r, QUEUE_HEAD + c] == NOBODY:
        f.replicas[r, QUEUE_HEAD + c] = k
    else:
        f.facts[f.replicas[r, QUEUE_TAIL + c], FOLLOWING] = k
    f.replicas[r, QUEUE_TAIL + c] = k
    f.replicas[r, WAITING] += 1


@jit
def wait_first(f: Fleet, r: int, k: int) -> None:
    """Put a preempted request back to the front of its class."""
    c = class_of(f, k)
    f.facts[k, FOLLOWING] = f.replicas[r, QUEUE_HEAD + c]
    if f.replicas[r, QUEUE_HEAD + c] == NOBODY:
        f.replicas[r, QUEUE_TAIL + c] = k
    f.replicas[r, QUEUE_HEAD + c] = k
    f.replicas[r, WAITING] += 1


@jit
def front(f: Fleet, r: int) -> int:
    """Return the request to be served next, or NOBODY."""
    for c in range(0, ENDS * f.world[CLASSES], ENDS):
        if f.replicas[r, QUEUE_HEAD + c] != NOBODY:
            return int(f.replicas[r, QUEUE_HEAD + c])
    return NOBODY


@jit
def take_front(f: Fleet, r: int, k: int) -> None:
    """Remove the request that :func:`front` returned."""
    c = class_of(f, k)
    f.replicas[r, QUEUE_HEAD + c] = f.facts[k, FOLLOWING]
    if f.facts[k, FOLLOWING] == NOBODY:
        f.replicas[r, QUEUE_TAIL + c] = NOBODY
    f.replicas[r, WAITING] -= 1
