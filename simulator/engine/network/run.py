"""Flows from start to end: event loops over integer picoseconds. An event happens only when a rate changes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from simulator.engine.clock import MAX_TICKS, TICKS_PER_SECOND
from simulator.engine.network.fill import fill
from simulator.engine.network.heap import drop, put
from simulator.engine.network.jit import kernel
from simulator.engine.network.repair import State, enter, held_back, leave, repair, resize

#: a finish later than this does not fit the clock
_LATEST = float(MAX_TICKS - 1)
#: relative change of a level below which a flow keeps its planned end
_SAME = 1e-12


class Plan(NamedTuple):
    """Per flow: weight, rest (bytes left at tick ``since``), and the heap of planned ends (keys, items, where).

    ``running`` holds one number: how many flows have a planned end. ``ending`` is working space.
    """

    weight: Any
    rest: Any
    since: Any
    keys: Any
    items: Any
    where: Any
    running: Any
    ending: Any


def new_plan(weight: Any) -> Plan:
    """Return a plan in which nothing runs."""
    flows = weight.size
    return Plan(
        weight=weight.astype(np.float64),
        rest=np.zeros(flows),
        since=np.zeros(flows, np.int64),
        keys=np.empty(flows, np.int64),
        items=np.empty(flows, np.int64),
        where=np.full(flows, -1, np.int64),
        running=np.zeros(1, np.int64),
        ending=np.empty(flows, np.int64),
    )


@kernel
def take_ends(s: State, p: Plan, now: int) -> int:
    """Take out the flows that end now; return how many: they stand in ``p.ending``."""
    count = 0
    while p.running[0] > 0 and p.keys[0] == now:
        p.ending[count] = p.items[0]
        count += 1
        p.running[0] = drop(p.keys, p.items, p.where, p.running[0], p.items[0])
    for index in range(count):
        leave(s, p.ending[index])
    return count


@kernel
def settle(s: State, p: Plan, ended: int, number: int, now: int) -> int:
    """Repair the rates after what ended, entered and changed now, and plan the new ends; return flows touched."""
    for index in range(ended):
        flow = p.ending[index]
        for entry in range(s.starts[flow], s.starts[flow + 1]):
            number = held_back(s, s.links[entry], number)
    number = repair(s, number)
    for index in range(number):
        flow = s.chosen[index]
        if abs(s.level[flow] - s.old[flow]) > _SAME * s.level[flow] or p.where[flow] < 0:
            p.rest[flow] -= s.old[flow] * p.weight[flow] * ((now - p.since[flow]) / TICKS_PER_SECOND)
            p.since[flow] = now
            _plan(s, p, flow, now)
    return number


@kernel
def _plan(s: State, p: Plan, flow: int, now: int) -> None:
    """Set the end of a flow at its new rate; a flow without a rate has no end."""
    rate = s.level[flow] * p.weight[flow]
    ticks = max(p.rest[flow], 0.0) / rate * TICKS_PER_SECOND if rate > 0.0 else np.inf
    if now + ticks >= _LATEST:
        p.running[0] = drop(p.keys, p.items, p.where, p.running[0], flow)
    else:
        p.running[0] = put(p.keys, p.items, p.where, p.running[0], flow, now + np.int64(ticks + 0.5))


@kernel
def begin_flow(s: State, p: Plan, flow: int, size: float, now: int, number: int) -> int:
    """Let a flow of so many bytes run from now on; return the new size of the set to be settled."""
    p.rest[flow] = size
    p.since[flow] = now
    return enter(s, flow, number)


@kernel
def run_exact(
    s: State, p: Plan, size: Any, begin: Any, order: Any, change_at: Any, change_link: Any, change_to: Any
) -> Any:
    """Play flows to their ends, repairing rates at each event.

    Args:
        size, begin: per flow: bytes, tick of its start; ``order`` sorts flows by their start.
        change_at, change_link, change_to: capacity changes in order of time (tick, link, B/s).

    Returns:
        (tick of each flow's end, or -1 for a flow that stalls for ever; flows touched; instants).
    """
    done = np.full(size.size, -1, np.int64)
    started = 0
    changed = 0
    touched = 0
    instants = 0
    while True:
        now = _next(p.keys, p.running[0], begin, order, started, change_at, changed)
        if now < 0:
            break
        instants += 1
        ended = take_ends(s, p, now)
        for index in range(ended):
            done[p.ending[index]] = now
        number = 0
        while started < size.size and begin[order[started]] == now:
            number = begin_flow(s, p, order[started], size[order[started]], now, number)
            started += 1
        while changed < change_at.size and change_at[changed] == now:
            number = resize(s, change_link[changed], change_to[changed], number)
            changed += 1
        touched += settle(s, p, ended, number, now)
    return done, touched, instants


@kernel
def _next(keys: Any, running: int, begin: Any, order: Any, started: int, change_at: Any, changed: int) -> int:
    """Return the tick of the next event, -1 if there is none."""
    now = -1
    if running > 0:
        now = keys[0]
    if started < order.size and (now < 0 or begin[order[started]] < now):
        now = begin[order[started]]
    if changed < change_at.size and (now < 0 or change_at[changed] < now):
        now = change_at[changed]
    return now


@kernel
def run_batched(
    starts: Any,
    links: Any,
    first: Any,
    flows_of: Any,
    capacity: Any,
    weight: Any,
    mass: Any,
    size: Any,
    begin: Any,
    order: Any,
    epsilon: float,
) -> Any:
    """Play flows to their ends; ends within ``epsilon`` of a flow's own age are taken at one instant.

    Rates are solved anew at each instant. A flow that ends early by this is right to ``epsilon`` of its duration; the
    flows that it makes room for a little late are biased by less. Returns as :func:`run_exact`.
    """
    flows = size.size
    live = np.zeros(flows, np.bool_)
    level = np.zeros(flows)
    rest = size.copy()
    done = np.full(flows, -1, np.int64)
    now = np.int64(0)
    started = 0
    left = flows
    touched = 0
    instants = 0
    while left > 0:
        if started < flows and (left == flows - started):
            now = max(now, begin[order[started]])
        while started < flows and begin[order[started]] <= now:
            live[order[started]] = True
            started += 1
        fill(starts, links, first, flows_of, capacity, mass, live, level)
        instants += 1
        soonest = np.inf
        for flow in range(flows):
            if live[flow] and level[flow] > 0.0:
                soonest = min(soonest, rest[flow] / (level[flow] * weight[flow]))
        until_start = np.inf
        if started < flows:
            until_start = (begin[order[started]] - now) / TICKS_PER_SECOND
        if soonest == np.inf and until_start == np.inf:
            break
        step = min(soonest, until_start)
        for flow in range(flows):
            if not live[flow] or level[flow] <= 0.0:
                continue
            touched += 1
            rate = level[flow] * weight[flow]
            needs = rest[flow] / rate
            age = (now - begin[flow]) / TICKS_PER_SECOND + step
            if needs <= step * (1.0 + 1e-12) + epsilon * age:
                live[flow] = False
                done[flow] = now + np.int64(needs * TICKS_PER_SECOND + 0.5)
                left -= 1
            else:
                rest[flow] -= rate * step
        now = begin[order[started]] if step == until_start else now + np.int64(step * TICKS_PER_SECOND + 0.5)
    return done, touched, instants
