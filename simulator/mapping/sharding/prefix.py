"""Where a running total of sizes reaches a target, without holding 10^8 running totals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.mapping.sharding.shards import BLOCK, Floats, Ints, blocks


class Prefix:
    """Running totals of the sizes, kept per block of a million records and expanded where asked.

    Integer sizes are summed exactly; totals must stay below 2^63.
    """

    def __init__(self, count: int, sizes: NDArray[np.generic] | None) -> None:
        self._count, self._sizes = count, sizes
        self._exact = sizes is None or np.issubdtype(sizes.dtype, np.integer)
        self._dtype = np.int64 if self._exact else np.float64
        sums = [self._within(part)[-1] for part in blocks(count)]
        self._starts = np.concatenate([[0], np.cumsum(np.array(sums, dtype=self._dtype))])

    @property
    def total(self) -> float:
        """Sum of all sizes."""
        return float(self._starts[-1])

    def _within(self, part: slice) -> NDArray[np.generic]:
        if self._sizes is None:
            return np.arange(1, part.stop - part.start + 1)
        return np.cumsum(self._sizes[part], dtype=self._dtype)

    def edges(self, targets: NDArray[np.float64]) -> tuple[Ints, Floats]:
        """The record edge whose running total is nearest to each target, and that total; ties go to the earlier edge.

        Args:
            targets: ascending, between 0 and the total; shape (n,).
        """
        found, reached = np.empty(len(targets), dtype=np.int64), np.empty(len(targets))
        owners = np.clip(np.searchsorted(self._starts, targets, side="right") - 1, 0, len(self._starts) - 2)
        for block in np.unique(owners):
            part = slice(int(block) * BLOCK, min((int(block) + 1) * BLOCK, self._count))
            totals = np.concatenate([[0], self._within(part)]) + self._starts[block]
            asked = np.flatnonzero(owners == block)
            above = np.clip(np.searchsorted(totals, targets[asked]), 1, len(totals) - 1)
            nearer = targets[asked] - totals[above - 1] <= totals[above] - targets[asked]
            chosen = np.where(nearer, above - 1, above)
            found[asked], reached[asked] = part.start + chosen, totals[chosen]
        return found, reached
