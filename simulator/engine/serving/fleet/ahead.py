"""Hints to the processor: bring the memory of the replica that is probably next, while the present one is worked on.

A fleet of many replicas does not fit the caches, and an arrival goes to any of them: without hints each one waits for
memory twice. A hint changes no value; run interpreted, nothing happens.
"""

from __future__ import annotations

from typing import Final

from simulator.engine.serving.compiled import jit
from simulator.engine.serving.fleet.layout import (
    BUSY,
    CLASS,
    JOINING,
    NAME,
    OPEN_COUNT,
    RANDOM,
    ROUTER,
    SCHEDULED_STEPS,
    TIME,
    Fleet,
)
from simulator.engine.serving.fleet.routing import POWER_OF_TWO, RANDOMLY, after
from simulator.engine.serving.prefetch import bring

FEW: Final = 512  # replicas whose rows fit the caches, so that hints would only cost


@jit
def bring_replica(f: Fleet, r: int) -> None:
    """Begin to bring near what the next event of a replica looks at."""
    bring(f.replicas, r, CLASS)
    bring(f.replicas, r, JOINING)
    bring(f.replicas, r, BUSY)
    bring(f.batch, r, 0)


@jit
def bring_next_choice(f: Fleet) -> None:
    """Begin to bring near the replica that the router will probably choose for the next arrival."""
    router, count = f.world[ROUTER], f.world[OPEN_COUNT]
    if len(f.place) < FEW or count < 2:
        return
    if router == POWER_OF_TWO:
        first = after(f.world[RANDOM])
        one, two = f.open_[0, first % count], f.open_[0, after(first) % count]
        bring_replica(f, int(one if f.inside[one] <= f.inside[two] else two))
    elif router == RANDOMLY:
        bring_replica(f, int(f.open_[0, after(f.world[RANDOM]) % count]))


@jit
def bring_next_step(f: Fleet) -> None:
    """Begin to bring near the replica whose step probably ends after the present one."""
    if len(f.place) < FEW or f.world[SCHEDULED_STEPS] < 3:
        return
    next_ = 1 if f.agenda[1, TIME] < f.agenda[2, TIME] else 2
    bring_replica(f, f.agenda[next_, NAME])
