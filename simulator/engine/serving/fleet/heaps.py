"""The three binary heaps of a fleet, over arrays: replicas by next event, arrivals to come, running requests by end."""

from __future__ import annotations

from simulator.engine.serving.compiled import jit, jit_apart
from simulator.engine.serving.fleet.layout import (
    LATER,
    NAME,
    NEVER,
    NOBODY,
    REQUESTS,
    RUNNING,
    SCHEDULED_STEPS,
    TIME,
    Fleet,
)


@jit
def schedule(f: Fleet, r: int, time: int) -> None:
    """Set the next event of replica ``r``, or take it off the agenda; equal times are ordered by replica number.

    Only replicas with a next event are on the agenda, so that idle ones cost nothing; an empty one begins with NEVER.
    """
    agenda, place = f.agenda, f.place
    at, size = place[r], f.world[SCHEDULED_STEPS]
    if time == NEVER:
        if at == NOBODY:
            return
        size -= 1
        f.world[SCHEDULED_STEPS] = size
        place[r] = NOBODY
        if at == size:
            agenda[at, TIME] = NEVER
            return
        r, time = agenda[size, NAME], agenda[size, TIME]
    elif at == NOBODY:
        at = size
        size += 1
        f.world[SCHEDULED_STEPS] = size
    while at > 0:
        parent = (at - 1) >> 1
        if time < agenda[parent, TIME] or (time == agenda[parent, TIME] and r < agenda[parent, NAME]):
            agenda[at, TIME], agenda[at, NAME] = agenda[parent, TIME], agenda[parent, NAME]
            place[agenda[at, NAME]] = at
            at = parent
        else:
            break
    child = 2 * at + 1
    while child < size:
        if child + 1 < size:
            one, two = agenda[child, TIME], agenda[child + 1, TIME]
            if one == two:
                child += int(agenda[child + 1, NAME] < agenda[child, NAME])
            else:
                child += int(two < one)
        if agenda[child, TIME] < time or (agenda[child, TIME] == time and agenda[child, NAME] < r):
            agenda[at, TIME], agenda[at, NAME] = agenda[child, TIME], agenda[child, NAME]
            place[agenda[at, NAME]] = at
            at = child
            child = 2 * at + 1
        else:
            break
    agenda[at, TIME], agenda[at, NAME], place[r] = time, r, at


@jit_apart
def arrive_later(f: Fleet, k: int, time: int) -> None:
    """Let request ``k`` arrive at ``time``; equal times are ordered by request number."""
    times, names = f.later[TIME], f.later[NAME]
    at = f.world[LATER]
    f.world[LATER] = at + 1
    while at > 0:
        parent = (at - 1) >> 1
        if time < times[parent] or (time == times[parent] and k < names[parent]):
            times[at], names[at] = times[parent], names[parent]
            at = parent
        else:
            break
    times[at], names[at] = time, k


@jit_apart
def take_later(f: Fleet) -> int:
    """Remove and return the request that arrives next."""
    times, names = f.later[TIME], f.later[NAME]
    taken = int(names[0])
    size = f.world[LATER] - 1
    f.world[LATER] = size
    time, k, at, child = times[size], names[size], 0, 1
    while child < size:
        other = child + 1
        if other < size and (
            times[other] < times[child] or (times[other] == times[child] and names[other] < names[child])
        ):
            child = other
        if times[child] < time or (times[child] == time and names[child] < k):
            times[at], names[at] = times[child], names[child]
            at, child = child, 2 * child + 1
        else:
            break
    times[at], names[at] = time, k
    return taken


@jit
def join_batch(f: Fleet, r: int, end: int, k: int) -> None:
    """Add request ``k``, which ends with iteration ``end``, to the running batch."""
    at = f.replicas[r, RUNNING]
    f.replicas[r, RUNNING] = at + 1
    sift_up(f, r, at, end * REQUESTS + k)


@jit
def leave_batch(f: Fleet, r: int, place: int) -> None:
    """Remove the entry at ``place`` from the running batch."""
    size = f.replicas[r, RUNNING] - 1
    f.replicas[r, RUNNING] = size
    if place == size:
        return
    entry, at, child = f.batch[r, size], place, 2 * place + 1
    while child < size:
        if child + 1 < size and f.batch[r, child + 1] < f.batch[r, child]:
            child += 1
        if f.batch[r, child] > entry:
            break
        f.batch[r, at] = f.batch[r, child]
        at, child = child, 2 * child + 1
    sift_up(f, r, at, entry)


@jit
def sift_up(f: Fleet, r: int, at: int, entry: int) -> None:
    """Put an entry at a free place of the batch, or above it."""
    while at > 0 and entry < f.batch[r, (at - 1) >> 1]:
        f.batch[r, at] = f.batch[r, (at - 1) >> 1]
        at = (at - 1) >> 1
    f.batch[r, at] = entry


@jit
def request_at(f: Fleet, r: int, place: int) -> int:
    """Return the running request at a place of the batch."""
    return int(f.batch[r, place] % REQUESTS)


@jit
def last_iteration(f: Fleet, r: int, place: int) -> int:
    """Return the iteration in which the running request at a place of the batch ends."""
    return int(f.batch[r, place] // REQUESTS)
