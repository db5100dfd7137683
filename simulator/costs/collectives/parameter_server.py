"""Parameter servers: workers push gradients and pull weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.costs.collectives.reach import Array, Level
from simulator.foundation.errors import InputError


def push_pull_time(size: Any, workers: Any, servers: Any, over: Level, *, server_bandwidth: Any = None) -> Array:
    """Return seconds for every worker to push ``size`` bytes and pull as many back.

    Each of ``k`` servers holds ``size / k``; ``w`` workers send to all of them at once, so that a worker's port carries
    ``size`` and a server's ``w size / k``. Pushing and pulling follow each other (synchronous training).

    Args:
        size: bytes of gradients, and of weights.
        over: the tier that joins workers and servers; its ``bandwidth`` is a worker's.
        server_bandwidth: B/s of one server; a worker's if not given.

    Source: Li et al. 2014, OSDI, "Scaling distributed machine learning with the parameter server".

    Raises:
        InputError: less than one worker or server.
    """
    workers, servers = np.asarray(workers, dtype=float), np.asarray(servers, dtype=float)
    if np.any(workers < 1) or np.any(servers < 1):
        raise InputError("push and pull need at least 1 worker and 1 server.")
    fraction = over.fabric.link_fraction
    own = np.asarray(size, dtype=float) / (over.bandwidth * fraction)
    there = over.bandwidth if server_bandwidth is None else np.asarray(server_bandwidth, dtype=float)
    theirs = workers / servers * np.asarray(size, dtype=float) / (there * fraction)
    start = over.fabric.launch + over.fabric.message_simple + over.fabric.peer * (servers - 1) + over.latency
    return np.asarray(2 * (start + np.maximum(own, theirs)))
