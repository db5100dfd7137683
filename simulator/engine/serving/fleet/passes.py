"""Replicas that answer in one pass: how a batch gathers, runs, and how all of them take from one queue.

A batch leaves when it is full, or when the first of it has waited its delay since it arrived at the service. Where all
replicas take from one queue, one idle replica at a time gathers the next batch; the others rest until they are called.
"""

from __future__ import annotations

from simulator.engine.serving.compiled import jit_apart
from simulator.engine.serving.fleet.heaps import schedule
from simulator.engine.serving.fleet.layout import (
    ALL_STEPS,
    AWAKE,
    BUSY,
    CLASS,
    DEADLINE,
    DELAY,
    FINISHED,
    FIRST,
    FOLLOWING,
    GATHERER,
    GATHERING,
    HOME,
    IDLE,
    IDLE_BEFORE,
    IDLE_LAST,
    INFLIGHT,
    JOINING,
    LATER,
    LEAN,
    MAX_INFLIGHT,
    MAX_SEQS,
    MAX_WAITING,
    MODE,
    NEVER,
    NEXT,
    NOBODY,
    OPEN,
    OPEN_COUNT,
    PREFILL,
    PREFILLED,
    PRIMARY,
    PROMPT,
    QUEUED,
    REJECTED,
    ROUTER,
    SCHEDULED,
    SHED,
    START,
    STEPS,
    TAIL_ROW,
    TOKEN_BUDGET,
    WAITING,
    WAKING,
    Fleet,
)
from simulator.engine.serving.fleet.life import hold, refuse, settle, take_on
from simulator.engine.serving.fleet.planning import dense_ticks, is_full, link_joining, next_waiting
from simulator.engine.serving.fleet.queues import oldest, queue_of, take_front, wait_last
from simulator.engine.serving.fleet.routing import ONE_QUEUE, choose


@jit_apart
def no_more(f: Fleet) -> bool:
    """Return whether no arrival is known to come."""
    return bool(f.world[NEXT] >= f.world[PRIMARY] and f.world[LATER] == 0)


@jit_apart
def flush(f: Fleet, time: int) -> None:
    """Let batches go that would wait for ever: no arrival is known to come that could fill them."""
    for r in range(len(f.replicas)):
        if f.replicas[r, MODE] == GATHERING and f.place[r] == NOBODY:
            schedule(f, r, time)


@jit_apart
def rest(f: Fleet, r: int) -> None:
    """Let a replica that takes from the one queue do nothing until it is called."""
    row, world = f.replicas[r], f.world
    row[MODE] = IDLE
    schedule(f, r, NEVER)
    if world[GATHERER] == r:
        world[GATHERER] = NOBODY
    if row[IDLE_BEFORE] == AWAKE:
        row[IDLE_BEFORE] = world[IDLE_LAST]
        world[IDLE_LAST] = r


@jit_apart
def call(f: Fleet, time: int) -> None:
    """Let somebody take what waits in the one queue: who gathers, if the batch is full; else one that rests."""
    world = f.world
    g = world[GATHERER]
    if g != NOBODY:
        if f.replicas[0, WAITING] >= f.engines[f.replicas[g, CLASS], MAX_SEQS]:
            schedule(f, g, time)
        return
    while world[IDLE_LAST] != NOBODY:
        r = world[IDLE_LAST]
        world[IDLE_LAST] = f.replicas[r, IDLE_BEFORE]
        f.replicas[r, IDLE_BEFORE] = AWAKE
        if f.replicas[r, OPEN] > 0 and f.replicas[r, MODE] == IDLE:
            f.replicas[r, MODE] = WAKING
            schedule(f, r, time)
            return


@jit_apart
def holds_back(f: Fleet, r: int, k: int, time: int) -> bool:
    """Return whether a replica for which ``k`` waits first starts nothing: it gathers, or leaves them to others."""
    row = f.replicas[r]
    engine = f.engines[row[CLASS]]
    one = f.world[ROUTER] == ONE_QUEUE
    if one:
        if row[OPEN] == 0:
            rest(f, r)
            call(f, time)
            return True
        if f.world[GATHERER] == r:
            f.world[GATHERER] = NOBODY
    q = queue_of(f, r)
    if f.replicas[q, WAITING] >= engine[MAX_SEQS]:
        return False
    first = oldest(f, q)
    due = first + min(engine[DELAY], NEVER - first)
    if due <= time or (engine[DELAY] == NEVER and no_more(f)):
        return False
    if one and f.world[GATHERER] != NOBODY:
        rest(f, r)
        return True
    if one:
        f.world[GATHERER] = r
    row[MODE] = GATHERING
    if f.facts.shape[1] > LEAN:
        due = min(due, f.times[k, DEADLINE] + 1)
    schedule(f, r, due)
    return True


@jit_apart
def arrive_at_pass(f: Fleet, k: int, time: int) -> None:
    """Let an arriving request wait in the one queue of all replicas or in that of its replica, or turn it away."""
    world = f.world
    one = world[ROUTER] == ONE_QUEUE
    inside = f.facts[k, HOME] != NOBODY
    if not inside and world[INFLIGHT] >= world[MAX_INFLIGHT]:
        refuse(f, k, time, SHED)
    elif not one and world[OPEN_COUNT] == 0:
        hold(f, k)
    else:
        q = 0 if one else choose(f, 0, k)
        if not inside and f.replicas[q, WAITING] >= world[MAX_WAITING] and is_full(f, q, time):
            refuse(f, k, time, REJECTED)
        else:
            line_up(f, q, k, time, inside)
    if f.engines[0, DELAY] == NEVER and no_more(f):
        flush(f, time)


@jit_apart
def line_up(f: Fleet, q: int, k: int, time: int, inside: bool) -> None:
    """Append a request to a queue, and let a replica look at it."""
    if not inside:
        f.world[INFLIGHT] += 1
    if f.world[ROUTER] == ONE_QUEUE:
        f.facts[k, HOME] = QUEUED
        wait_last(f, q, k)
        call(f, time)
        return
    take_on(f, q, k)
    wait_last(f, q, k)
    row = f.replicas[q]
    if row[MODE] == IDLE:
        row[MODE] = WAKING
        schedule(f, q, time)
    elif row[MODE] == GATHERING and row[WAITING] >= f.engines[row[CLASS], MAX_SEQS]:
        schedule(f, q, time)


@jit_apart
def plan_pass(f: Fleet, r: int, time: int) -> None:
    """Start the next batch of a replica at a boundary, or let it gather or rest."""
    row = f.replicas[r]
    e, q = row[CLASS], queue_of(f, r)
    one = f.world[ROUTER] == ONE_QUEUE
    k = next_waiting(f, q, time)
    if k != NOBODY and holds_back(f, r, k, time):
        return
    size, load = 0, 0
    while k != NOBODY and size < f.engines[e, MAX_SEQS]:
        if size > 0 and load + f.facts[k, PROMPT] > f.engines[e, TOKEN_BUDGET]:
            break
        take_front(f, q, k)
        if one:
            take_on(f, r, k)
        if f.times[k, SCHEDULED] < 0:
            f.times[k, SCHEDULED] = time
        link_joining(f, r, k)
        size, load = size + 1, load + f.facts[k, PROMPT]
        k = next_waiting(f, q, time)
    if size > 0:
        row[MODE], row[START], row[STEPS] = PREFILL, time, 1
        row[PREFILLED] += load
        schedule(f, r, time + dense_ticks(f, e, load))
        if one and f.replicas[q, WAITING] > 0:
            call(f, time)
    elif one:
        rest(f, r)
    else:
        row[MODE] = IDLE
        schedule(f, r, NEVER)


@jit_apart
def end_pass(f: Fleet, r: int, time: int) -> None:
    """Give the requests of the batch that ends now their answers; those of a pipeline come after its tail."""
    row = f.replicas[r]
    if row[MODE] != PREFILL:
        return
    row[BUSY] += time - row[START]
    row[ALL_STEPS] += 1
    tail, last = f.engines[row[CLASS], TAIL_ROW], f.dense.shape[1] - 1
    answered = time
    if tail != NOBODY:
        load, k = 0, row[JOINING]
        while k != NOBODY:
            load, k = load + f.facts[k, PROMPT], f.facts[k, FOLLOWING]
        answered += f.dense[tail, min(load, last)]
    k = row[JOINING]
    row[JOINING] = NOBODY
    while k != NOBODY:
        after = f.facts[k, FOLLOWING]
        f.times[k, FIRST] = answered
        settle(f, k, answered, FINISHED)
        k = after
