"""The prefix cache of a replica: blocks by identity, least recently released leaves first.

A block that a running request uses is pinned (references above zero); a released one stays until its room is needed.
Slots form one doubly linked list of released blocks per tier and one free list.

Below device memory there may be tiers (host memory, drives). A block whose room is needed goes down a tier, where the
oldest makes room in turn; the last tier forgets. A block lies in one place; a request that begins with blocks of lower
tiers waits until they are brought back. Moving down is taken to be hidden behind computing. Beside them there may be a
pool that several replicas share (``pool``).
"""

from __future__ import annotations

from simulator.engine.serving.compiled import jit, jit_apart
from simulator.engine.serving.fleet.identities import drop, enter, slot_of
from simulator.engine.serving.fleet.layout import (
    AFTER,
    BEFORE,
    BLOCK,
    BLOCK_SIZE,
    CACHED,
    FOUND,
    FREE_SLOT,
    GROUP,
    LRU_HEAD,
    LRU_TAIL,
    NOBODY,
    POOL,
    REFERENCES,
    TIER,
    TIER_SLOTS,
    TIER_TICKS,
    TIERS,
    Fleet,
)
from simulator.engine.serving.fleet.pool import pooled, read_ticks


@jit
def find(f: Fleet, r: int, block: int) -> int:
    """Return the slot of a block at replica ``r``, or NOBODY."""
    return slot_of(f.table, f.slots, r, block)


@jit_apart
def matched(f: Fleet, r: int, k: int) -> int:
    """Return how many leading prefix blocks of request ``k`` replica ``r`` remembers, or its pool."""
    begin = f.chain_start[k]
    count = f.chain_start[k + 1] - begin
    for i in range(count):
        block = f.chain[begin + i]
        if find(f, r, block) == NOBODY and not pooled(f, r, block):
            return i
    return int(count)


@jit
def unlink(f: Fleet, r: int, slot: int) -> None:
    """Take a released slot out of its tier's list of released ones."""
    before, after, tier = f.slots[r, slot, BEFORE], f.slots[r, slot, AFTER], f.slots[r, slot, TIER]
    if before == NOBODY:
        f.replicas[r, LRU_HEAD + tier] = after
    else:
        f.slots[r, before, AFTER] = after
    if after == NOBODY:
        f.replicas[r, LRU_TAIL + tier] = before
    else:
        f.slots[r, after, BEFORE] = before
    f.replicas[r, CACHED + tier] -= 1


@jit
def link_last(f: Fleet, r: int, slot: int, tier: int) -> None:
    """Put a slot that nobody references last in the list of a tier."""
    tail = f.replicas[r, LRU_TAIL + tier]
    f.slots[r, slot, BEFORE], f.slots[r, slot, AFTER], f.slots[r, slot, TIER] = tail, NOBODY, tier
    if tail == NOBODY:
        f.replicas[r, LRU_HEAD + tier] = slot
    else:
        f.slots[r, tail, AFTER] = slot
    f.replicas[r, LRU_TAIL + tier] = slot
    f.replicas[r, CACHED + tier] += 1


@jit_apart
def lower_oldest(f: Fleet, e: int, r: int) -> None:
    """Move the block released longest ago out of device memory: a tier down, where the oldest makes room in turn."""
    slot = int(f.replicas[r, LRU_HEAD])
    unlink(f, r, slot)
    for tier in range(1, TIERS):
        room = f.engines[e, TIER_SLOTS + tier - 1]
        if room == 0:
            break
        link_last(f, r, slot, tier)
        if f.replicas[r, CACHED + tier] <= room:
            return
        slot = int(f.replicas[r, LRU_HEAD + tier])
        unlink(f, r, slot)
    forget(f, r, slot)


@jit_apart
def forget(f: Fleet, r: int, slot: int) -> None:
    """Drop a block that is in no list."""
    drop(f.table, f.slots, r, slot)
    f.slots[r, slot, AFTER] = f.replicas[r, FREE_SLOT]
    f.replicas[r, FREE_SLOT] = slot


@jit_apart
def hold_known(f: Fleet, r: int, k: int) -> tuple[int, int]:
    """Reference the prefix blocks of request ``k`` that are remembered.

    Returns how many nobody had referenced before: in device memory, and in lower tiers, which they leave.
    """
    here, below = 0, 0
    for i in range(f.chain_start[k], f.chain_start[k + 1]):
        slot = find(f, r, f.chain[i])
        if slot == NOBODY:
            continue
        f.slots[r, slot, REFERENCES] += 1
        if f.slots[r, slot, REFERENCES] == 1:
            unlink(f, r, slot)
            if f.slots[r, slot, TIER] > 0:
                below += 1
                f.slots[r, slot, TIER] = 0
            else:
                here += 1
    return here, below


@jit_apart
def remember(f: Fleet, r: int, block: int) -> None:
    """Begin to remember a block, with one reference."""
    slot = int(f.replicas[r, FREE_SLOT])
    f.replicas[r, FREE_SLOT] = f.slots[r, slot, AFTER]
    f.slots[r, slot, BLOCK], f.slots[r, slot, REFERENCES], f.slots[r, slot, TIER] = block, 1, 0
    enter(f.table, f.slots, r, slot)


@jit_apart
def release(f: Fleet, r: int, k: int) -> int:
    """Release the prefix blocks of request ``k``, last first; return how many became nobody's."""
    freed = 0
    begin = f.chain_start[k]
    for i in range(f.chain_start[k + 1] - 1, begin - 1, -1):
        slot = find(f, r, f.chain[i])
        f.slots[r, slot, REFERENCES] -= 1
        if f.slots[r, slot, REFERENCES] == 0:
            link_last(f, r, slot, 0)
            freed += 1
    return freed


@jit_apart
def bring_ticks(f: Fleet, e: int, r: int, k: int, blocks: int, time: int) -> int:
    """Note where the first blocks of request ``k`` are found; return the ticks until all are in the device."""
    ticks, away = 0, 0
    begin = f.chain_start[k]
    tokens = f.engines[e, GROUP] * f.engines[e, BLOCK_SIZE]
    for i in range(blocks):
        slot = find(f, r, f.chain[begin + i])
        if slot == NOBODY:
            away += 1
            continue
        tier = f.slots[r, slot, TIER]
        f.replicas[r, FOUND + tier] += tokens
        if tier > 0:
            ticks += f.engines[e, TIER_TICKS + tier - 1]
    if away > 0:
        f.replicas[r, POOL] += away * tokens
        ticks += read_ticks(f, e, r, away, time)
    return int(ticks)
