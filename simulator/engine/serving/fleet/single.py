"""One replica, whole reservations, prompts first, on lists and ``heapq``: the fast road where numba is not installed.

Everything else the kernel offers is left out on purpose; what is here gives the kernel's bits, at some ten times the
speed of the interpreted kernel.
"""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np

from simulator.engine.serving.fleet import layout as at
from simulator.engine.serving.stepping import span, steps_until


def suits(fleet: at.Fleet) -> bool:
    """Return whether a fleet, at its beginning, is of the kind this road serves."""
    engine = fleet.engines[0]
    return (
        len(fleet.replicas) == 1
        and fleet.replicas[0, at.ROLE] != at.ONE_PASS
        and fleet.facts.shape[1] == at.LEAN
        and len(fleet.gap_counts) == 0
        and fleet.world[at.NEXT] == 0
        and fleet.world[at.MAX_INFLIGHT] >= len(fleet.times)
        and fleet.world[at.MAX_WAITING] >= len(fleet.times)
        and not (engine[at.MIXED] or engine[at.PAGED] or engine[at.CHUNKED] or engine[at.PREFIX_SLOTS])
    )


def finish(fleet: at.Fleet) -> None:
    """Serve every request and write its instants and outcome into the fleet's arrays."""
    engine = [int(value) for value in fleet.engines[0]]
    arrival = fleet.times[:, at.ARRIVAL].tolist()
    prompt, output = fleet.facts[:, at.PROMPT].tolist(), fleet.facts[:, at.OUTPUT].tolist()
    size, blocks = engine[at.BLOCK_SIZE], engine[at.BLOCKS]
    held = [-(-(p + o) // size) for p, o in zip(prompt, output, strict=True)]
    served = [k for k, need in enumerate(held) if need <= blocks]
    scheduled, first, end = _serve(fleet, engine, served, arrival, prompt, output, held)
    done = np.array(served, np.int64)
    turned_away = np.ones(len(arrival), bool)
    turned_away[done] = False
    fleet.times[done, at.SCHEDULED], fleet.times[done, at.FIRST] = scheduled, first
    fleet.times[done, at.FINISH] = end
    fleet.times[turned_away, at.FINISH] = fleet.times[turned_away, at.ARRIVAL]
    fleet.facts[done, at.OUTCOME], fleet.facts[done, at.HOME] = at.FINISHED, 0
    fleet.facts[turned_away, at.OUTCOME] = at.TOO_LONG
    world = fleet.world
    world[at.NEXT] = world[at.SETTLED] = len(arrival)
    world[at.NOW] = max(fleet.times[:, at.FINISH].max(initial=0), 0)


def _serve(
    fleet: at.Fleet,
    engine: list[int],
    served: list[int],
    arrival: list[int],
    prompt: list[int],
    output: list[int],
    held: list[int],
) -> tuple[list[int], list[int], list[int]]:
    """Return when each served request was admitted, had its first token, and ended."""
    prompts, decode = fleet.dense[0], fleet.dense[engine[at.DECODE_ROW]].tolist()
    if engine[at.DRAFT_ROW] != at.NOBODY:  # it reads them too
        prompts = prompts + fleet.dense[engine[at.DRAFT_ROW]]
    dense, steep = prompts.tolist(), engine[at.DECODE_SLOPE]
    last, slope = len(dense) - 1, dense[-1] - dense[-2]
    per_context, per_pair, fixed = engine[at.DECODE_CONTEXT], engine[at.PREFILL_PAIR], engine[at.PREFILL_FIXED]
    host, host_seq = engine[at.HOST_FIXED], engine[at.HOST_PER_SEQ]
    max_seqs, budget, blocks = engine[at.MAX_SEQS], engine[at.TOKEN_BUDGET], engine[at.BLOCKS]
    n = len(served)
    arrives = [arrival[k] for k in served]
    scheduled, first, end = [0] * n, [0] * n, [0] * n
    heap: list[tuple[int, int]] = []
    now = here = head = context = iteration = used = busy = steps_done = decoded = prefilled = 0
    while head < n or heap:
        while here < n and arrives[here] <= now:
            here += 1
        begin, tokens, pairs, running = head, 0, 0, len(heap)
        while head < here and running < max_seqs and tokens < budget:
            k = served[head]
            p = prompt[k]
            if used + held[k] > blocks or (tokens and p > budget - tokens):
                break
            used += held[k]
            tokens += p
            pairs += p * p
            running += 1
            scheduled[head] = now
            head += 1
        if tokens:
            device = dense[tokens] if tokens <= last else dense[last] + (tokens - last) * slope
            step = max(host + host_seq + engine[at.HOST_PROMPT], device + fixed + pairs * per_pair)
            now, busy, steps_done, prefilled = now + step, busy + step, steps_done + 1, prefilled + tokens
            for i in range(begin, head):
                k = served[i]
                first[i] = now
                if output[k] == 1:
                    end[i] = now
                    used -= held[k]
                else:
                    heappush(heap, (iteration + output[k] - 1, i))
                    context += prompt[k]
            continue
        if not heap:
            now = arrives[here]
            continue
        ahead = decode[running] if running <= last else decode[last] + (running - last) * steep
        ahead += per_context * (context + running)
        growth, floor = per_context * running, host + host_seq * running
        steps = heap[0][0] - iteration
        if head == here and here < n and running < max_seqs:
            steps = min(steps, steps_until(arrives[here] - now, ahead, growth, floor))
        step = span(steps, ahead, growth, floor)
        now, busy, steps_done, decoded = now + step, busy + step, steps_done + steps, decoded + running * steps
        iteration += steps
        context += running * steps
        while heap and heap[0][0] == iteration:
            i = heappop(heap)[1]
            k = served[i]
            end[i] = now
            used -= held[k]
            context -= prompt[k] + output[k] - 1
    row = fleet.replicas[0]
    row[at.BUSY], row[at.ALL_STEPS], row[at.DECODED], row[at.PREFILLED] = busy, steps_done, decoded, prefilled
    return scheduled, first, end
