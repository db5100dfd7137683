"""Processor sharing: everybody inside is served at once, each at an equal share of the speed."""

from __future__ import annotations

import heapq

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def processor_sharing(arrival_s: Floats, work_s: Floats) -> Floats:
    """Return when each customer leaves a processor of unit speed that shares itself equally.

    In virtual time, which passes at ``1 / customers``, a customer leaves ``work`` after it came; the heap is in virtual
    time, so that each event costs the logarithm of those inside.
    """
    n = len(arrival_s)
    leave = np.empty(n)
    inside: list[tuple[float, int]] = []
    now = virtual = 0.0
    for k in range(n + 1):
        until = float(arrival_s[k]) if k < n else np.inf
        while inside:
            goal, who = inside[0]
            at = now + (goal - virtual) * len(inside)
            if at > until:
                break
            heapq.heappop(inside)
            leave[who], now, virtual = at, at, goal
        if k < n:
            if inside:
                virtual += (until - now) / len(inside)
            now = until
            heapq.heappush(inside, (virtual + float(work_s[k]), k))
    return leave
