"""The loop: take the earliest event until a given instant.

Order at one instant: given arrivals, then arrivals the run made itself, then replicas by number. So a boundary sees
every request that arrived at its tick.
"""

from __future__ import annotations

from simulator.engine.serving.compiled import jit, jit_apart, jit_entry
from simulator.engine.serving.fleet.ahead import bring_next_choice, bring_next_step
from simulator.engine.serving.fleet.events import arrive, end_step
from simulator.engine.serving.fleet.heaps import schedule, take_later
from simulator.engine.serving.fleet.layout import (
    ARRIVAL,
    DEADLINE,
    EVENTS,
    LATER,
    NAME,
    NEVER,
    NEXT,
    NOBODY,
    NOW,
    ONE_PASS,
    PRIMARY,
    ROLE,
    TIME,
    TIMEOUT,
    Fleet,
)
from simulator.engine.serving.fleet.passes import arrive_at_pass, end_pass, plan_pass
from simulator.engine.serving.fleet.planning import plan


@jit
def next_arrival(f: Fleet, i: int, arrival: int, time: int) -> int:
    """Take the request that arrives now: the next given one, or one that the run lets arrive."""
    if arrival == time:
        f.world[NEXT] = i + 1
        return i
    k = take_later(f)
    if f.times[k, ARRIVAL] == NEVER:
        f.times[k, ARRIVAL] = time
        f.times[k, DEADLINE] = time + min(f.world[TIMEOUT], NEVER - time)
    return k


@jit
def comes_next(f: Fleet, r: int, time: int) -> bool:
    """Return whether replica ``r``, woken at this instant, is what happens next, and count that as an event."""
    i = f.world[NEXT]
    if i < f.world[PRIMARY] and f.times[i, ARRIVAL] <= time:
        return False
    if f.world[LATER] > 0 and f.later[TIME, 0] <= time:
        return False
    if f.agenda[0, TIME] < time or (f.agenda[0, TIME] == time and f.agenda[0, NAME] < r):
        return False
    f.world[EVENTS] += 1
    return True


@jit
def due(f: Fleet) -> tuple[int, int, int]:
    """Return when the next given request arrives, when the next of those the run lets arrive, and when a step ends."""
    i = f.world[NEXT]
    arrival = f.times[i, ARRIVAL] if i < f.world[PRIMARY] else NEVER
    return arrival, f.later[TIME, 0] if f.world[LATER] > 0 else NEVER, f.agenda[0, TIME]


@jit_entry
def advance(f: Fleet, until: int, events: int) -> bool:
    """Run at most ``events`` events up to and at ``until``; return whether more are due by then."""
    if f.replicas[0, ROLE] == ONE_PASS:
        return advance_passes(f, until, events)
    world = f.world
    for _ in range(events):
        arrival, later, step = due(f)
        time = min(arrival, later, step)
        if time > until or time == NEVER:
            return False
        world[NOW] = time
        world[EVENTS] += 1
        if step == time and arrival != time and later != time:
            r = f.agenda[0, NAME]
            bring_next_step(f)
            end_step(f, r, time)
        else:
            r = arrive(f, next_arrival(f, world[NEXT], arrival, time), time)
            bring_next_choice(f)
            if r != NOBODY and not comes_next(f, r, time):
                schedule(f, r, time)
                r = NOBODY
        if r != NOBODY:
            plan(f, r, time)
    return True


@jit_apart
def advance_passes(f: Fleet, until: int, events: int) -> bool:
    """Do the same for replicas that answer in one pass."""
    world = f.world
    for _ in range(events):
        arrival, later, step = due(f)
        time = min(arrival, later, step)
        if time > until or time == NEVER:
            return False
        world[NOW] = time
        world[EVENTS] += 1
        if step == time and arrival != time and later != time:
            r = f.agenda[0, NAME]
            end_pass(f, r, time)
            plan_pass(f, r, time)
        else:
            arrive_at_pass(f, next_arrival(f, world[NEXT], arrival, time), time)
    return True
