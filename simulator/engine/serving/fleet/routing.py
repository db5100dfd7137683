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

#: name in a scenario -> number in the kernel
ROUTERS: Final[dict[str, int]] = {
    "round-robin": 0,
    "random": 1,
    "power-of-two": 2,
    "least-requests": 3,
    "least-work": 4,
    "prefix-aware": 5,
    "session": 6,
    "weighted": 7,
    "one-queue": 8,
}
#: no choice at all: requests wait in one queue, from which whoever is free takes them
ONE_QUEUE: Final = ROUTERS["one-queue"]
#: loads per weight are compared as integers, in parts of this size
FINENESS: Final = 1_000_000


@jit
def draw(f: Fleet, below: int) -> int:
    """Return a pseudo-random integer (minimal standard generator, Park and Miller 1988)."""
    f.world[RANDOM] = (f.world[RANDOM] * 48271) % 2147483647
    return int(f.world[RANDOM] % below)


@jit
def cost_of(f: Fleet, router: int, r: int, k: int) -> int:
    """Return what a scanning router wants to be least."""
    if router == 3:
        return int(f.inside[r])
    if router == 7:
        return int((f.inside[r] + 1) * FINENESS // f.replicas[r, WEIGHT])
    work = f.replicas[r, WORK]
    if router == 5:
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


@jit_apart
def choose(f: Fleet, pool: int, k: int) -> int:
    """Return the replica for request ``k``; ties go to the one opened first."""
    router = f.world[ROUTER]
    count = f.world[OPEN_COUNT + pool]
    names = f.open_
    if count == 1:
        return int(names[pool, 0])
    if router == 0:
        turn = f.world[TURN + pool] % count
        f.world[TURN + pool] = turn + 1
        return int(names[pool, turn])
    if router == 1:
        return int(names[pool, draw(f, count)])
    if router == 2:
        one, two = names[pool, draw(f, count)], names[pool, draw(f, count)]
        return int(one if f.inside[one] <= f.inside[two] else two)
    if router == 6:
        return int(names[pool, f.facts[k, AFFINITY] % count])
    if router == 3 and count == len(f.inside):
        return emptiest(f)
    best = int(names[pool, 0])
    least = cost_of(f, router, best, k)
    for i in range(1, count):
        r = int(names[pool, i])
        cost = cost_of(f, router, r, k)
        if cost < least:
            best, least = r, cost
    return best
