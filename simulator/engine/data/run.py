"""A job's epochs played one after the other: cold and warm caches, uneven shards, checkpoints beside the reads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.costs.input import StallAccount
from simulator.costs.mends import Mend, mends
from simulator.engine.clock import TICKS_PER_SECOND
from simulator.engine.data.caches import epochs, hit_rates, play
from simulator.engine.data.epoch import Background, Plan
from simulator.engine.data.epoch import play as play_epoch
from simulator.engine.data.job import DataJob
from simulator.engine.data.pipe import SharedPipe
from simulator.foundation.randomness import Streams
from simulator.mapping.sharding import Request, imbalance, shard

Floats = NDArray[np.float64]

MAX_BATCHES: Final = 100_000  # of one epoch that are played; later steps repeat the steady pace
MIN_STEPS: Final = 64  # that are played in any case
CACHE_ITEMS: Final = 4_000  # to which a cache and its data set are scaled down together


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One pass over the data.

    Attributes:
        number: from 0.
        steps: of the whole epoch; ``played_steps`` of them were played, the rest repeat their steady pace.
        time_s: of the whole epoch.
        wait_s: of it, in which all devices waited for the slowest loader.
        imbalance_s: of it, in which devices with small shards waited for the one with the largest.
        hit_rate: of the caches.
        storage_bytes: read from the storage.
        local_bytes: of them, from the drives of the node that reads.
        storage_busy: share of the played time in which the storage moved something.
    """

    number: int
    steps: int
    played_steps: int
    time_s: float
    wait_s: float
    imbalance_s: float
    hit_rate: float
    storage_bytes: float
    local_bytes: float
    storage_busy: float

    @property
    def network_bytes(self) -> float:
        """Bytes from storage elsewhere, over the adapters; what nodes serve from their caches is not among them."""
        return self.storage_bytes - self.local_bytes

    @property
    def idle_fraction(self) -> float:
        """Share of the time in which the mean device does not compute."""
        return (self.wait_s + self.imbalance_s) / self.time_s


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRun:
    """What happened, and what would help.

    Attributes:
        imbalance: largest shard over the mean one.
        steady: the closed form's account of a warm step.
        mends: the cheapest changes that end the stall; empty if there is none.
    """

    job: DataJob
    epochs: tuple[Epoch, ...]
    imbalance: float
    steady: StallAccount
    mends: tuple[Mend, ...]

    def summary(self) -> dict[str, Any]:
        """The main figures of the last epoch, with units in their names."""
        last = self.epochs[-1]
        return {
            "devices": self.job.devices,
            "epoch_time_s": last.time_s,
            "samples_per_s": self.job.dataset.samples / last.time_s,
            "step_time_s": last.time_s / last.steps,
            "stall_fraction": last.wait_s / last.time_s,
            "device_idle_fraction": last.idle_fraction,
            "cache_hit_rate": last.hit_rate,
            "local_read_share": self.job.loader.local_share,
            "network_bytes": last.network_bytes,
            "storage_read_bytes_per_s": last.storage_bytes / last.time_s,
            "shard_imbalance": self.imbalance,
            "bottleneck": self.steady.bottleneck or "none",
            "mends": [mend.action for mend in self.mends],
            "total_time_s": sum(epoch.time_s for epoch in self.epochs),
        }

    def rows(self) -> list[dict[str, Any]]:
        """One row per epoch, units in the column names."""
        return [
            {"epoch": e.number, "time_s": e.time_s, "wait_s": e.wait_s, "imbalance_s": e.imbalance_s,
             "device_idle_fraction": e.idle_fraction, "cache_hit_rate": e.hit_rate, "storage_bytes": e.storage_bytes,
             "local_bytes": e.local_bytes, "network_bytes": e.network_bytes,
             "storage_busy_fraction": e.storage_busy, "steps": e.steps, "played_steps": e.played_steps}
            for e in self.epochs
        ]  # fmt: skip


def run_data(job: DataJob, streams: Streams) -> DataRun:
    """Play the job; raises :class:`Infeasible` if a node's memory cannot hold its loader."""
    job.check_memory()
    counts = shard_counts(job, streams)
    hits = cache_hit_rates(job, streams["cache"])
    rng = streams["sizes"]
    played = tuple(_play(job, number, counts, float(hit), rng) for number, hit in enumerate(hits))
    return DataRun(
        job=job, epochs=played, imbalance=imbalance(counts.astype(np.float64)), steady=job.account(),
        mends=mends(job.feed),
    )  # fmt: skip


def shard_counts(job: DataJob, streams: Streams) -> NDArray[np.int64]:
    """Samples of each device's shard, shape (devices,)."""
    labels = None
    if job.dataset.classes:
        names = list(job.dataset.class_counts().values())
        labels = np.repeat(np.arange(len(names)), names)
    request = Request(records=job.dataset.samples, shards=job.devices, classes=labels, rng=streams["shards"])
    return shard(job.sharding, request).counts()


def cache_hit_rates(job: DataJob, rng: np.random.Generator) -> Floats:
    """Hit rate of each epoch, shape (epochs,), from a cache played read by read on a scaled-down data set."""
    nodes = job.nodes if job.loader.shared_cache else 1
    share = job.loader.cache_bytes * nodes / job.dataset.bytes
    items = min(CACHE_ITEMS, job.dataset.samples)
    reads = epochs(items, job.epochs, rng, reshuffle=not job.scans)
    return hit_rates(play(job.loader.cache_policy, reads, min(items, round(share * items)), rng), items)


def _play(job: DataJob, number: int, counts: NDArray[np.int64], hit: float, rng: np.random.Generator) -> Epoch:
    steps = min(job.steps, max(MIN_STEPS, MAX_BATCHES // job.devices))
    plan = _plan(job, counts, steps, hit, rng)
    ends = _checkpoints(job, steps)
    played = play_epoch(plan, SharedPipe(job.read_capacity, job.read_cap), background=ends)
    waits = played.waits_s()
    left, tail = job.steps - steps, steps // 2
    compute = plan.compute_s
    mean_gap = float((compute.max(axis=0) - compute.mean(axis=0)).mean())
    read = float(plan.read_bytes.sum()) * job.steps / steps
    steady = float(played.ends[-1] - played.ends[tail - 1]) / (steps - tail) / TICKS_PER_SECOND if tail else 0.0
    return Epoch(
        number=number,
        steps=job.steps,
        played_steps=steps,
        time_s=played.time_s + left * steady,
        wait_s=float(waits.sum()) + left * float(waits[tail:].mean()),
        imbalance_s=mean_gap * job.steps,
        hit_rate=hit,
        storage_bytes=read,
        local_bytes=read * job.loader.local_share,
        storage_busy=played.storage_busy,
    )


def _plan(job: DataJob, counts: NDArray[np.int64], steps: int, hit: float, rng: np.random.Generator) -> Plan:
    """Batches of every device: its shard dealt out over the steps of the epoch, sizes drawn.

    A batch that is used for several steps is loaded once; its cost is spread over them.
    """
    loader, sample, size = job.loader, job.sample, job.dataset.size
    dealt = (np.arange(1, steps + 1)[None, :] * counts[:, None]) // job.steps
    batches = np.diff(np.concatenate([np.zeros((len(counts), 1), dtype=np.int64), dealt], axis=1), axis=1)
    even = size.batch(job.batch)
    relative = even.draw(batches.size, rng).reshape(batches.shape) / even.mean
    loaded = batches / loader.echo
    stored = loaded * sample.stored * relative
    own, other = (hit / job.nodes, hit * (1 - 1 / job.nodes)) if loader.shared_cache else (hit, 0.0)
    missed = stored * max(0.0, 1.0 - hit)
    requests = loaded * (1.0 - hit) / sample.per_request
    peers = stored * other * loader.devices_per_node / loader.node_bandwidth
    cached = stored * own * loader.devices_per_node / loader.cache_bandwidth
    return Plan(
        read_bytes=missed,
        delay_s=requests * job.storage.latency / loader.in_flight + peers + cached,
        decode_s=loaded * job.decode_s * max(1.0, loader.workers / loader.cores),
        copy_s=loaded * sample.decoded / loader.host_bandwidth,
        compute_s=batches * (job.compute_s / job.batch),
        workers=loader.workers if loader.prefetch else 1,
        ahead=loader.prefetch,
    )


def _checkpoints(job: DataJob, steps: int) -> list[Background]:
    """Checkpoints of the played steps, at the times that the steady pace gives; in bytes of reading."""
    if job.checkpoint is None:
        return []
    slower = job.storage.read_total / job.storage.write_total if math.isfinite(job.storage.write_total) else 1.0
    pace, every = job.account().step_s, job.checkpoint.every_steps
    return [Background(start_s=step * pace, bytes=job.checkpoint.bytes * slower) for step in range(every, steps, every)]
