"""Feeding the devices, in closed form: what each stage of a loader can deliver, the stall of a step, and its mend.

A sample passes storage, network, decoding on CPU cores and the host link. Each stage has a rate in samples/s per
device; the slowest one sets the pace, and a step that computes faster than it is fed stalls for the difference.
All formulas take numbers or arrays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.costs.caching import HitRate, cyclic, reshuffled
from simulator.costs.storage import UNLIMITED, StorageSystem
from simulator.foundation.errors import InputError

Array = NDArray[np.float64]

#: stages in the order that a sample passes them, and what bounds each
STAGES: Final = {
    "storage": "bytes/s of the storage servers",
    "requests": "requests/s of the storage servers",
    "network": "bytes/s of the node's adapter",
    "decode": "CPU cores for decoding and augmentation",
    "workers": "loader workers, each waiting for its reads and then decoding",
    "cache": "bytes/s of the cache",
    "host": "bytes/s from host memory to the device",
}


def load_time(size: ArrayLike, *bandwidths: ArrayLike, latency: ArrayLike = 0.0) -> Array:
    """Seconds to bring bytes through a chain of links: its slowest link sets the pace.

    >>> round(float(load_time(130e9, 7e9, 25e9)), 1)
    18.6
    """
    slowest: ArrayLike = UNLIMITED
    for bandwidth in bandwidths:
        slowest = np.minimum(slowest, bandwidth)
    return np.asarray(np.add(latency, np.divide(size, slowest)), dtype=np.float64)


def step_time(compute: ArrayLike, load: ArrayLike, *, overlapped: bool = True) -> Array:
    """Seconds of a step: the larger of computing and loading if the next batch is prefetched, else their sum."""
    together = np.maximum(compute, load) if overlapped else np.add(compute, load)
    return np.asarray(together, dtype=np.float64)


def stall_fraction(compute: ArrayLike, load: ArrayLike, *, overlapped: bool = True) -> Array:
    """Share of a step in which the device waits for data."""
    return np.asarray(1.0 - np.divide(compute, step_time(compute, load, overlapped=overlapped)), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one sample costs on its way in.

    Args:
        stored: bytes in storage.
        decoded: bytes that cross to the device.
        decode_s: seconds of one CPU core for decoding, augmenting and collating.
        per_request: samples that one read request brings (records packed into files or row groups).
    """

    stored: float
    decoded: float
    decode_s: float = 0.0
    per_request: float = 1.0

    def __post_init__(self) -> None:
        if min(self.stored, self.decoded, self.per_request) <= 0 or self.decode_s < 0:
            raise InputError(f"{self}: bytes and samples per request must be above 0, the time to decode not below.")

    def compressed(self, ratio: float, decompress_s: float) -> Sample:
        """The same sample stored smaller by ``ratio``, at more CPU time."""
        return replace(self, stored=self.stored / ratio, decode_s=self.decode_s + decompress_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """How one device is fed.

    Args:
        workers: processes that load for one device.
        cores: CPU cores that they may use.
        prefetch: batches that may wait for the device; 0 means that nothing overlaps.
        in_flight: requests that one worker keeps in flight.
        host_bandwidth: B/s from host memory to the device.
        node_bandwidth: B/s of the adapter that the node reads through.
        devices_per_node: devices that share it, the cache and its bandwidth.
        cache_bytes: of one node.
        cache_bandwidth: B/s of one node's cache.
        cache_policy: a name of the registries of :mod:`simulator.costs.caching`; ``page`` is the operating system's.
        same_order: whether every epoch reads in the same order, which starves caches that replace (a cyclic scan).
        shared_cache: whether the nodes cache disjoint parts and serve each other.
        local_share: share of the reads from storage that the node's own drives serve, so that they cross no adapter.
        echo: steps that each loaded batch is used for (data echoing): fewer bytes, less fresh data.
    """

    workers: int = 4
    cores: float = 4.0
    prefetch: int = 2
    in_flight: int = 1
    host_bandwidth: float = UNLIMITED
    node_bandwidth: float = UNLIMITED
    devices_per_node: int = 1
    cache_bytes: float = 0.0
    cache_bandwidth: float = UNLIMITED
    cache_policy: str = "page"
    same_order: bool = False
    shared_cache: bool = False
    local_share: float = 0.0
    echo: float = 1.0

    def __post_init__(self) -> None:
        counts_fine = self.workers >= 1 and self.in_flight >= 1 and self.devices_per_node >= 1 and self.prefetch >= 0
        if not counts_fine or self.cores <= 0 or self.echo < 1 or self.cache_bytes < 0:
            raise InputError(f"{self}: workers, in_flight, cores and echo start at 1 (cores above 0), the rest at 0.")
        if not 0 <= self.local_share <= 1:
            raise InputError(f"local_share {self.local_share:g}; a share is between 0 and 1.")
        _ = self.hit_rate

    @property
    def hit_rate(self) -> HitRate:
        """The closed form of the cache's policy; raises :class:`UnknownName` for one that is none."""
        return (cyclic if self.same_order else reshuffled)[self.cache_policy]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """Where reads are served from, as shares that sum to 1 with the misses: this node's cache, another's."""

    own: float
    other: float

    @property
    def miss(self) -> float:
        """Share that storage serves."""
        return max(0.0, 1.0 - self.own - self.other)


def hits_of(loader: Loader, dataset_bytes: float, nodes: int) -> Hits:
    """Steady hit rates of an epoch.

    Nodes that do not share their caches see a fresh random part of the data each epoch, so each caches for the whole.
    """
    cached = loader.cache_bytes / dataset_bytes
    if not loader.shared_cache:
        return Hits(own=float(loader.hit_rate(cached)), other=0.0)
    anywhere = float(loader.hit_rate(cached * nodes))
    return Hits(own=anywhere / nodes, other=anywhere * (1 - 1 / nodes))


def stage_rates(
    sample: Sample, loader: Loader, storage: StorageSystem, *, devices: int, hits: Hits = Hits(own=0.0, other=0.0)
) -> dict[str, float]:
    """Samples/s that each stage can bring to each of ``devices`` devices, by the names of :data:`STAGES`.

    Workers and cores are the asymptotic bounds of a closed queue: n workers that read (without a core) and decode
    (on one) deliver at most n over the time of both, and at most what the cores decode.
    """
    missed = hits.miss * sample.stored
    crossing = missed * (1 - loader.local_share) + hits.other * sample.stored
    read_s = hits.miss * _read_time(sample, loader, storage) / sample.per_request
    node = loader.devices_per_node
    return {
        "storage": _over(storage.read_total / devices, missed),
        "requests": _over(storage.requests_total * sample.per_request / devices, hits.miss),
        "network": _over(loader.node_bandwidth / node, crossing),
        "decode": _over(loader.cores, sample.decode_s),
        "workers": _over(loader.workers, read_s / loader.in_flight + sample.decode_s),
        "cache": _over(loader.cache_bandwidth / node, (hits.own + hits.other) * sample.stored),
        "host": _over(loader.host_bandwidth, sample.decoded),
    }


def _read_time(sample: Sample, loader: Loader, storage: StorageSystem) -> float:
    across = min(storage.stream_bandwidth, loader.node_bandwidth)
    request, local = sample.stored * sample.per_request, loader.local_share
    return storage.latency + request * (local / storage.stream_bandwidth + (1.0 - local) / across)


def _over(amount: float, each: float) -> float:
    return amount / each if each > 0 else UNLIMITED


@dataclass(frozen=True, slots=True, kw_only=True)
class StallAccount:
    """What feeding does to a step.

    Attributes:
        compute_s: of the step, as given.
        load_s: to load one batch at the slowest stage's rate.
        step_s: what the step takes.
        stall_s: what the device waits in it.
        bottleneck: the slowest stage; empty if the step does not wait.
        rates: samples/s per device of each stage.
        needed: samples/s per device that the step asks for.
        bytes_from_storage: per step and device.
    """

    compute_s: float
    load_s: float
    step_s: float
    stall_s: float
    bottleneck: str
    rates: dict[str, float]
    needed: float
    bytes_from_storage: float

    @property
    def idle_fraction(self) -> float:
        """Share of the step in which the device waits for data."""
        return self.stall_s / self.step_s


def account(
    sample: Sample, loader: Loader, storage: StorageSystem, *, batch: float, compute_s: float, devices: int = 1,
    dataset_bytes: float = UNLIMITED,
) -> StallAccount:  # fmt: skip
    """Return the stall account of a steady step.

    Args:
        batch: samples per device and step.
        compute_s: seconds of the step without feeding.
        devices: that read at the same time, over all nodes.
        dataset_bytes: for the hit rates of the caches.
    """
    nodes = -(-devices // loader.devices_per_node)
    hits = hits_of(loader, dataset_bytes, nodes)
    rates = stage_rates(sample, loader, storage, devices=devices, hits=hits)
    slowest = min(rates, key=lambda stage: (rates[stage], tuple(STAGES).index(stage)))
    fresh = batch / loader.echo
    load_s = fresh / rates[slowest]
    step_s = float(step_time(compute_s, load_s, overlapped=loader.prefetch > 0))
    stall_s = step_s - compute_s
    return StallAccount(
        compute_s=compute_s, load_s=load_s, step_s=step_s, stall_s=stall_s,
        bottleneck=slowest if stall_s > 0 else "", rates=rates, needed=_over(fresh, compute_s),
        bytes_from_storage=fresh * hits.miss * sample.stored,
    )  # fmt: skip
