"""The distribution of inter-token gaps, kept by bucket so that its size does not grow with the tokens.

Buckets are 1/32 of an octave or finer at their wide end: a quantile read from them is within 3.2 % of the exact one.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from simulator.engine.serving.compiled import jit, jit_apart
from simulator.engine.serving.fleet.layout import Ints

PARTS: Final = 32  # buckets per doubling
BUCKETS: Final = 63 * PARTS


@jit
def bucket_of(ticks: int) -> int:
    """Return the bucket of a gap of at least one tick; exact, since ``frexp`` is."""
    mantissa, exponent = math.frexp(float(ticks))
    return (exponent - 1) * PARTS + int((mantissa - 0.5) * 2 * PARTS)


@jit_apart
def count_gaps(counts: Ints, steps: int, first: int, growth: int, floor: int, running: int) -> None:
    """Add ``running`` gaps for each of ``steps`` iterations of ``max(floor, first + growth * j)`` ticks."""
    done = 0
    while done < steps:
        gap = max(floor, first + growth * done)
        bucket = bucket_of(gap)
        mantissa, exponent = math.frexp(float(gap))
        part = int((mantissa - 0.5) * 2 * PARTS) + 1
        edge = math.ldexp(0.5 + part / (2 * PARTS), exponent)  # least gap of the next bucket
        same = steps - done
        if growth > 0:
            same = min(same, max(1, (int(edge) - 1 - first) // growth + 1 - done))
        counts[bucket] += running * same
        done += same


def gap_quantile(counts: Ints, fraction: float) -> float:
    """Return the quantile of the gaps in ticks (middle of its bucket); NaN if none was counted."""
    total = int(counts.sum())
    if total == 0:
        return math.nan
    bucket = int(np.searchsorted(np.cumsum(counts), fraction * total, side="left"))
    exponent, part = divmod(bucket, PARTS)
    return math.ldexp(0.5 + (part + 0.5) / (2 * PARTS), exponent + 1)
