"""Room in the KV cache: what a request takes when it joins a batch, and gives back when it leaves."""

from __future__ import annotations

from simulator.engine.serving.compiled import jit, jit_apart
from simulator.engine.serving.fleet.blocks import blocks_of
from simulator.engine.serving.fleet.layout import (
    BLOCK_SIZE,
    BLOCKS,
    CACHED,
    GROUP,
    NOBODY,
    OUTPUT,
    PAGED,
    PREFIX_SLOTS,
    PROMPT,
    REFERENCES,
    USED,
    Fleet,
)
from simulator.engine.serving.fleet.prefix import find, hold_known, lower_oldest, release, remember


@jit
def private_blocks(f: Fleet, e: int, k: int, context: int) -> int:
    """Return the blocks of request ``k`` at ``context`` tokens that no other request can share."""
    if f.engines[e, PAGED] == 0:
        context = f.facts[k, PROMPT] + f.facts[k, OUTPUT]
    blocks = blocks_of(context, f.engines[e, BLOCK_SIZE])
    if f.engines[e, PREFIX_SLOTS] > 0:
        blocks -= (f.chain_start[k + 1] - f.chain_start[k]) * f.engines[e, GROUP]
    return int(blocks)


@jit
def fits(f: Fleet, e: int, r: int, k: int, context: int, reserved: int) -> bool:
    """Return whether the request may join with ``context`` tokens while ``reserved`` blocks stay free."""
    need = private_blocks(f, e, k, context) + reserved
    if f.engines[e, PREFIX_SLOTS] > 0:
        for i in range(f.chain_start[k], f.chain_start[k + 1]):
            slot = find(f, r, f.chain[i])
            if slot == NOBODY or f.slots[r, slot, REFERENCES] == 0:
                need += f.engines[e, GROUP]
    return bool(need <= f.engines[e, BLOCKS] - f.replicas[r, USED])


@jit_apart
def make_room(f: Fleet, e: int, r: int, blocks: int) -> None:
    """Let released prefixes leave device memory until so many blocks are free."""
    group = f.engines[e, GROUP]
    while f.engines[e, BLOCKS] - f.replicas[r, USED] - f.replicas[r, CACHED] * group < blocks:
        if f.replicas[r, CACHED] == 0:
            return
        lower_oldest(f, e, r)


@jit
def take_memory(f: Fleet, e: int, r: int, k: int, context: int) -> None:
    """Take the request's blocks, evicting released prefixes as needed; it must fit."""
    if f.engines[e, PREFIX_SLOTS] == 0:
        f.replicas[r, USED] += private_blocks(f, e, k, context)
        return
    group = f.engines[e, GROUP]
    here, below = hold_known(f, r, k)
    f.replicas[r, USED] += here * group
    make_room(f, e, r, below * group)
    f.replicas[r, USED] += below * group
    for i in range(f.chain_start[k], f.chain_start[k + 1]):
        if find(f, r, f.chain[i]) == NOBODY:
            make_room(f, e, r, group)
            remember(f, r, f.chain[i])
            f.replicas[r, USED] += group
    private = private_blocks(f, e, k, context)
    make_room(f, e, r, private)
    f.replicas[r, USED] += private


@jit
def give_memory(f: Fleet, e: int, r: int, k: int, context: int) -> None:
    """Give the request's blocks back; its prefix stays remembered until the room is needed."""
    f.replicas[r, USED] -= private_blocks(f, e, k, context)
    if f.engines[e, PREFIX_SLOTS] > 0:
        f.replicas[r, USED] -= release(f, r, k) * f.engines[e, GROUP]
