"""How replicas come to the same weights, in closed form: parameter servers, their bounds, and steps apart.

All formulas take numbers or arrays; sizes in bytes, times in seconds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.foundation.errors import InputError

Floats = NDArray[np.float64]


def server_time(size: Any, servers: Any, bandwidth: Any) -> Floats:
    """Return seconds that the servers are busy with one worker's gradients and weights: 2 S / (P B).

    >>> resnet50 = 25.557e6 * 4
    >>> round(16 * float(server_time(resnet50, servers=1, bandwidth=12.5e9)) * 1e3)
    262
    """
    return np.asarray(2.0 * np.asarray(size, dtype=float) / (np.asarray(servers, dtype=float) * bandwidth))


def update_rate_bound(compute: Any, service: Any, own: Any) -> float:
    """Return the most updates/s of asynchronous workers: the servers', or all workers at their own pace.

    Args:
        compute: seconds of each worker, one entry per worker.
        service: seconds of the servers for one update.
        own: seconds of a worker's port for one update; pushing and pulling stand between two of its batches.
    """
    alone = float((1.0 / (np.asarray(compute, dtype=float) + np.maximum(own, service))).sum())
    return min(alone, 1.0 / float(service)) if float(service) > 0 else alone


def steps_apart(inner: Any, outer: Any, every: Any) -> Floats:
    """Return seconds of exchange per step if islands exchange among themselves each step and with all every ``H``.

    Local SGD (Stich 2019, arXiv 1805.09767): no inner exchange, and 1/H of the outer one. DiLoCo (Douillard et al.
    2023, arXiv 2311.08105): H = 500.

    Raises:
        InputError: less than one step between two.
    """
    every = np.asarray(every, dtype=float)
    if np.any(every < 1):
        raise InputError("at least 1 step lies between two exchanges.")
    return np.asarray(inner + np.asarray(outer, dtype=float) / every)
