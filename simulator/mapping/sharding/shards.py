"""What a sharding is: every record owned by exactly one shard, either in runs (cuts) or scattered (an owner each)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BLOCK: Final = 1 << 20  # records handled at once, so that 10^8 records need no temporary of their own length


def blocks(count: int, size: int = BLOCK) -> Iterator[slice]:
    """Yield slices of at most ``size`` that cover ``range(count)`` in order."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contiguous:
    """Shard ``k`` holds the records ``edges[k]`` up to, not including, ``edges[k + 1]``: order is kept.

    Args:
        edges: not decreasing, first 0, last the number of records; shape (shards + 1,).
    """

    edges: Ints

    def __post_init__(self) -> None:
        assert self.edges.ndim == 1 and len(self.edges) > 1 and self.edges[0] == 0, "edges start at record 0"
        assert bool((np.diff(self.edges) >= 0).all()), "edges must not decrease"

    @property
    def shards(self) -> int:
        """Number of shards, empty ones included."""
        return len(self.edges) - 1

    @property
    def records(self) -> int:
        """Number of records over all shards."""
        return int(self.edges[-1])

    def counts(self) -> Ints:
        """Records per shard, shape (shards,)."""
        return np.diff(self.edges)

    def loads(self, sizes: NDArray[np.generic] | None = None) -> Floats:
        """Bytes per shard, shape (shards,); records per shard where no sizes are given."""
        if sizes is None:
            return self.counts().astype(np.float64)
        pairs = zip(self.edges[:-1], self.edges[1:], strict=True)
        return np.array([_total(sizes[start:stop]) for start, stop in pairs], dtype=np.float64)

    def owners(self, part: slice) -> Ints:
        """The shard of each record in ``part``."""
        return np.searchsorted(self.edges, np.arange(part.start, part.stop), side="right").astype(np.int64) - 1

    def members(self, shard: int) -> Ints:
        """The records of one shard, ascending."""
        return np.arange(self.edges[shard], self.edges[shard + 1])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scattered:
    """Record ``i`` belongs to shard ``owner[i]``.

    Args:
        owner: below ``shards``; shape (records,); any unsigned or signed integer type.
        shards: number of shards, empty ones included.
    """

    owner: NDArray[np.integer]
    shards: int

    def __post_init__(self) -> None:
        assert self.owner.ndim == 1, "one owner per record"
        assert not len(self.owner) or (self.owner.min() >= 0 and self.owner.max() < self.shards), "owner out of range"

    @property
    def records(self) -> int:
        """Number of records over all shards."""
        return len(self.owner)

    def counts(self) -> Ints:
        """Records per shard, shape (shards,)."""
        total = np.zeros(self.shards, dtype=np.int64)
        for part in blocks(self.records):
            total += np.bincount(self.owner[part], minlength=self.shards)
        return total

    def loads(self, sizes: NDArray[np.generic] | None = None) -> Floats:
        """Bytes per shard, shape (shards,); records per shard where no sizes are given."""
        if sizes is None:
            return self.counts().astype(np.float64)
        total = np.zeros(self.shards)
        for part in blocks(self.records):
            total += np.bincount(self.owner[part], weights=sizes[part], minlength=self.shards)
        return total

    def owners(self, part: slice) -> Ints:
        """The shard of each record in ``part``."""
        return self.owner[part].astype(np.int64)

    def members(self, shard: int) -> Ints:
        """The records of one shard, ascending."""
        return np.flatnonzero(self.owner == shard)


Sharding = Contiguous | Scattered


def imbalance(loads: Floats, speeds: Floats | None = None) -> float:
    """Return the time of the slowest shard over the time if the work were split in proportion to speed; 1 is ideal.

    A synchronous step waits for its slowest worker, so this factor multiplies the time of every step.

    Args:
        loads: bytes or records per shard, not all zero.
        speeds: relative speed of each shard's worker; all alike if not given.

    >>> imbalance(np.array([4.0, 2.0, 2.0]))
    1.5
    >>> imbalance(np.array([4.0, 2.0, 2.0]), np.array([2.0, 1.0, 1.0]))
    1.0
    """
    rates = np.ones_like(loads) if speeds is None else speeds
    return float((loads / rates).max() / (loads.sum() / rates.sum()))


def _total(sizes: NDArray[np.generic]) -> float:
    exact = np.issubdtype(sizes.dtype, np.integer)
    return float(np.sum(sizes, dtype=np.int64 if exact else np.float64))
