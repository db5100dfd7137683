"""The loop: take the earliest event until a given instant.

Order at one instant: given arrivals, then arrivals the run made itself, then replicas by number. So a boundary sees
every request that arrived at its tick.
"""

from __future__ import annotations

from simulator.engine.serving.compiled import jit, jit_entry
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


@jit_entry
def advance(f: Fleet, until: int, events: int) -> bool:
    """Run at most ``events`` events up to and at ``until``; return whether more are due by then."""
    world = f.world
    given, passes = world[PRIMARY], f.replicas[0, ROLE] == ONE_PASS
    for _ in range(events):
        i = world[NEXT]
        arrival = f.times[i, ARRIVAL] if i < given else NEVER
        later = f.later[TIME, 0] if world[LATER] > 0 else NEVER
        step = f.agenda[0, TIME]
        time = min(arrival, later, step)
        if time > until or time == NEVER:
            return False
        world[NOW] = time
        world[EVENTS] += 1
        if step == time and arrival != time and later != time:
            r = f.agenda[0, NAME]
            if passes:
                end_pass(f, r, time)
                plan_pass(f, r, time)
                continue
            bring_next_step(f)
            end_step(f, r, time)
        else:
            k = next_arrival(f, i, arrival, time)
            if passes:
                arrive_at_pass(f, k, time)
                continue
            r = arrive(f, k, time)
            bring_next_choice(f)
            if r != NOBODY and not comes_next(f, r, time):
                schedule(f, r, time)
                r = NOBODY
        if r != NOBODY:
            plan(f, r, time)
    return True
