"""How a request leaves: finished, refused, timed out, evicted, or sent to another replica."""

from __future__ import annotations

from simulator.engine.serving.compiled import jit, jit_apart
from simulator.engine.serving.fleet.blocks import growth
from simulator.engine.serving.fleet.heaps import arrive_later, last_iteration, leave_batch, request_at
from simulator.engine.serving.fleet.layout import (
    ABSENT,
    ATTEMPTS,
    BACKOFF,
    BLOCK_SIZE,
    BLOCKS,
    CONTEXT,
    FINISH,
    FOLLOWING,
    GENERATED,
    HELD,
    HELD_LAST,
    HOME,
    INFLIGHT,
    ITERATION,
    LEAN,
    LINK_FREE,
    LINK_LATENCY,
    LINK_TICKS,
    NOBODY,
    NOW,
    OUTCOME,
    OUTPUT,
    PAGED,
    PARTIAL,
    PREEMPTED,
    PREEMPTIONS,
    PROMPT,
    QUEUED,
    READY,
    RETRIES,
    RUNNING,
    SENT,
    SETTLED,
    STAMPED,
    SUCCESSOR,
    SWAP,
    SWAPPED,
    THINK,
    USED,
    WORK,
    Fleet,
)
from simulator.engine.serving.fleet.memory import give_memory
from simulator.engine.serving.fleet.queues import wait_first


@jit
def generated_by(f: Fleet, k: int) -> int:
    """Return the output tokens that request ``k`` had when it was last out of a batch."""
    return int(f.facts[k, GENERATED]) if f.facts.shape[1] > LEAN else 0


@jit
def leave_replica(f: Fleet, k: int) -> None:
    """Take a request off the books of its replica."""
    r = f.facts[k, HOME]
    f.inside[r] -= 1
    f.replicas[r, WORK] -= f.facts[k, PROMPT] + f.facts[k, OUTPUT]


@jit_apart
def take_on(f: Fleet, r: int, k: int) -> None:
    """Put a request of the one queue on the books of the replica that takes it."""
    f.facts[k, HOME] = r
    f.inside[r] += 1
    f.replicas[r, WORK] += f.facts[k, PROMPT] + f.facts[k, OUTPUT]


@jit
def settle(f: Fleet, k: int, time: int, outcome: int) -> None:
    """End a request for good; the one that depends on it arrives after its think time.

    Whose deadline has passed is told so at the next boundary of a replica that looks at it, which may be later.
    """
    f.times[k, FINISH] = time
    f.facts[k, OUTCOME] = outcome
    f.world[SETTLED] += 1
    if f.facts[k, HOME] != NOBODY:
        if f.facts[k, HOME] != QUEUED:
            leave_replica(f, k)
        f.world[INFLIGHT] -= 1
    if f.facts.shape[1] > LEAN and f.facts[k, SUCCESSOR] != NOBODY:
        arrive_later(f, f.facts[k, SUCCESSOR], max(time + f.times[k, THINK], f.world[NOW]))


@jit_apart
def hold(f: Fleet, k: int) -> None:
    """Keep a request at the gateway while no replica is open."""
    f.facts[k, FOLLOWING] = NOBODY
    if f.world[HELD] == NOBODY:
        f.world[HELD] = k
    else:
        f.facts[f.world[HELD_LAST], FOLLOWING] = k
    f.world[HELD_LAST] = k


@jit_apart
def refuse(f: Fleet, k: int, time: int, outcome: int) -> None:
    """Turn an arrival away: it tries again after an exponential back-off, or gives up."""
    if f.facts.shape[1] > LEAN and f.facts[k, ATTEMPTS] < f.world[RETRIES]:
        wait = f.world[BACKOFF] << f.facts[k, ATTEMPTS]
        f.facts[k, ATTEMPTS] += 1
        arrive_later(f, k, time + wait)
    else:
        settle(f, k, time, outcome)


@jit
def context_of(f: Fleet, r: int, place: int) -> int:
    """Return the cached tokens of the running request at ``place`` of the batch."""
    k = request_at(f, r, place)
    left = last_iteration(f, r, place) - f.replicas[r, ITERATION]
    return int(f.facts[k, PROMPT] + f.facts[k, OUTPUT] - 1 - left)


@jit
def leave_running(f: Fleet, e: int, r: int, place: int) -> int:
    """Take a request out of the batch and give its memory back; return its context."""
    k = request_at(f, r, place)
    context = context_of(f, r, place)
    f.replicas[r, CONTEXT] -= context
    if f.engines[e, PAGED] > 0:
        size = f.engines[e, BLOCK_SIZE]
        f.residue[r, (context - f.replicas[r, ITERATION]) % size] -= 1
    give_memory(f, e, r, k, context)
    leave_batch(f, r, place)
    return context


@jit_apart
def preempt(f: Fleet, e: int, r: int) -> int:
    """Evict the request admitted last; return the ticks that moving its cache to the host takes (0: recompute)."""
    f.replicas[r, PREEMPTED] += 1
    k = f.replicas[r, PARTIAL]
    latest = -1
    for i in range(f.replicas[r, RUNNING]):
        if latest < 0 or f.facts[request_at(f, r, i), STAMPED] > f.facts[request_at(f, r, latest), STAMPED]:
            latest = i
    if k != NOBODY and (latest < 0 or f.facts[k, STAMPED] > f.facts[request_at(f, r, latest), STAMPED]):
        f.replicas[r, PARTIAL] = NOBODY
        give_memory(f, e, r, k, f.facts[k, PROMPT] + f.facts[k, GENERATED])
        f.facts[k, PREEMPTIONS] += 1
        wait_first(f, r, k)
        return 0
    k = request_at(f, r, latest)
    f.facts[k, GENERATED] = f.facts[k, OUTPUT] - (last_iteration(f, r, latest) - f.replicas[r, ITERATION])
    context = leave_running(f, e, r, latest)
    f.facts[k, PREEMPTIONS] += 1
    f.facts[k, READY] = SWAPPED if f.engines[e, SWAP] > 0 else ABSENT
    wait_first(f, r, k)
    return int(context * f.engines[e, SWAP])


@jit_apart
def preempt_until_next_step_fits(f: Fleet, e: int, r: int) -> int:
    """Evict until all who run can have their next block; return the ticks of swapping, or -1 if none was evicted."""
    ticks = -1
    while growth(f, e, r, 1) > f.engines[e, BLOCKS] - f.replicas[r, USED]:
        ticks = max(ticks, 0) + preempt(f, e, r)
    return ticks


@jit_apart
def send_away(f: Fleet, e: int, r: int, k: int, time: int) -> None:
    """Send a computed prompt's cache to the decode pool over the replica's own port, one request after another."""
    context = f.facts[k, PROMPT] + f.facts[k, GENERATED] - 1
    give_memory(f, e, r, k, context)
    leave_replica(f, k)
    f.facts[k, READY] = SENT
    begin = max(f.replicas[r, LINK_FREE], time)
    f.replicas[r, LINK_FREE] = begin + context * f.engines[e, LINK_TICKS]
    arrive_later(f, k, f.replicas[r, LINK_FREE] + f.engines[e, LINK_LATENCY])


@jit_apart
def lose(f: Fleet, k: int, time: int) -> None:
    """Route a request again after its replica was lost; what it had generated must be computed again as prompt."""
    leave_replica(f, k)
    f.facts[k, READY] = ABSENT
    arrive_later(f, k, time)
