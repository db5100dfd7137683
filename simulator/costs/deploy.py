"""Bringing the same bytes to many nodes: weights, images, data sets from a registry, in closed form.

``direct``: every node pulls from the storage at once, the storm that a roll-out makes. ``tree``: one node pulls, then
all who have the whole pass it on, so they double each round. ``swarm``: nodes pass pieces on while these
come in, so that only the first pull and the filling of the pipeline are seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.costs.storage import StorageSystem, aggregate_read
from simulator.foundation.registry import Registry

Array = NDArray[np.float64]

Deploy = Callable[[float, ArrayLike, StorageSystem, float], Array]

#: how bytes are spread -> seconds until the last node has them
ways: Final[Registry[Deploy]] = Registry("way to deploy")

PIECES: Final = 64  # of a file that a swarm passes on


@ways.register("direct")
def direct(size: float, nodes: ArrayLike, storage: StorageSystem, node_bandwidth: float) -> Array:
    """Seconds until all nodes have the bytes when each pulls them itself: all the bytes over what all can draw."""
    count = np.asarray(nodes, dtype=np.float64)
    return np.asarray(storage.latency + count * size / aggregate_read(storage, count, node_bandwidth), dtype=np.float64)


@ways.register("tree")
def tree(size: float, nodes: ArrayLike, storage: StorageSystem, node_bandwidth: float) -> Array:
    """One pull and ``ceil(log2 n)`` rounds in which all who have the whole send it to one more.

    Source: the binomial broadcast, as in Thakur et al. 2005, doi:10.1177/1094342005051521.
    """
    rounds = np.ceil(np.log2(np.asarray(nodes, dtype=np.float64)))
    first = direct(size, 1, storage, node_bandwidth)
    return np.asarray(first + rounds * size / node_bandwidth, dtype=np.float64)


@ways.register("swarm")
def swarm(size: float, nodes: ArrayLike, storage: StorageSystem, node_bandwidth: float) -> Array:
    """One pull, and pieces handed from node to node in ``ceil(log2 n)`` levels while they come in."""
    levels = np.ceil(np.log2(np.asarray(nodes, dtype=np.float64)))
    first = direct(size, 1, storage, node_bandwidth)
    return np.asarray(first + levels * size / PIECES / node_bandwidth, dtype=np.float64)
