"""Routers: which replica an arriving request goes to. Each sees exact loads at the instant of the arrival."""

from __future__ import annotations

from typing import Final

from simulator.engine.serving.compiled import jit, jit_apart
from simulator.engine.serving.fleet.layout import (
    AFFINITY,
    BLOCK_SIZE,
    CLASS,
    GROUP,
    OPEN_COUNT,
    PREFIX_SLOTS,
    PROMPT,
    RANDOM,
    ROUTER,
    TURN,
    WEIGHT,
    WORK,
    Fleet,
)
from simulator.engine.serving.fleet.prefix import matched

ROUND_ROBIN: Final = 0
RANDOMLY: Final = 1
POWER_OF_TWO: Final = 2
LEAST_REQUESTS: Final = 3
LEAST_WORK: Final = 4
PREFIX_AWARE: Final = 5
BY_SESSION: Final = 6
WEIGHTED: Final = 7
ONE_QUEUE: Final = 8  # no choice at all: requests wait in one queue, from which whoever is free takes them
#: name in a scenario -> number in the kernel
ROUTERS: Final[dict[str, int]] = {
    "round-robin": ROUND_ROBIN,
    "random": RANDOMLY,
    "power-of-two": POWER_OF_TWO,
    "least-requests": LEAST_REQUESTS,
    "least-work": LEAST_WORK,
    "prefix-aware": PREFIX_AWARE,
    "session": BY_SESSION,
    "weighted": WEIGHTED,
    "one-queue": ONE_QUEUE,
}
#: loads per weight are compared as integers, in parts of this size
FINENESS: Final = 1_000_000


@jit
def after(state: int) -> int:
    """Return the next state of the generator of routing (minimal standard, Park and Miller 1988)."""
    return (state * 48271) % 2147483647


@jit
def draw(f: Fleet, below: int) -> int:
    """Return a pseudo-random integer."""
    f.world[RANDOM] = after(f.world[RANDOM])
    return int(f.world[RANDOM] % below)


@jit
def cost_of(f: Fleet, router: int, r: int, k: int) -> int:
    """Return what a scanning router wants to be least."""
    if router == LEAST_REQUESTS:
        return int(f.inside[r])
    if router == WEIGHTED:
        return int((f.inside[r] + 1) * FINENESS // f.replicas[r, WEIGHT])
    work = f.replicas[r, WORK]
    if router == PREFIX_AWARE:
        e = f.replicas[r, CLASS]
        work += f.facts[k, PROMPT]
        if f.engines[e, PREFIX_SLOTS] > 0:
            work -= matched(f, r, k) * f.engines[e, GROUP] * f.engines[e, BLOCK_SIZE]
    return int(work)


@jit
def emptiest(f: Fleet) -> int:
    """Return the first of all replicas that have the fewest requests inside."""
    least = f.inside[0]
    for r in range(1, len(f.inside)):
        least = min(least, f.inside[r])
    r = 0
    while f.inside[r] != least:
        r += 1
    return r


@jit
def choose(f: Fleet, pool: int, k: int) -> int:
    """Return the replica for request ``k``; ties go to the one opened first."""
    router = f.world[ROUTER]
    count = f.world[OPEN_COUNT + pool]
    names = f.open_
    if count == 1:
        return int(names[pool, 0])
    if router == POWER_OF_TWO:
        one, two = names[pool, draw(f, count)], names[pool, draw(f, count)]
        return int(one if f.inside[one] <= f.inside[two] else two)
    if router == ROUND_ROBIN:
        turn = f.world[TURN + pool] % count
        f.world[TURN + pool] = turn + 1
        return int(names[pool, turn])
    if router == RANDOMLY:
        return int(names[pool, draw(f, count)])
    if router == BY_SESSION:
        return int(names[pool, f.facts[k, AFFINITY] % count])
    return cheapest(f, pool, k)


@jit_apart
def cheapest(f: Fleet, pool: int, k: int) -> int:
    """Return the open replica with the least cost, after a look at all."""
    router = f.world[ROUTER]
    count = f.world[OPEN_COUNT + pool]
    names = f.open_
    if router == LEAST_REQUESTS and count == len(f.inside):
        return emptiest(f)
    best = int(names[pool, 0])
    least = cost_of(f, router, best, k)
    for i in range(1, count):
        r = int(names[pool, i])
        cost = cost_of(f, router, r, k)
        if cost < least:
            best, least = r, cost
    return best
