"""Hit rates of caches in closed form, for the two ways training reads: whole epochs, and popular items.

``cached`` is everywhere the cache's capacity over the data set's, at least 0; above 1 everything fits. Epochs that
reshuffle read every item once, in a fresh random order; a cyclic scan reads in the same order each time. A first-in
first-out cache under reshuffled epochs has no closed form here: play it (:mod:`simulator.engine.data.caches`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.foundation.registry import Registry

Array = NDArray[np.float64]

_HALVINGS: Final = 80  # of an interval: beyond the precision of a float

HitRate = Callable[[ArrayLike], Array]

#: policy -> steady hit rate on reshuffled epochs
reshuffled: Final[Registry[HitRate]] = Registry("cache policy")

#: policy -> steady hit rate on a cyclic scan
cyclic: Final[Registry[HitRate]] = Registry("cache policy")


def _share(cached: ArrayLike) -> Array:
    return np.clip(np.asarray(cached, dtype=np.float64), 0.0, 1.0)


@reshuffled.register("minio")
@cyclic.register("minio")
def minio(cached: ArrayLike) -> Array:
    """Fill once and never replace: hits equal the share that fits, in any order.

    Source: Mohan et al. 2021 (CoorDL), arXiv 2007.06775, section 4.
    """
    return _share(cached)


@cyclic.register("lru")
@cyclic.register("fifo")
def lru_scan(cached: ArrayLike) -> Array:
    """A cyclic scan over more than fits evicts every item just before its use: 0, or 1 where all fits."""
    return np.where(np.asarray(cached, dtype=np.float64) >= 1.0, 1.0, 0.0)


@reshuffled.register("lru")
def lru_reshuffled(cached: ArrayLike) -> Array:
    """``c + (1 - c) ln(1 - c)``: what is left of an LRU cache when each epoch draws a fresh order.

    An item read at position x of one epoch and y of the next (shares, uniform and independent) has seen
    ``1 - x (1 - y)`` of the others between; it is still there if that is below c. So the miss rate is the chance that
    a product of two uniforms stays below t = 1 - c, which is ``t - t ln t``.
    """
    left = 1.0 - _share(cached)
    logarithm = np.log(np.where(left > 0.0, left, 1.0))
    return np.asarray(1.0 - left + left * logarithm, dtype=np.float64)


@reshuffled.register("page")
def random_reshuffled(cached: ArrayLike) -> Array:
    """Random replacement, which is how an operating system's page cache behaves under a reshuffled read.

    A miss evicts any one of the C items alike, so after a gap of g epochs at miss rate m an item is still there with
    chance ``exp(-m g / c)``. The gap is the sum of two uniforms, hence ``h = ((1 - exp(-a)) / a)^2`` with
    ``a = (1 - h) / c``; solved by bisection.
    """

    def survive(a: Array) -> Array:
        return np.asarray(np.square(-np.expm1(-a) / a), dtype=np.float64)

    return _fixed_point(_share(cached), survive)


@cyclic.register("page")
def random_scan(cached: ArrayLike) -> Array:
    """Random replacement on a cyclic scan: every gap is one epoch, so ``h = exp(-(1 - h) / c)``."""
    return _fixed_point(_share(cached), lambda a: np.exp(-a))


@cyclic.register("belady")
def belady_scan(cached: ArrayLike) -> Array:
    """The best that any policy can do on a cyclic scan: the share that fits (in the limit of many items)."""
    return _share(cached)


def _fixed_point(cached: Array, survive: Callable[[Array], Array]) -> Array:
    """Solve ``h = survive((1 - h) / c)`` for the root below 1; 0 without a cache, 1 where all fits."""
    safe = np.clip(cached, 1e-12, 1.0)
    low, high = np.full_like(safe, 1e-12), np.ones_like(safe)  # of the miss rate
    for _ in range(_HALVINGS):
        miss = 0.5 * (low + high)
        too_few = 1.0 - survive(miss / safe) > miss  # more would miss: the root is above
        low, high = np.where(too_few, miss, low), np.where(too_few, high, miss)
    return np.where(cached >= 1.0, 1.0, np.where(cached <= 0.0, 0.0, 1.0 - 0.5 * (low + high)))


def zipf(items: int, exponent: float) -> Array:
    """Popularity of items by rank, summing to 1; shape (items,)."""
    weights = np.arange(1, items + 1, dtype=np.float64) ** -exponent
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def che(popularity: Array, capacity: float, sizes: Array | None = None) -> Array:
    """Hit chance of each item in an LRU cache under independent requests.

    An item is there if it was asked for within the characteristic time T, which fills the cache:
    ``sum(s (1 - exp(-p T))) = capacity``, with the sizes s in the unit of the capacity (None: equal items, 1 each).
    The cache's hit rate is the mean of the chances, weighted by popularity.

    Source: Che, Tung & Wang 2002, doi:10.1109/JSAC.2002.801752.
    """
    size = np.ones_like(popularity) if sizes is None else sizes
    if capacity >= size.sum():
        return np.ones_like(popularity)
    low, high = 0.0, float(len(popularity)) / float(popularity.min())
    for _ in range(_HALVINGS):
        time = 0.5 * (low + high)
        filled = float((size * -np.expm1(-popularity * time)).sum())
        low, high = (time, high) if filled < capacity else (low, time)
    return np.asarray(-np.expm1(-popularity * 0.5 * (low + high)))


def partitioned(cached_per_node: ArrayLike, nodes: ArrayLike) -> tuple[Array, Array]:
    """Shares of reads served by the node's own cache and by another node's, when nodes cache disjoint parts.

    Every epoch gives each node a random share of the data, so a read finds its item in its own cache with the share
    of the data that one node holds, and in some cache with that of all.

    Source: the partitioned cache of Mohan et al. 2021, arXiv 2007.06775, section 5.
    """
    count = np.asarray(nodes, dtype=np.float64)
    anywhere = np.minimum(1.0, np.asarray(cached_per_node, dtype=np.float64) * count)
    return anywhere / count, anywhere * (1.0 - 1.0 / count)
