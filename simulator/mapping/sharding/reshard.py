"""What moves when workers join, leave or fail."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.mapping.sharding.shards import Ints, Sharding, blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The traffic of one resharding.

    Attributes:
        records, bytes: that change their worker (bytes count records where no sizes were given).
        lost_records, lost_bytes: the part of them whose worker failed, so that it must be read from storage again.
        total_bytes: of the whole data set.
        received_bytes: what each new worker takes in, shape (new shards,).
    """

    records: int
    bytes: float
    lost_records: int
    lost_bytes: float
    total_bytes: float
    received_bytes: tuple[float, ...]

    @property
    def fraction(self) -> float:
        """Share of the bytes that move."""
        return self.bytes / self.total_bytes


def moved(
    old: Sharding,
    new: Sharding,
    sizes: NDArray[np.generic] | None = None,
    *,
    failed: Collection[int] = (),
    names: Ints | None = None,
) -> Moved:
    """Compare two shardings of the same records, block by block.

    Args:
        old, new: of equal numbers of records.
        sizes: bytes of each record; all 1 if not given.
        failed: workers of ``old`` that are gone.
        names: the worker (numbered as in ``old``) that holds each shard of ``new``; the same numbers if not given.
            After a failure the survivors keep their numbers.

    Source of the rates that tests expect: consistent hashing moves 1 / (n + 1) when one joins n; remainders move
    n / (n + 1); balanced cuts move half.
    """
    assert old.records == new.records, "a resharding keeps the records"
    holder = np.arange(new.shards) if names is None else names
    gone = np.isin(np.arange(old.shards), np.array(sorted(failed), dtype=np.int64))
    received = np.zeros(new.shards)
    records = lost_records = 0
    lost_bytes = total = 0.0
    for part in blocks(old.records):
        before, after = old.owners(part), new.owners(part)
        weight = np.ones(len(before)) if sizes is None else sizes[part].astype(np.float64)
        lost = gone[before]
        moves = (holder[after] != before) | lost
        received += np.bincount(after[moves], weights=weight[moves], minlength=new.shards)
        records += int(moves.sum())
        lost_records += int(lost.sum())
        lost_bytes += float(weight[lost].sum())
        total += float(weight.sum())
    return Moved(records=records, bytes=float(received.sum()), lost_records=lost_records, lost_bytes=lost_bytes,
                 total_bytes=total, received_bytes=tuple(float(value) for value in received))  # fmt: skip
