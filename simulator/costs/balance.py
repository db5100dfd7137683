"""Work in proportion to speed: shares of a batch for unequal replicas, lengths of stages on unequal machines.

Both are found exactly. Units of a batch are alike, so that giving each to the replica that would be done first with it
ends as soon as can be. Of stages, the longest one is tried at every length it can have; below it, layers go where
they take least.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def fastest_shares(until: Floats, counts: Sequence[int], units: int) -> tuple[tuple[int, ...], ...]:
    """Return the units of each replica of each class, so that the last replica is done as early as can be.

    Args:
        until: seconds after which a replica of class c is done with n units, shape (C, units + 1); ascending in n.
        counts: replicas of each class.
        units: to be dealt out.

    >>> fastest_shares(np.array([[0.0, 1, 2, 3, 4], [0.0, 2, 4, 6, 8]]), [1, 2], 4)
    ((2,), (1, 1))
    """
    shares = [[0] * count for count in counts]
    free: list[tuple[float, int, int]] = [
        (float(until[kind, 1]), kind, place) for kind, count in enumerate(counts) for place in range(count)
    ]
    heapq.heapify(free)
    for _ in range(units):
        _, kind, place = heapq.heappop(free)
        shares[kind][place] += 1
        done = shares[kind][place]
        if done < units:
            heapq.heappush(free, (float(until[kind, done + 1]), kind, place))
    return tuple(tuple(found) for found in shares)


def fastest_lengths(
    fixed: Any, each: Any, layers: int, micro_batches: int, *, most: Any = None, unit: int = 1
) -> tuple[int, ...] | None:
    """Return the layers of each stage, so that ``sum(w) + (m - 1) max(w)`` is least; None if no lengths fit.

    A stage of l layers takes ``w = fixed + l each`` for a micro-batch.

    Args:
        fixed: seconds of each stage without layers: embedding, head, host.
        each: seconds of a layer on each stage.
        layers: of the model.
        micro_batches: m.
        most: layers that each stage's memory holds; None: any.
        unit: every stage holds a multiple of it, and at least one.

    >>> fastest_lengths([0.0, 0.0, 1.0], [1.0, 2.0, 1.0], 8, 100)
    (4, 2, 2)
    """
    fixed, each = np.asarray(fixed, dtype=float), unit * np.asarray(each, dtype=float)
    total, rest = divmod(layers, unit)
    cap = np.full(len(fixed), total) if most is None else np.minimum(np.asarray(most) // unit, total)
    if rest or total < len(fixed) or cap.min(initial=1) < 1 or cap.sum() < total:
        return None
    longest = np.unique(fixed[:, None] + each[:, None] * np.arange(1, total + 1))
    held = np.floor((longest[:, None] - fixed) / each * (1 + 1e-12) + 1e-9)  # that a stage may hold to be no longer
    held = np.minimum(held, cap)
    possible = (held >= 1).all(axis=1) & (held.sum(axis=1) >= total)
    held = held[possible].astype(np.int64)
    cheap = np.argsort(each, kind="stable")
    ordered = held[:, cheap] - 1  # beyond the one that each stage holds
    before = np.cumsum(ordered, axis=1) - ordered
    given = np.clip(total - len(fixed) - before, 0, ordered)
    lengths = np.ones_like(held)
    lengths[:, cheap] += given
    work = fixed + lengths * each
    best = int(np.argmin(work.sum(axis=1) + (micro_batches - 1) * work.max(axis=1)))
    return tuple(int(count) * unit for count in lengths[best])
