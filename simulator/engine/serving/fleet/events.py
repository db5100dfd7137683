"""The two events of a fleet: a request arrives, and a replica comes to the end of its step."""

from __future__ import annotations

from simulator.engine.serving.compiled import jit, jit_apart
from simulator.engine.serving.fleet.blocks import blocks_of, growth
from simulator.engine.serving.fleet.gaps import count_gaps
from simulator.engine.serving.fleet.heaps import last_iteration, request_at, schedule
from simulator.engine.serving.fleet.layout import (
    ALL_STEPS,
    BLOCK_SIZE,
    BLOCKS,
    BUSY,
    CLASS,
    CONTEXT,
    DECODE,
    DECODE_CONTEXT,
    DECODED,
    FINISHED,
    FIRST,
    FOLLOWING,
    GENERATED,
    HOME,
    IDLE,
    INFLIGHT,
    ITERATION,
    JOINING,
    LEAN,
    MAX_INFLIGHT,
    MAX_SEQS,
    MAX_WAITING,
    MIXED,
    MODE,
    NOBODY,
    OPEN_COUNT,
    OUTPUT,
    PAGED,
    PREFILL,
    PREFILL_ONLY,
    PREFIX_SLOTS,
    PROMPT,
    READY,
    REJECTED,
    ROLE,
    RUNNING,
    SENT,
    SHED,
    STALL,
    START,
    STEPS,
    TOO_LONG,
    USED,
    WAITING,
    WAKING,
    WORK,
    Fleet,
)
from simulator.engine.serving.fleet.life import generated_by, hold, leave_running, refuse, send_away, settle
from simulator.engine.serving.fleet.memory import give_memory, make_room
from simulator.engine.serving.fleet.planning import decode_ticks, host_ticks, is_full, join_running
from simulator.engine.serving.fleet.pool import store
from simulator.engine.serving.fleet.queues import front, wait_last
from simulator.engine.serving.fleet.routing import choose
from simulator.engine.serving.stepping import span, steps_until


@jit
def shorten_step(f: Fleet, r: int, time: int) -> None:
    """Let the present run of iterations end at the first boundary not before ``time``."""
    row = f.replicas[r]
    e = row[CLASS]
    first = decode_ticks(f, e, row[RUNNING]) + f.engines[e, DECODE_CONTEXT] * (row[CONTEXT] + row[RUNNING])
    grow = f.engines[e, DECODE_CONTEXT] * row[RUNNING]
    floor = host_ticks(f, e, row[RUNNING])
    steps = steps_until(time - row[START], first, grow, floor)
    if steps < row[STEPS]:
        row[STEPS] = steps
        schedule(f, r, row[START] + span(steps, first, grow, floor))


@jit
def arrive(f: Fleet, k: int, time: int) -> int:
    """Route an arriving request, or turn it away; return the idle replica that it wakes, or NOBODY."""
    world = f.world
    inside = f.facts[k, HOME] != NOBODY
    if not inside and world[INFLIGHT] >= world[MAX_INFLIGHT]:
        refuse(f, k, time, SHED)
        return NOBODY
    pool = 1 if f.facts.shape[1] > LEAN and f.facts[k, READY] == SENT else 0
    if world[OPEN_COUNT + pool] == 0:
        hold(f, k)
        return NOBODY
    r = choose(f, pool, k)
    row = f.replicas[r]
    engine = f.engines[row[CLASS]]
    if blocks_of(f.facts[k, PROMPT] + f.facts[k, OUTPUT], engine[BLOCK_SIZE]) > engine[BLOCKS]:
        settle(f, k, time, TOO_LONG)
        return NOBODY
    if not inside and row[WAITING] >= world[MAX_WAITING] and is_full(f, r, time):
        refuse(f, k, time, REJECTED)
        return NOBODY
    if not inside:
        world[INFLIGHT] += 1
    f.facts[k, HOME] = r
    f.inside[r] += 1
    row[WORK] += f.facts[k, PROMPT] + f.facts[k, OUTPUT]
    wait_last(f, r, k)
    if row[MODE] == DECODE:
        if row[RUNNING] < engine[MAX_SEQS] and front(f, r) == k:
            shorten_step(f, r, time)
    elif row[MODE] == IDLE:
        row[MODE] = WAKING
        return r
    return NOBODY


@jit_apart
def note_gaps(f: Fleet, e: int, r: int, steps: int, time: int) -> None:
    """Count the gaps between tokens of the step that ends now."""
    row = f.replicas[r]
    running = row[RUNNING]
    stall, row[STALL] = row[STALL], 0
    if row[MODE] == PREFILL:
        count_gaps(f.gap_counts, steps, (time - row[START]) // steps, 0, 1, running)
        return
    first = decode_ticks(f, e, running) + f.engines[e, DECODE_CONTEXT] * (row[CONTEXT] + running)
    floor = host_ticks(f, e, running)
    grow = f.engines[e, DECODE_CONTEXT] * running
    if stall > 0:
        count_gaps(f.gap_counts, 1, stall + max(first, floor), 0, 1, running)
        steps, first = steps - 1, first + grow
    count_gaps(f.gap_counts, steps, first, grow, floor, running)


@jit
def decode_progress(f: Fleet, e: int, r: int, time: int) -> None:
    """Give every running request the tokens of the step, and let those that are complete go."""
    row = f.replicas[r]
    left = row[STEPS]
    if len(f.gap_counts) > 0:
        note_gaps(f, e, r, left, time)
    while left > 0 and row[RUNNING] > 0:
        steps = min(left, last_iteration(f, r, 0) - row[ITERATION])  # guesses may end a request before the step's last
        left -= steps
        if f.engines[e, PAGED] > 0:
            row[USED] += growth(f, e, r, steps)
            if f.engines[e, PREFIX_SLOTS] > 0:
                make_room(f, e, r, 0)
        row[CONTEXT] += row[RUNNING] * steps
        row[ITERATION] += steps
        row[DECODED] += row[RUNNING] * steps
        while row[RUNNING] > 0 and last_iteration(f, r, 0) == row[ITERATION]:
            k = request_at(f, r, 0)
            leave_running(f, e, r, 0)
            settle(f, k, time, FINISHED)


@jit
def prompts_done(f: Fleet, e: int, r: int, time: int) -> None:
    """Give every request whose prompt is now complete its token, and let it go on decoding here or elsewhere."""
    row = f.replicas[r]
    k = row[JOINING]
    while k != NOBODY:
        after = f.facts[k, FOLLOWING]
        before = generated_by(f, k)
        if f.engines[e, PREFIX_SLOTS] > 0:
            store(f, r, k)
        if before == 0:
            f.times[k, FIRST] = time
        left = f.facts[k, OUTPUT] - before - 1
        if left == 0:
            give_memory(f, e, r, k, f.facts[k, PROMPT] + before)
            settle(f, k, time, FINISHED)
        elif row[ROLE] == PREFILL_ONLY:
            f.facts[k, GENERATED] = before + 1
            send_away(f, e, r, k, time)
        else:
            join_running(f, e, r, k, f.facts[k, PROMPT] + before, left)
        k = after
    row[JOINING] = NOBODY


@jit
def end_step(f: Fleet, r: int, time: int) -> None:
    """Account for the step that ends now; the replica is then at a boundary."""
    row = f.replicas[r]
    e = row[CLASS]
    if row[MODE] != PREFILL and row[MODE] != DECODE:
        return
    row[BUSY] += time - row[START]
    row[ALL_STEPS] += row[STEPS]
    if row[RUNNING] > 0 and (row[MODE] == DECODE or f.engines[e, MIXED] > 0):
        decode_progress(f, e, r, time)
    if row[MODE] == PREFILL:
        prompts_done(f, e, r, time)
