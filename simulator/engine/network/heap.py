"""A binary heap of numbered things, whose keys may change: kernels over three arrays.

``keys[position]`` and ``items[position]`` are the heap, ``where[item]`` the position of an item or -1. Equal keys are
ordered by item number, so that the order does not depend on history.
"""

from __future__ import annotations

from typing import Any

from simulator.engine.network.jit import kernel


@kernel
def sift_up(keys: Any, items: Any, where: Any, position: int) -> None:
    """Move an entry towards the top until its parent is not greater."""
    key = keys[position]
    item = items[position]
    while position > 0:
        parent = (position - 1) >> 1
        if keys[parent] < key or (keys[parent] == key and items[parent] < item):
            break
        keys[position] = keys[parent]
        items[position] = items[parent]
        where[items[position]] = position
        position = parent
    keys[position] = key
    items[position] = item
    where[item] = position


@kernel
def sift_down(keys: Any, items: Any, where: Any, position: int, size: int) -> None:
    """Move an entry towards the leaves until no child is smaller."""
    key = keys[position]
    item = items[position]
    child = 2 * position + 1
    while child < size:
        right = child + 1
        if right < size and (keys[right] < keys[child] or (keys[right] == keys[child] and items[right] < items[child])):
            child = right
        if key < keys[child] or (key == keys[child] and item < items[child]):
            break
        keys[position] = keys[child]
        items[position] = items[child]
        where[items[position]] = position
        position = child
        child = 2 * position + 1
    keys[position] = key
    items[position] = item
    where[item] = position


@kernel
def put(keys: Any, items: Any, where: Any, size: int, item: int, key: Any) -> int:
    """Insert an item, or change its key; return the new size."""
    position = where[item]
    if position < 0:
        position = size
        size += 1
        items[position] = item
        keys[position] = key
        where[item] = position
        sift_up(keys, items, where, position)
        return size
    keys[position] = key
    sift_up(keys, items, where, position)
    sift_down(keys, items, where, where[item], size)
    return size


@kernel
def drop(keys: Any, items: Any, where: Any, size: int, item: int) -> int:
    """Remove an item that may be absent; return the new size."""
    position = where[item]
    if position < 0:
        return size
    where[item] = -1
    size -= 1
    if position < size:
        moved = items[size]
        keys[position] = keys[size]
        items[position] = moved
        where[moved] = position
        sift_up(keys, items, where, position)
        sift_down(keys, items, where, where[moved], size)
    return size


@kernel
def build(keys: Any, items: Any, where: Any, size: int) -> None:
    """Order ``size`` entries that stand in any order; ``where`` is filled."""
    for position in range(size):
        where[items[position]] = position
    for position in range(size // 2 - 1, -1, -1):
        sift_down(keys, items, where, position, size)
