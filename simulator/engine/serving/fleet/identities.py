"""Blocks by identity: which slot of a cache holds a block, by open addressing with linear probing.

A block is a number (the same number means the same tokens and the same history). ``table[r, place]`` is a slot or
NOBODY, ``slots[r, slot, BLOCK]`` the block that it holds; ``r`` is a replica, or a pool that replicas share.
"""

from __future__ import annotations

from simulator.engine.serving.compiled import jit, jit_apart
from simulator.engine.serving.fleet.layout import BLOCK, NOBODY, Shorts


@jit
def place_of(table: Shorts, block: int) -> int:
    """Return where the search for a block begins (Knuth's multiplicative hash)."""
    return int(((int(block) * 2654435761) & 0xFFFFFFFF) % table.shape[1])


@jit_apart
def slot_of(table: Shorts, slots: Shorts, r: int, block: int) -> int:
    """Return the slot of a block, or NOBODY."""
    size = table.shape[1]
    at = place_of(table, block)
    while table[r, at] != NOBODY:
        if slots[r, table[r, at], BLOCK] == block:
            return int(table[r, at])
        at = (at + 1) % size
    return NOBODY


@jit_apart
def enter(table: Shorts, slots: Shorts, r: int, slot: int) -> None:
    """Let the block of a slot be found."""
    at = place_of(table, slots[r, slot, BLOCK])
    while table[r, at] != NOBODY:
        at = (at + 1) % table.shape[1]
    table[r, at] = slot


@jit_apart
def drop(table: Shorts, slots: Shorts, r: int, slot: int) -> None:
    """Let the block of a slot be found no more, closing the gap it leaves."""
    size = table.shape[1]
    hole = place_of(table, slots[r, slot, BLOCK])
    while table[r, hole] != slot:
        hole = (hole + 1) % size
    at = (hole + 1) % size
    while table[r, at] != NOBODY:
        home = place_of(table, slots[r, table[r, at], BLOCK])
        if (at - home) % size >= (at - hole) % size:
            table[r, hole] = table[r, at]
            hole = at
        at = (at + 1) % size
    table[r, hole] = NOBODY
