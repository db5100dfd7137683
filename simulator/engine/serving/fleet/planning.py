"""The scheduler of a replica: at each boundary it picks what the next step computes.

Running requests come first when ``mixed`` is set (decode first: prompts ride along in what is left of the token
budget); otherwise a step holds prompts only as long as any can be admitted (prefill first). Admission is first come
first served within a class, bounded by sequences, tokens and cache blocks; nothing overtakes a head that does not fit.
"""

from __future__ import annotations

from simulator.engine.serving.compiled import jit, jit_apart
from simulator.engine.serving.fleet.blocks import growth, steps_within
from simulator.engine.serving.fleet.heaps import join_batch, last_iteration, schedule
from simulator.engine.serving.fleet.layout import (
    ABSENT,
    BLOCK_SIZE,
    BLOCKS,
    CHECKED,
    CHUNKED,
    CLASS,
    CONTEXT,
    DEADLINE,
    DECODE,
    DECODE_CONTEXT,
    DECODE_ROW,
    DECODE_SLOPE,
    DENSE_SLOPE,
    DRAFT_ROW,
    FOLLOWING,
    GENERATED,
    GROUP,
    HOST_FIXED,
    HOST_PER_SEQ,
    HOST_PROMPT,
    IDLE,
    ITERATION,
    JOINING,
    JOINING_LAST,
    LEAN,
    LOADED,
    LOADING,
    MAX_SEQS,
    MAX_WAITING,
    MIXED,
    MODE,
    NEVER,
    NOBODY,
    OUTPUT,
    PAGED,
    PARTIAL,
    PARTIAL_DONE,
    PARTS,
    PIECES,
    PREFILL,
    PREFILL_FIXED,
    PREFILL_PAIR,
    PREFILLED,
    PREFIX_SLOTS,
    PROMPT,
    PROMPT_CONTEXT,
    READY,
    REUSED,
    RUNNING,
    SCHEDULED,
    SPARE,
    STALL,
    STAMP,
    STAMPED,
    START,
    STEPS,
    SWAP,
    SWAPPED,
    TIMED_OUT,
    TOKEN_BUDGET,
    USED,
    WAITING,
    YIELDED,
    Fleet,
)
from simulator.engine.serving.fleet.life import generated_by, preempt_until_next_step_fits, settle
from simulator.engine.serving.fleet.memory import fits, take_memory
from simulator.engine.serving.fleet.prefix import bring_ticks, matched
from simulator.engine.serving.fleet.queues import front, take_front
from simulator.engine.serving.stepping import span, steps_until


@jit
def row_ticks(f: Fleet, row: int, tokens: int) -> int:
    """Return a row of the table at so many tokens; beyond its end it goes on as it ends."""
    last = f.dense.shape[1] - 1
    if tokens <= last:
        return int(f.dense[row, tokens])
    return int(f.dense[row, last] + (tokens - last) * (f.dense[row, last] - f.dense[row, last - 1]))


@jit
def dense_ticks(f: Fleet, e: int, tokens: int) -> int:
    """Return the ticks of everything but attention for a step of so many tokens."""
    last = f.dense.shape[1] - 1
    if tokens <= last:
        return int(f.dense[e, tokens])
    return int(f.dense[e, last] + (tokens - last) * f.engines[e, DENSE_SLOPE])


@jit
def decode_ticks(f: Fleet, e: int, running: int) -> int:
    """Return the same for a step in which so many requests generate one token each and nothing else happens."""
    row, last = f.engines[e, DECODE_ROW], f.dense.shape[1] - 1
    if running <= last:
        return int(f.dense[row, running])
    return int(f.dense[row, last] + (running - last) * f.engines[e, DECODE_SLOPE])


@jit
def guessing_ticks(f: Fleet, e: int, running: int, tokens: int) -> int:
    """Return the ticks of the draft in a step of so many prompt tokens and running requests.

    Its first pass reads the prompts too; each further guess is one pass more over the running requests.
    """
    row = f.engines[e, DRAFT_ROW]
    if row == NOBODY:
        return 0
    further = f.engines[e, CHECKED] - 2 if running > 0 else 0
    return int(row_ticks(f, row, running + tokens) + further * row_ticks(f, row, running))


@jit
def waited_ticks(loading: int, device: int, pieces: int) -> int:
    """Return how much longer a step takes whose prefixes are brought back in ``loading`` ticks, in equal pieces.

    Each piece (a layer) computes when it is there, while the next one comes: ``max + min / pieces`` of both for the
    step. All of it waits where there is one piece.
    """
    return loading - min(loading, device) * (pieces - 1) // pieces


@jit
def host_ticks(f: Fleet, e: int, sequences: int) -> int:
    """Return the ticks below which the host cannot issue a step."""
    return int(f.engines[e, HOST_FIXED] + sequences * f.engines[e, HOST_PER_SEQ])


@jit
def next_waiting(f: Fleet, q: int, time: int) -> int:
    """Return the request of a queue to admit next, after dropping those whose deadline has passed."""
    k = front(f, q)
    while k != NOBODY and f.facts.shape[1] > LEAN and f.times[k, DEADLINE] < time and f.times[k, SCHEDULED] < 0:
        take_front(f, q, k)
        settle(f, k, f.times[k, DEADLINE], TIMED_OUT)
        k = front(f, q)
    return k


@jit_apart
def is_full(f: Fleet, q: int, time: int) -> bool:
    """Return whether no place is left in a queue after those whose deadline has passed left theirs."""
    _ = next_waiting(f, q, time)
    return bool(f.replicas[q, WAITING] >= f.world[MAX_WAITING])


@jit
def link_joining(f: Fleet, r: int, k: int) -> None:
    """Note that the request's prompt is complete when the step ends."""
    f.facts[k, FOLLOWING] = NOBODY
    if f.replicas[r, JOINING] == NOBODY:
        f.replicas[r, JOINING] = k
    else:
        f.facts[f.replicas[r, JOINING_LAST], FOLLOWING] = k
    f.replicas[r, JOINING_LAST] = k


@jit
def join_running(f: Fleet, e: int, r: int, k: int, context: int, left: int) -> None:
    """Put a request with ``left`` tokens to go into the running batch."""
    join_batch(f, r, f.replicas[r, ITERATION] + left, k)
    f.replicas[r, CONTEXT] += context
    if f.engines[e, PAGED] > 0:
        f.residue[r, (context - f.replicas[r, ITERATION]) % f.engines[e, BLOCK_SIZE]] += 1


@jit
def admit(f: Fleet, e: int, r: int, k: int, time: int, context: int) -> None:
    """Take a request from the queue and its memory from the cache."""
    take_front(f, r, k)
    take_memory(f, e, r, k, context)
    if f.times[k, SCHEDULED] < 0:
        f.times[k, SCHEDULED] = time
    if f.facts.shape[1] > LEAN:
        f.facts[k, STAMPED] = f.replicas[r, STAMP]
        f.replicas[r, STAMP] += 1


@jit
def cached_tokens(f: Fleet, e: int, r: int, k: int, context: int) -> int:
    """Return the tokens that need not be computed; the last one always is, for its logits."""
    if f.engines[e, PREFIX_SLOTS] == 0:
        return 0
    found = matched(f, r, k) * f.engines[e, GROUP] * f.engines[e, BLOCK_SIZE]
    return int(min(found, context - 1))


@jit
def bring_prefix(f: Fleet, e: int, r: int, k: int, time: int) -> None:
    """Let the step wait for what of the request's prefix lies in lower tiers or in the pool."""
    if f.engines[e, PREFIX_SLOTS] > 0:
        f.replicas[r, LOADING] += bring_ticks(f, e, r, k, matched(f, r, k), time)


@jit
def guessed_steps(f: Fleet, e: int, r: int) -> int:
    """Return the iterations that a step with prompt tokens takes the running requests on: what its guesses yield.

    A pass yields a mean of ``YIELDED`` tokens; what of it is no whole token is left for the next one. Where the cache
    has no room for so many, fewer.
    """
    row, engine = f.replicas[r], f.engines[e]
    if engine[YIELDED] == PARTS:
        return 1
    due = row[SPARE] + engine[YIELDED]
    row[SPARE] = due % PARTS
    steps = due // PARTS
    if engine[PAGED] > 0:
        steps = min(steps, max(1, steps_within(f, e, r, engine[BLOCKS] - row[USED])))
    return int(steps)


@jit
def continue_partial(f: Fleet, r: int, budget: int) -> tuple[int, int]:
    """Spend the budget on the prompt that is partly computed; return its tokens and doubled pairs of this step."""
    row = f.replicas[r]
    k = row[PARTIAL]
    if k == NOBODY or budget <= 0:
        return 0, 0
    done = row[PARTIAL_DONE]
    left = f.facts[k, PROMPT] + generated_by(f, k) - done
    tokens = min(left, budget)
    row[PARTIAL_DONE] = done + tokens
    if tokens == left:
        row[PARTIAL] = NOBODY
        link_joining(f, r, k)
    return tokens, tokens * (2 * done + tokens)


@jit
def readmit(f: Fleet, e: int, r: int, k: int, time: int, reserved: int) -> int:
    """Let a request whose cache is at hand run again; return the ticks of bringing it back, -1 if it does not fit."""
    generated = f.facts[k, GENERATED]
    context = f.facts[k, PROMPT] + generated - 1
    if not fits(f, e, r, k, context, reserved + 1):
        return -1
    admit(f, e, r, k, time, context)
    ticks = context * f.engines[e, SWAP] if f.facts[k, READY] == SWAPPED else 0
    f.facts[k, READY] = ABSENT
    join_running(f, e, r, k, context, f.facts[k, OUTPUT] - generated)
    return ticks


@jit
def start_prompt(f: Fleet, e: int, r: int, k: int, time: int, room: int, alone: bool, reserved: int) -> tuple[int, int]:
    """Admit a request if tokens, memory and the policy allow; return its tokens and doubled pairs, or (0, 0)."""
    row, chunked = f.replicas[r], f.engines[e, CHUNKED] > 0
    context = f.facts[k, PROMPT] + generated_by(f, k)
    if room <= 0 or not fits(f, e, r, k, context, reserved):
        return 0, 0
    done = cached_tokens(f, e, r, k, context)
    left = context - done
    if not chunked and left > room and not alone:
        return 0, 0
    bring_prefix(f, e, r, k, time)
    admit(f, e, r, k, time, context)
    if f.facts.shape[1] > LEAN:
        f.facts[k, REUSED] = done
    taken = min(left, room) if chunked else left
    if taken == left:
        link_joining(f, r, k)
    else:
        row[PARTIAL], row[PARTIAL_DONE] = k, done + taken
    return taken, taken * (2 * done + taken)


@jit
def fill_step(f: Fleet, e: int, r: int, time: int, budget: int) -> tuple[int, int, int]:
    """Fill the step with prompt tokens; return them, their doubled (query, key) pairs, and the ticks of swapping in."""
    row, engine = f.replicas[r], f.engines[e]
    tokens, pairs = continue_partial(f, r, budget)
    joined = 1 if tokens > 0 else 0
    swapping = 0
    while row[PARTIAL] == NOBODY and row[RUNNING] + joined < engine[MAX_SEQS]:
        k = next_waiting(f, r, time)
        if k == NOBODY:
            break
        reserved = growth(f, e, r, 1) if engine[MIXED] > 0 and engine[PAGED] > 0 else 0
        if f.facts.shape[1] > LEAN and f.facts[k, READY] != ABSENT:
            ticks = readmit(f, e, r, k, time, reserved)
            if ticks < 0:
                break
            swapping += ticks
            budget -= engine[CHECKED] if engine[MIXED] > 0 else 0
            continue
        more, its_pairs = start_prompt(f, e, r, k, time, budget - tokens, joined == 0, reserved)
        if more == 0:
            break
        tokens, pairs, joined = tokens + more, pairs + its_pairs, joined + 1
    return tokens, pairs, swapping


@jit
def decode_steps(f: Fleet, e: int, r: int, time: int, first: int, floor: int) -> int:
    """Return how many iterations can pass before the batch changes by itself."""
    row, engine = f.replicas[r], f.engines[e]
    steps = last_iteration(f, r, 0) - row[ITERATION]
    if engine[PAGED] > 0:
        free = engine[BLOCKS] - row[USED]
        if row[RUNNING] * (steps // engine[BLOCK_SIZE] + 1) > free:
            steps = min(steps, steps_within(f, e, r, free))
    if f.facts.shape[1] > LEAN:
        k = front(f, r)
        if k != NOBODY and f.times[k, SCHEDULED] < 0 and f.times[k, DEADLINE] < NEVER:
            growth_ = engine[DECODE_CONTEXT] * row[RUNNING]
            steps = min(steps, steps_until(f.times[k, DEADLINE] + 1 - time, first, growth_, floor))
    return int(steps)


@jit
def plan(f: Fleet, r: int, time: int) -> None:
    """Choose the next step of replica ``r``, which is at a boundary."""
    row = f.replicas[r]
    e = row[CLASS]
    engine = f.engines[e]
    mixed, paged = engine[MIXED] > 0, engine[PAGED] > 0
    row[JOINING] = NOBODY
    swapping, evicted = 0, False
    budget = engine[TOKEN_BUDGET]
    if mixed:
        if paged:
            ticks = preempt_until_next_step_fits(f, e, r)
            evicted, swapping = ticks >= 0, max(ticks, 0)
        budget -= row[RUNNING] * engine[CHECKED]
    tokens, pairs = 0, 0
    if not evicted:
        tokens, pairs, more = fill_step(f, e, r, time, budget)
        swapping += more
    if tokens == 0 and paged and not mixed:
        swapping += max(preempt_until_next_step_fits(f, e, r), 0)
    running = row[RUNNING]
    if tokens > 0:
        if not mixed:
            running = 0
        device = dense_ticks(f, e, running * engine[CHECKED] + tokens) + guessing_ticks(f, e, running, tokens)
        device += engine[PREFILL_FIXED] + pairs * engine[PREFILL_PAIR]
        device += engine[PROMPT_CONTEXT] * (row[CONTEXT] + running) if running > 0 else 0
        waited = waited_ticks(row[LOADING], device, engine[PIECES])
        row[LOADING], row[LOADED], swapping = 0, row[LOADED] + waited, swapping + waited
        step = max(host_ticks(f, e, running + 1) + engine[HOST_PROMPT], device)
        row[MODE], row[START], row[STEPS] = PREFILL, time + swapping, guessed_steps(f, e, r) if running > 0 else 1
        row[PREFILLED] += tokens
        if not mixed:
            row[STALL] += swapping + step
        schedule(f, r, time + swapping + step)
    elif running > 0:
        begin = time + swapping
        first = decode_ticks(f, e, running) + engine[DECODE_CONTEXT] * (row[CONTEXT] + running)
        floor = host_ticks(f, e, running)
        row[MODE], row[START] = DECODE, begin
        row[STEPS] = decode_steps(f, e, r, begin, first, floor)
        schedule(f, r, begin + span(row[STEPS], first, engine[DECODE_CONTEXT] * running, floor))
    else:
        row[MODE] = IDLE
        schedule(f, r, NEVER)
