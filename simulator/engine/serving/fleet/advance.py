"""The loop: take the earliest event until a given instant.

Order at one instant: given arrivals, then arrivals the run made itself, then replicas by number. So a boundary sees
every request that arrived at its tick.
"""

from __future__ import annotations

from simulator.engine.serving.compiled import jit
from simulator.engine.serving.fleet.events import arrive, end_step
from simulator.engine.serving.fleet.heaps import take_later
from simulator.engine.serving.fleet.layout import (
    ARRIVAL,
    DEADLINE,
    EVENTS,
    LATER,
    NAME,
    NEVER,
    NEXT,
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
def advance(f: Fleet, until: int, events: int) -> bool:
    """Run at most ``events`` events up to and at ``until``; return whether more are due by then."""
    world = f.world
    given, passes = world[PRIMARY], f.replicas[0, ROLE] == ONE_PASS
    for _ in range(events):
        i = world[NEXT]
        arrival = f.times[i, ARRIVAL] if i < given else NEVER
        later = f.later[TIME, 0] if world[LATER] > 0 else NEVER
        step = f.agenda[TIME, 0]
        time = min(arrival, later, step)
        if time > until or time == NEVER:
            return False
        world[NOW] = time
        world[EVENTS] += 1
        if arrival == time:
            world[NEXT] = i + 1
            if passes:
                arrive_at_pass(f, i, time)
            else:
                arrive(f, i, time)
        elif later == time:
            k = take_later(f)
            if f.times[k, ARRIVAL] == NEVER:
                f.times[k, ARRIVAL] = time
                f.times[k, DEADLINE] = time + min(world[TIMEOUT], NEVER - time)
            if passes:
                arrive_at_pass(f, k, time)
            else:
                arrive(f, k, time)
        else:
            r = f.agenda[NAME, 0]
            if passes:
                end_pass(f, r, time)
                plan_pass(f, r, time)
            else:
                end_step(f, r, time)
                plan(f, r, time)
    return True
