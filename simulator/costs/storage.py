"""Storage in closed form: what many clients draw from servers, requests in flight, redundancy and rebuild.

All formulas take numbers or arrays. Rates are of the whole system unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.foundation.errors import InputError

Array = NDArray[np.float64]
UNLIMITED = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Redundancy:
    """How bytes are protected: ``copies`` of each, or ``parity`` blocks for every ``data`` blocks (erasure code).

    >>> Redundancy(copies=3).overhead, Redundancy(data=8, parity=3).overhead
    (3.0, 1.375)
    """

    copies: int = 1
    data: int = 1
    parity: int = 0

    def __post_init__(self) -> None:
        if self.copies < 1 or self.data < 1 or self.parity < 0:
            raise InputError(f"{self}: copies and data blocks are at least 1, parity at least 0.")
        if self.copies > 1 and self.parity > 0:
            raise InputError(f"{self}: copies or an erasure code, not both.")

    @property
    def overhead(self) -> float:
        """Bytes stored, and written, for each byte of data."""
        return float(self.copies) if self.parity == 0 else (self.data + self.parity) / self.data

    @property
    def tolerates(self) -> int:
        """Servers that may fail at once without loss."""
        return self.copies - 1 if self.parity == 0 else self.parity

    @property
    def rebuild_reads(self) -> float:
        """Bytes read to restore one lost byte: one from a copy, ``data`` from an erasure code."""
        return 1.0 if self.parity == 0 else float(self.data)


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSystem:
    """A storage as its clients see it: servers that share the load evenly.

    Args:
        servers: drives, nodes, targets; the rates below are of each.
        read_bandwidth, write_bandwidth: B/s of one server.
        read_rate, write_rate: requests/s of one server.
        latency: seconds from a request to its first byte.
        stream_bandwidth: B/s that one request in flight can draw (one TCP stream, one stripe).
        capacity: bytes of one server.
        redundancy: of what is written.
        stripes: servers over which one file is spread.
    """

    name: str = "storage"
    servers: int = 1
    read_bandwidth: float = UNLIMITED
    write_bandwidth: float = UNLIMITED
    read_rate: float = UNLIMITED
    write_rate: float = UNLIMITED
    latency: float = 0.0
    stream_bandwidth: float = UNLIMITED
    capacity: float = UNLIMITED
    redundancy: Redundancy = Redundancy()
    stripes: int = 1

    def __post_init__(self) -> None:
        rates = (self.read_bandwidth, self.write_bandwidth, self.read_rate, self.write_rate, self.stream_bandwidth)
        if self.servers < 1 or self.stripes < 1 or min(*rates, self.capacity) <= 0 or self.latency < 0:
            raise InputError(f"{self.name}: servers, stripes and rates must be above 0, the latency not below.")
        if self.stripes > self.servers:
            raise InputError(f"{self.name}: {self.stripes} stripes over {self.servers} servers; at most one each.")
        if self.redundancy.tolerates >= self.servers and self.redundancy.tolerates > 0:
            raise InputError(f"{self.name}: copies or blocks need servers of their own; {self.servers} are too few.")

    @property
    def read_total(self) -> float:
        """B/s of all servers."""
        return self.servers * self.read_bandwidth

    @property
    def write_total(self) -> float:
        """B/s of user data: what the servers take in, less the redundancy."""
        return self.servers * self.write_bandwidth / self.redundancy.overhead

    @property
    def requests_total(self) -> float:
        """Read requests/s of all servers."""
        return self.servers * self.read_rate

    @property
    def usable(self) -> float:
        """Bytes of user data that fit."""
        return self.servers * self.capacity / self.redundancy.overhead

    def grown(self, factor: float) -> StorageSystem:
        """The same storage with ``factor`` times the servers, rounded up."""
        return replace(self, servers=int(np.ceil(self.servers * factor - 1e-9)))

    def degraded(self, failed: int) -> StorageSystem:
        """What is left while servers are down; raises :class:`InputError` if data is lost."""
        if failed > self.redundancy.tolerates or failed >= self.servers:
            raise InputError(f"{self.name} tolerates {self.redundancy.tolerates} failed servers; {failed} lose data.")
        left = self.servers - failed
        return replace(self, servers=left, stripes=min(self.stripes, left), redundancy=Redundancy())


def aggregate_read(
    storage: StorageSystem, clients: ArrayLike, client_bandwidth: ArrayLike, bisection: ArrayLike = UNLIMITED
) -> Array:
    """B/s that all clients together can read: the least of servers, client adapters and the cut between.

    Source: max-flow min-cut on the star of servers, one cut and clients.
    """
    network = np.minimum(np.multiply(clients, client_bandwidth), bisection)
    return np.asarray(np.minimum(storage.read_total, network), dtype=np.float64)


def in_flight_rate(
    storage: StorageSystem, in_flight: ArrayLike, request_bytes: ArrayLike, path_bandwidth: ArrayLike = UNLIMITED
) -> Array:
    """B/s with a fixed number of requests in flight.

    Little's law: N requests in flight that take ``latency + bytes / stream`` each complete at N over that; then the
    limits on requests/s and bytes/s.
    """
    size = np.asarray(request_bytes, dtype=np.float64)
    each = storage.latency + size / np.minimum(storage.stream_bandwidth, path_bandwidth)
    with np.errstate(divide="ignore"):
        little = np.where(each > 0, np.divide(np.multiply(in_flight, size), each), UNLIMITED)
    limits = np.minimum(storage.requests_total * size, np.minimum(storage.read_total, path_bandwidth))
    return np.asarray(np.minimum(little, limits), dtype=np.float64)


def file_read_bandwidth(storage: StorageSystem, client_bandwidth: ArrayLike = UNLIMITED) -> Array:
    """B/s at which one client reads one large file: its stripes in parallel, or its own adapter."""
    return np.asarray(np.minimum(storage.stripes * storage.read_bandwidth, client_bandwidth), dtype=np.float64)


def small_file_slowdown(storage: StorageSystem, file_bytes: ArrayLike, in_flight: ArrayLike) -> Array:
    """Time to read many files of a size over the time of the same bytes in large blocks; 1 where it is all one."""
    return storage.read_total / in_flight_rate(storage, in_flight, file_bytes)


def rebuild_time(storage: StorageSystem, used_fraction: float = 1.0, share: float = 1.0) -> float:
    """Seconds to restore one failed server's bytes onto the others, all of them helping.

    Args:
        storage: with redundancy and a finite capacity.
        used_fraction: of the server's capacity that held data.
        share: of the servers' bandwidth that the rebuild may take.

    Raises:
        InputError: nothing to rebuild from.
    """
    if storage.redundancy.tolerates == 0:
        raise InputError(f"{storage.name} has no redundancy: what a failed server held must come from elsewhere.")
    lost = storage.capacity * used_fraction
    left = storage.servers - 1
    reading = lost * storage.redundancy.rebuild_reads / (left * storage.read_bandwidth * share)
    writing = lost / (left * storage.write_bandwidth * share)
    return max(reading, writing)


def local_fraction(copies: ArrayLike, nodes: ArrayLike) -> Array:
    """Share of reads that find a copy on their own node when tasks are placed blindly: copies / nodes, at most 1.

    For one copy, the remote share of a random permutation is 1 - 1/N.
    """
    return np.minimum(1.0, np.divide(copies, nodes))
