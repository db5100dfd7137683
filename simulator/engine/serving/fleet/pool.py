"""A pool of prefixes that several replicas share, as stores in the memory of all hosts or on common drives are.

What a replica has computed is written through to the pool when the prompt is complete, so that the others find it from
then on; the block stored longest ago makes room (least recently used, as each use stores it again). Blocks in the pool
are copies: they stay when they are read. A replica reads over its own link; where the pool has a rate of its own, its
readers wait for each other. Writing is taken to be hidden behind computing.
"""

from __future__ import annotations

from simulator.engine.serving.compiled import jit, jit_apart
from simulator.engine.serving.fleet.identities import drop, enter, slot_of
from simulator.engine.serving.fleet.layout import (
    BLOCK,
    NOBODY,
    POOL_AFTER,
    POOL_BEFORE,
    POOL_BLOCK_TICKS,
    POOL_FREE_SLOT,
    POOL_HEAD,
    POOL_HELD,
    POOL_OF,
    POOL_READ,
    POOL_TAIL,
    POOL_TICKS,
    Fleet,
)


@jit
def pooled(f: Fleet, r: int, block: int) -> bool:
    """Return whether the pool of replica ``r``, if it has one, holds a block."""
    p = f.replicas[r, POOL_OF]
    return bool(p != NOBODY and slot_of(f.pool_table, f.pool_slots, p, block) != NOBODY)


@jit_apart
def store(f: Fleet, r: int, k: int) -> None:
    """Keep the prefix of request ``k`` in the pool of replica ``r``, its beginning longest."""
    p = f.replicas[r, POOL_OF]
    if p == NOBODY:
        return
    begin = f.chain_start[k]
    for i in range(f.chain_start[k + 1] - 1, begin - 1, -1):
        _keep(f, p, f.chain[i])


@jit_apart
def _keep(f: Fleet, p: int, block: int) -> None:
    """Put a block last in the list of a pool, in the place of the first one where it is full."""
    pool, slots = f.pools[p], f.pool_slots
    slot = slot_of(f.pool_table, slots, p, block)
    if slot != NOBODY:
        _unlink(f, p, slot)
    else:
        slot = int(pool[POOL_FREE_SLOT])
        if slot != NOBODY:
            pool[POOL_FREE_SLOT] = slots[p, slot, POOL_AFTER]
        else:
            slot = int(pool[POOL_HEAD])
            _unlink(f, p, slot)
            drop(f.pool_table, slots, p, slot)
        slots[p, slot, BLOCK] = block
        enter(f.pool_table, slots, p, slot)
    tail = pool[POOL_TAIL]
    slots[p, slot, POOL_BEFORE], slots[p, slot, POOL_AFTER] = tail, NOBODY
    if tail == NOBODY:
        pool[POOL_HEAD] = slot
    else:
        slots[p, tail, POOL_AFTER] = slot
    pool[POOL_TAIL] = slot
    pool[POOL_HELD] += 1


@jit
def _unlink(f: Fleet, p: int, slot: int) -> None:
    """Take a slot out of the list of a pool."""
    pool, slots = f.pools[p], f.pool_slots
    before, after = slots[p, slot, POOL_BEFORE], slots[p, slot, POOL_AFTER]
    if before == NOBODY:
        pool[POOL_HEAD] = after
    else:
        slots[p, before, POOL_AFTER] = after
    if after == NOBODY:
        pool[POOL_TAIL] = before
    else:
        slots[p, after, POOL_BEFORE] = before
    pool[POOL_HELD] -= 1


@jit_apart
def read_ticks(f: Fleet, e: int, r: int, blocks: int, time: int) -> int:
    """Return the ticks until replica ``r`` has read so many blocks of its pool, which it asks for at ``time``."""
    own = blocks * f.engines[e, POOL_TICKS]
    pool = f.pools[f.replicas[r, POOL_OF]]
    if pool[POOL_BLOCK_TICKS] == 0:
        return int(own)
    pool[POOL_READ] = max(pool[POOL_READ], time) + blocks * pool[POOL_BLOCK_TICKS]
    return int(max(own, pool[POOL_READ] - time))
