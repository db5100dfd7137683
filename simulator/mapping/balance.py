"""Cuts a list of layers into consecutive stages of nearly equal cost, as pipelines of unlike layers need."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator.foundation.errors import InputError


def balanced_stages(costs: Sequence[float], stages: int) -> tuple[int, ...]:
    """Return how many layers each stage holds, so that the costliest stage costs as little as it can.

    Every stage holds a layer at least. Exact, by dynamic programming over where a stage ends (the problem of linear
    partitioning; torchgpipe's ``balance_by_time`` solves it for measured seconds, arXiv 2004.09910). Of equally good
    cuts the one with the shortest last stages is taken.

    Args:
        costs: of each layer in order, not negative: seconds, FLOP, bytes.

    Raises:
        InputError: there are fewer layers than stages.

    >>> balanced_stages([3, 1, 1, 1, 3, 3], 3)
    (3, 2, 1)
    """
    count = len(costs)
    if not 1 <= stages <= count:
        raise InputError(f"{count} layers do not fill {stages} stages; use at most {count}.")
    ends = np.concatenate([[0.0], np.cumsum(np.asarray(costs, dtype=float))])
    best = np.where(np.arange(count + 1) > 0, ends, np.inf)  # costliest stage if one holds the first j layers
    cuts: list[list[int]] = []
    for stage in range(1, stages):
        found, here = np.full(count + 1, np.inf), [0] * (count + 1)
        for end in range(stage + 1, count + 1):
            most = np.maximum(best[stage:end], ends[end] - ends[stage:end])
            last = len(most) - 1 - int(np.argmin(most[::-1]))
            found[end], here[end] = most[last], stage + last
        best = found
        cuts.append(here)
    bounds = [count]
    for here in reversed(cuts):
        bounds.append(here[bounds[-1]])
    return tuple(int(size) for size in np.diff([0, *reversed(bounds)]))
