"""The prefix cache of a replica: blocks by identity, least recently released leaves first.

A block that a running request uses is pinned (references above zero); a released one stays until its room is needed.
Blocks are numbers (the same number means the same tokens and the same history), found by open addressing with linear
probing; slots form one doubly linked list of released blocks and one free list.
"""

from __future__ import annotations

from simulator.engine.serving.compiled import jit, jit_apart
from simulator.engine.serving.fleet.layout import (
    AFTER,
    BEFORE,
    BLOCK,
    CACHED,
    FREE_SLOT,
    LRU_HEAD,
    LRU_TAIL,
    NOBODY,
    REFERENCES,
    Fleet,
)


@jit
def place_of(f: Fleet, block: int) -> int:
    """Return where the search for a block begins (Knuth's multiplicative hash)."""
    return int(((int(block) * 2654435761) & 0xFFFFFFFF) % f.table.shape[1])


@jit_apart
def find(f: Fleet, r: int, block: int) -> int:
    """Return the slot of a block at replica ``r``, or NOBODY."""
    size = f.table.shape[1]
    at = place_of(f, block)
    while f.table[r, at] != NOBODY:
        if f.slots[r, f.table[r, at], BLOCK] == block:
            return int(f.table[r, at])
        at = (at + 1) % size
    return NOBODY


@jit_apart
def matched(f: Fleet, r: int, k: int) -> int:
    """Return how many leading prefix blocks of request ``k`` replica ``r`` remembers."""
    begin = f.chain_start[k]
    count = f.chain_start[k + 1] - begin
    for i in range(count):
        if find(f, r, f.chain[begin + i]) == NOBODY:
            return i
    return int(count)


@jit
def unlink(f: Fleet, r: int, slot: int) -> None:
    """Take a released slot out of the list of released ones."""
    before, after = f.slots[r, slot, BEFORE], f.slots[r, slot, AFTER]
    if before == NOBODY:
        f.replicas[r, LRU_HEAD] = after
    else:
        f.slots[r, before, AFTER] = after
    if after == NOBODY:
        f.replicas[r, LRU_TAIL] = before
    else:
        f.slots[r, after, BEFORE] = before
    f.replicas[r, CACHED] -= 1


@jit_apart
def forget_oldest(f: Fleet, r: int) -> None:
    """Drop the block released longest ago, closing the gap it leaves in the table."""
    slot = int(f.replicas[r, LRU_HEAD])
    unlink(f, r, slot)
    size = f.table.shape[1]
    hole = place_of(f, f.slots[r, slot, BLOCK])
    while f.table[r, hole] != slot:
        hole = (hole + 1) % size
    at = (hole + 1) % size
    while f.table[r, at] != NOBODY:
        home = place_of(f, f.slots[r, f.table[r, at], BLOCK])
        if (at - home) % size >= (at - hole) % size:
            f.table[r, hole] = f.table[r, at]
            hole = at
        at = (at + 1) % size
    f.table[r, hole] = NOBODY
    f.slots[r, slot, AFTER] = f.replicas[r, FREE_SLOT]
    f.replicas[r, FREE_SLOT] = slot


@jit_apart
def pin(f: Fleet, r: int, block: int) -> bool:
    """Reference a block, remembering it if new; return whether nobody had it before (so that its room is now used)."""
    slot = find(f, r, block)
    if slot == NOBODY:
        slot = int(f.replicas[r, FREE_SLOT])
        f.replicas[r, FREE_SLOT] = f.slots[r, slot, AFTER]
        f.slots[r, slot, BLOCK] = block
        f.slots[r, slot, REFERENCES] = 1
        at = place_of(f, block)
        while f.table[r, at] != NOBODY:
            at = (at + 1) % f.table.shape[1]
        f.table[r, at] = slot
        return True
    f.slots[r, slot, REFERENCES] += 1
    if f.slots[r, slot, REFERENCES] == 1:
        unlink(f, r, slot)
        return True
    return False


@jit_apart
def release(f: Fleet, r: int, k: int) -> int:
    """Release the prefix blocks of request ``k``, last first; return how many became nobody's."""
    freed = 0
    begin = f.chain_start[k]
    for i in range(f.chain_start[k + 1] - 1, begin - 1, -1):
        slot = find(f, r, f.chain[i])
        f.slots[r, slot, REFERENCES] -= 1
        if f.slots[r, slot, REFERENCES] == 0:
            tail = f.replicas[r, LRU_TAIL]
            f.slots[r, slot, BEFORE], f.slots[r, slot, AFTER] = tail, NOBODY
            if tail == NOBODY:
                f.replicas[r, LRU_HEAD] = slot
            else:
                f.slots[r, tail, AFTER] = slot
            f.replicas[r, LRU_TAIL] = slot
            f.replicas[r, CACHED] += 1
            freed += 1
    return freed
