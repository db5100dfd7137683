"""Caches played access by access: the exact twin of :mod:`simulator.costs.caching`.

Items are alike (fixed-size shards, pages, samples), numbered from 0; a cache holds ``capacity`` of them and starts
empty. Every policy takes the whole sequence of reads and says which were hits.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.foundation.registry import Registry

Reads = NDArray[np.int64]
Hit = NDArray[np.bool_]
Policy = Callable[[Reads, int, np.random.Generator], Hit]

#: policies by name: (reads, capacity, random source) -> whether each read was a hit
policies: Final[Registry[Policy]] = Registry("cache policy")


def play(policy: str, reads: Reads, capacity: int, rng: np.random.Generator) -> Hit:
    """Return whether each read was served from the cache; raises :class:`UnknownName` for a policy that is none."""
    if capacity < 1:
        _ = policies[policy]
        return np.zeros(len(reads), dtype=np.bool_)
    return policies[policy](reads, capacity, rng)


def epochs(items: int, count: int, rng: np.random.Generator, *, reshuffle: bool = True) -> Reads:
    """Whole passes over the items, each in a fresh random order or always in the same; shape (count * items,)."""
    if reshuffle:
        return np.concatenate([rng.permutation(items) for _ in range(count)])
    return np.tile(np.arange(items), count)


def hit_rates(hits: Hit, items: int) -> NDArray[np.float64]:
    """Hit rate of each epoch, shape (epochs,)."""
    return np.asarray(hits.reshape(-1, items).mean(axis=1), dtype=np.float64)


@policies.register("minio")
def minio(reads: Reads, capacity: int, rng: np.random.Generator) -> Hit:
    """Keep the first ``capacity`` items for ever."""
    del rng
    first = np.unique(reads, return_index=True)
    order = np.sort(first[1])
    kept = set(reads[order[:capacity]].tolist())
    hits = np.fromiter((item in kept for item in reads.tolist()), dtype=np.bool_, count=len(reads))
    hits[order] = False  # everybody's first read is a miss
    return hits


@policies.register("lru")
def lru(reads: Reads, capacity: int, rng: np.random.Generator) -> Hit:
    """Evict what was read longest ago."""
    del rng
    held: OrderedDict[int, None] = OrderedDict()
    hits = np.zeros(len(reads), dtype=np.bool_)
    for place, item in enumerate(reads.tolist()):
        if item in held:
            held.move_to_end(item)
            hits[place] = True
            continue
        if len(held) >= capacity:
            held.popitem(last=False)
        held[item] = None
    return hits


@policies.register("fifo")
def fifo(reads: Reads, capacity: int, rng: np.random.Generator) -> Hit:
    """Evict what came in longest ago."""
    del rng
    held: set[int] = set()
    queue: deque[int] = deque()
    hits = np.zeros(len(reads), dtype=np.bool_)
    for place, item in enumerate(reads.tolist()):
        if item in held:
            hits[place] = True
            continue
        if len(queue) >= capacity:
            held.discard(queue.popleft())
        held.add(item)
        queue.append(item)
    return hits


@policies.register("page")
def random_replacement(reads: Reads, capacity: int, rng: np.random.Generator) -> Hit:
    """Evict any item alike, as an operating system's page cache does under reshuffled reads."""
    where: dict[int, int] = {}
    slots: list[int] = []
    draws = rng.integers(0, capacity, size=len(reads)).tolist()
    hits = np.zeros(len(reads), dtype=np.bool_)
    for place, item in enumerate(reads.tolist()):
        if item in where:
            hits[place] = True
            continue
        if len(slots) < capacity:
            where[item] = len(slots)
            slots.append(item)
            continue
        slot = draws[place]
        del where[slots[slot]]
        slots[slot] = item
        where[item] = slot
    return hits


@policies.register("belady")
def belady(reads: Reads, capacity: int, rng: np.random.Generator) -> Hit:
    """Evict what is needed last, or do not keep what comes: no policy has more hits (Belady 1966)."""
    del rng
    following = _next_read(reads)
    held: dict[int, int] = {}  # item -> its next read
    latest: list[tuple[int, int]] = []  # (-next read, item); stale entries are skipped
    hits = np.zeros(len(reads), dtype=np.bool_)
    for place, item in enumerate(reads.tolist()):
        if item in held:
            hits[place] = True
        elif len(held) >= capacity:
            while held.get(latest[0][1]) != -latest[0][0]:
                heappop(latest)
            if -latest[0][0] <= following[place]:
                continue
            del held[heappop(latest)[1]]
        held[item] = following[place]
        heappush(latest, (-following[place], item))
    return hits


def _next_read(reads: Reads) -> list[int]:
    """The place of the next read of each place's item; past the end if there is none."""
    after: dict[int, int] = {}
    following = [0] * len(reads)
    for place in range(len(reads) - 1, -1, -1):
        item = int(reads[place])
        following[place] = after.get(item, len(reads) + item)  # distinct, so that ties are settled the same way
        after[item] = place
    return following
