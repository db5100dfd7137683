"""Reads over the cluster's own links: storage servers sit on nodes, and every byte crosses the fabric, max-min fair.

A reader draws its bytes evenly from all servers. What a read crosses: the server's disks, the links of the fabric on
the route, and whatever else travels there at the time (checkpoints, collectives of other jobs) given as flows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulator.costs.storage import StorageSystem
from simulator.engine.network import Flow, play, rates
from simulator.engine.network.fabric import Wires
from simulator.foundation.errors import InputError
from simulator.topology.cluster import Cluster

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """Who reads from where.

    Args:
        cluster: whose links the bytes cross.
        storage: its ``servers`` are as many as there are places in ``servers``.
        servers: a device of the node that each server sits on.
        readers: the devices that read.
        policy: of routing, as :class:`simulator.engine.network.fabric.Wires` knows them.
    """

    cluster: Cluster
    storage: StorageSystem
    servers: tuple[int, ...]
    readers: tuple[int, ...]
    policy: str = "adaptive"

    def __post_init__(self) -> None:
        if len(self.servers) != self.storage.servers:
            raise InputError(f"{len(self.servers)} places for {self.storage.servers} storage servers; give each one.")
        if not self.readers:
            raise InputError("nobody reads; name at least one device.")


def fair_rates(reads: Reads, beside: Sequence[Flow] = ()) -> Floats:
    """B/s of each reader while all of them read (and ``beside`` goes on), shape (readers,).

    ``beside`` uses the numbers of links that :func:`flows_of` gives for the same reads.
    """
    flows, capacity = flows_of(reads, size=1.0)
    found = rates(capacity, [*flows, *beside])[: len(flows)]
    return np.asarray(found.reshape(len(reads.readers), -1).sum(axis=1), dtype=np.float64)


def link_rates(reads: Reads) -> Floats:
    """B/s that the links alone let each reader draw while all read, as if disks were no limit, shape (readers,)."""
    flows, capacity = flows_of(reads, size=1.0)
    links = capacity[: -len(reads.servers)]
    bare = [replace(flow, route=flow.route[:-1], limit=math.inf) for flow in flows]
    return np.asarray(rates(links, bare).reshape(len(reads.readers), -1).sum(axis=1), dtype=np.float64)


def read_times(reads: Reads, size: float, beside: Sequence[Flow] = ()) -> Floats:
    """Seconds until each reader has its ``size`` bytes, all starting at once, shape (readers,)."""
    flows, capacity = flows_of(reads, size=size / len(reads.servers))
    played = play(capacity, [*flows, *beside]).seconds[: len(flows)]
    return np.asarray(played.reshape(len(reads.readers), -1).max(axis=1), dtype=np.float64) + reads.storage.latency


def flows_of(reads: Reads, *, size: float) -> tuple[list[Flow], list[float]]:
    """Return a flow of ``size`` bytes from every server to every reader, readers first, and the links' capacities.

    The last ``servers`` links are the servers' disks.
    """
    wires = Wires(reads.cluster)
    routes = [
        wires.route(server, reader, flow=number, policy=reads.policy, wanted=1.0)
        for reader in reads.readers
        for number, server in enumerate(reads.servers)
    ]
    disks = len(wires.capacity)
    count = len(reads.servers)
    flows = [
        Flow(route=(*links, disks + position % count), size=size, latency=latency, limit=reads.storage.stream_bandwidth,
             owner="reads")
        for position, (links, latency) in enumerate(routes)
    ]  # fmt: skip
    return flows, [*wires.capacity, *[reads.storage.read_bandwidth] * count]
