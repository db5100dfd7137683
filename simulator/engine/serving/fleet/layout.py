"""The arrays a fleet lives in, and the names of their columns.

State is arrays and nothing else, so that a run can be compiled, paused at any instant, saved and resumed.

* ``replicas[r, column]``: one row of integers per replica, so that one replica's state shares a few cache lines;
* ``engines[e, column]``: what is the same for all replicas of one engine class (device, model, settings);
* ``world[column]``: what there is once; ``open_[pool, i]``: the replicas the router may choose;
* where all replicas take from one queue, it is the one of the first replica, open or not;
* ``times[k, column]`` and ``facts[k, column]``: one row of instants and one of integers per request; rows are short
  (``LEAN``) where the run needs no preemption, priorities, deadlines, retries, follow-ups, caches or sessions;
* ``batch[r, place]``: the running requests of each replica, a binary heap by the iteration in which they end.

Times are ticks (picoseconds); memory is in KV blocks.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Shorts = npt.NDArray[np.int32]

NEVER: Final = 2**62
REQUESTS: Final = 2**31  # more than any run holds
NOBODY: Final = -1
QUEUED: Final = -2  # in place of a replica: in the one queue of all
AWAKE: Final = -2

# columns of ``replicas``; eight of them share a cache line: an arrival looks at two lines, the end of a step at three
CLASS: Final = 0  # row of ``engines``
MODE: Final = 1
RUNNING: Final = 2  # decoding requests
CONTEXT: Final = 3  # their tokens in the KV cache
USED: Final = 4  # KV blocks referenced
ITERATION: Final = 5  # decode iterations done so far
START: Final = 6  # when the present step began
STEPS: Final = 7  # iterations of the present step
JOINING: Final = 8  # first of the requests whose prefill ends with the present step (linked by ``following``)
JOINING_LAST: Final = 9
PARTIAL: Final = 10  # request whose prompt is partly computed
LOADING: Final = 11  # ticks that the next step waits for prefixes from lower tiers
WORK: Final = 12  # prompt and output tokens of the requests routed here and not yet out
WAITING: Final = 13
QUEUE_HEAD: Final = 14  # first and last waiting request of the first priority class; those of the others follow
QUEUE_TAIL: Final = 15
ENDS: Final = 2  # columns per class
MAX_CLASSES: Final = 8
PREEMPTED: Final = 30
LOADED: Final = 31  # ticks that steps have waited for prefixes from lower tiers
BUSY: Final = 32  # ticks spent in steps
ALL_STEPS: Final = 33
DECODED: Final = 34  # tokens of decode iterations
PREFILLED: Final = 35  # prompt tokens computed
STALL: Final = 36  # ticks that the running batch has waited for prompts since its last iteration
ROLE: Final = 37
PARTIAL_DONE: Final = 38  # prompt tokens in the cache of the request whose prompt is partly computed
STAMP: Final = 39  # admissions so far
OPEN: Final = 40  # whether the router may choose it
LINK_FREE: Final = 41  # when the replica's network port has sent what it has to send
FREE_SLOT: Final = 42
WEIGHT: Final = 43  # for the weighted router, in thousandths
LRU_HEAD: Final = 44  # of the prefix blocks kept though nobody references them, in device memory; and in lower tiers
LRU_TAIL: Final = 47
CACHED: Final = 50  # how many those are
FOUND: Final = 53  # prompt tokens found in device memory, in lower tiers, and in the pool
TIERS: Final = 3
POOL: Final = 56  # what ``FOUND`` counts for the pool
SPARE: Final = 57  # guessed tokens that are due but not yet generated, in 1 / PARTS
POOL_OF: Final = 58  # row of ``pools`` that the replica reads; NOBODY: none
IDLE_BEFORE: Final = 59  # the one that was idle before it, where all take from one queue; AWAKE: it is not idle
REPLICA_COLUMNS: Final = 72  # whole cache lines, an odd number, so that rows spread over all sets of a cache

# columns of ``engines``
MAX_SEQS: Final = 0
TOKEN_BUDGET: Final = 1
BLOCKS: Final = 2
BLOCK_SIZE: Final = 3
CHUNKED: Final = 4
MIXED: Final = 5  # decode first: prompts ride along with decode iterations
PAGED: Final = 6  # blocks on demand with preemption; otherwise the whole request is reserved at admission
SWAP: Final = 7  # ticks per token to move a cache to or from the host; 0: recompute
DECODE_CONTEXT: Final = 8  # ticks per token of context and iteration without prompt tokens
PREFILL_PAIR: Final = 9  # ticks per (query, key) pair, doubled pairs
PREFILL_FIXED: Final = 10  # ticks per step that holds prompt tokens
HOST_FIXED: Final = 11
HOST_PER_SEQ: Final = 12
DENSE_SLOPE: Final = 13  # ticks per token beyond the table
LINK_TICKS: Final = 14  # ticks per token of cache sent to another replica
LINK_LATENCY: Final = 15
GROUP: Final = 16  # KV blocks in one prefix block
PREFIX_SLOTS: Final = 17  # prefix blocks a replica can remember; 0: no prefix cache
HOST_PROMPT: Final = 18  # what the host's time is longer in a step that holds prompt tokens
PROMPT_CONTEXT: Final = 19  # ticks per token of context in a step that holds prompt tokens
DECODE_ROW: Final = 20  # row of ``dense`` for steps without prompt tokens
DECODE_SLOPE: Final = 21  # ticks per token beyond that row
TIER_SLOTS: Final = 22  # prefix blocks that the first lower tier holds, and the second
TIER_TICKS: Final = 24  # ticks to bring one back from there
DELAY: Final = 26  # ticks that the first of a batch waits for others, where a pass gives the answer; NEVER: until full
TAIL_ROW: Final = 27  # row of ``dense`` with the ticks from the end of such a pass to its answers; NOBODY: none
CHECKED: Final = 28  # tokens that a running request adds to a step with prompt tokens: its own, and guesses
YIELDED: Final = 29  # tokens that it gets from such a step, in 1 / PARTS
DRAFT_ROW: Final = 30  # row of ``dense`` for one pass of the draft that guesses; NOBODY: none
PIECES: Final = 31  # pieces in which a prefix is brought back beside computing; 1: all of it before
POOL_TICKS: Final = 32  # ticks to bring one prefix block from the pool, were nobody else reading
ENGINE_COLUMNS: Final = 33
PARTS: Final = 1024  # of a token

# columns of ``world``
NEXT: Final = 0  # next arrival
NOW: Final = 1
ROUTER: Final = 2
RANDOM: Final = 3
TIMEOUT: Final = 4  # longest wait for the first admission
TURN: Final = 19  # round robin's next turn in the first pool; TURN + 1 in the decode pool
OPEN_COUNT: Final = 5  # open replicas of the first pool; OPEN_COUNT + 1 of the decode pool
LATER: Final = 7  # entries of the heap of later arrivals
INFLIGHT: Final = 8
MAX_INFLIGHT: Final = 9
MAX_WAITING: Final = 10
RETRIES: Final = 11
BACKOFF: Final = 12
HELD: Final = 13  # first of the requests that no replica was open for
HELD_LAST: Final = 14
CLASSES: Final = 15  # priority classes
EVENTS: Final = 16
SETTLED: Final = 17  # requests finished, rejected, timed out or too long
PRIMARY: Final = 18  # requests whose arrival is given; the others arrive when a predecessor ends
GATHERER: Final = 21  # replica that waits for a batch from the one queue to fill
IDLE_LAST: Final = 22  # the replica that became idle last, where all take from one queue
SCHEDULED_STEPS: Final = 23  # replicas that have a next event
WORLD_COLUMNS: Final = 24

# columns of ``times``, one row per request
ARRIVAL: Final = 0
SCHEDULED: Final = 1  # first admitted to a batch
FIRST: Final = 2  # first token
FINISH: Final = 3
LEAN_TIMES: Final = 4
DEADLINE: Final = 4  # latest first admission
THINK: Final = 5  # from this request's end to its successor's arrival
TIME_COLUMNS: Final = 6

# columns of ``facts``, one row per request
PROMPT: Final = 0
OUTPUT: Final = 1
FOLLOWING: Final = 2  # next in whatever list the request is in
HOME: Final = 3  # replica, NOBODY before routing, QUEUED in the one queue of all
OUTCOME: Final = 4
LEAN: Final = 5  # columns of a run without preemption, priorities, deadlines, retries, follow-ups, caches or sessions
GENERATED: Final = 5  # output tokens when last evicted or sent
READY: Final = 6
STAMPED: Final = 7  # order of admission at its replica
ATTEMPTS: Final = 8
PREEMPTIONS: Final = 9
REUSED: Final = 10  # prompt tokens found in the prefix cache
PRIORITY: Final = 11  # 0 is served first
SUCCESSOR: Final = 12
AFFINITY: Final = 13  # session
FACT_COLUMNS: Final = 14

# columns of ``slots``, one row per remembered prefix block
BLOCK: Final = 0
REFERENCES: Final = 1
BEFORE: Final = 2
AFTER: Final = 3
TIER: Final = 4  # where it lies: 0 in device memory
SLOT_COLUMNS: Final = 5

# columns of ``pools``, one row per pool that several replicas share
POOL_HEAD: Final = 0  # of its blocks, stored longest ago first
POOL_TAIL: Final = 1
POOL_HELD: Final = 2
POOL_FREE_SLOT: Final = 3
POOL_READ: Final = 4  # when it has read what it was asked for
POOL_BLOCK_TICKS: Final = 5  # ticks in which it reads one block for somebody; 0: it keeps nobody waiting
POOL_COLUMNS: Final = 6

# columns of ``pool_slots``, one row per block of a pool; the first is BLOCK
POOL_BEFORE: Final = 1
POOL_AFTER: Final = 2
POOL_SLOT_COLUMNS: Final = 3

# columns of ``agenda`` (a heap of replicas by the end of their step), rows of ``later`` (a heap of arrivals to come)
TIME: Final = 0
NAME: Final = 1

# modes and roles
IDLE: Final = 0
PREFILL: Final = 1  # one iteration that holds prompt tokens
DECODE: Final = 2  # a run of iterations without
WAKING: Final = 3  # idle, with an arrival at this very tick
DOWN: Final = 4
GATHERING: Final = 5  # idle until its batch is full or the first of it has waited long enough
BOTH: Final = 0
PREFILL_ONLY: Final = 1
DECODE_ONLY: Final = 2
ONE_PASS: Final = 3  # a step gives the whole answer; nothing is generated

# outcomes of a request
PENDING: Final = 0
FINISHED: Final = 1
REJECTED: Final = 2  # a queue was full
TIMED_OUT: Final = 3
TOO_LONG: Final = 4  # can never fit the cache
SHED: Final = 5  # the concurrency limit was reached

# readiness of a request's cache
ABSENT: Final = 0
SENT: Final = 1  # computed by a prefill replica
SWAPPED: Final = 2  # lies in host memory


class Fleet(NamedTuple):
    """Everything a run consists of."""

    world: Ints
    engines: Ints
    dense: Ints  # [row, tokens of the step] ticks of everything but attention; engine e has row e, and DECODE_ROW
    replicas: Ints
    inside: Shorts  # requests routed to each replica and not yet out: apart, since routers look at all of them
    open_: Shorts  # [pool, place]
    batch: Ints  # [replica, place] heap of running requests: last iteration * 2**31 + request
    residue: Shorts  # [replica, block size] running requests by (context - iteration) mod block size
    agenda: Ints  # [place, 2] the replicas that have a next event
    place: Shorts  # of each replica in the agenda; NOBODY of those without a next event
    later: Ints  # [2, place]; length 0 where the run makes no arrivals of its own
    times: Ints
    facts: Shorts
    chain_start: Ints  # prefix blocks of request k: chain[chain_start[k]:chain_start[k + 1]]
    chain: Shorts
    slots: Shorts  # [replica, slot, 5]
    table: Shorts  # [replica, power of two] open addressing: slot or NOBODY
    pools: Ints
    pool_slots: Shorts  # [pool, slot, 3]
    pool_table: Shorts  # as ``table``
    gap_counts: Ints  # inter-token gaps by logarithmic bucket; length 0: not kept
