"""Batch inference over more data than fits anywhere: stratified shards, workers of different speeds, no barrier."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.costs.input import Loader
from simulator.costs.mends import Feed, Mend, mends
from simulator.costs.storage import StorageSystem
from simulator.engine.clock import TICKS_PER_SECOND
from simulator.engine.data.epoch import Plan, play_alone
from simulator.engine.data.job import DataJob
from simulator.engine.data.pipe import SharedPipe
from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.mapping.sharding import Request, Sharding, shard
from simulator.mapping.sharding.shards import blocks
from simulator.workload.dataset import Dataset

Floats = NDArray[np.float64]

MAX_BATCHES: Final = 200_000  # over all devices; beyond it, each played batch stands for several


@dataclass(frozen=True, slots=True, kw_only=True)
class InferJob:
    """Every sample is read once and passed through a model; devices do not wait for each other.

    Args:
        dataset: what is predicted; its classes are kept in every shard by the method ``stratified``.
        rates: samples/s that each device computes; their ratios are the speeds of the workers.
        loader, storage, decode_s: how each device is fed, as in :class:`DataJob`.
        batch: samples of one pass.
        sharding: a registered method; ``by-speed`` and ``stratified`` look at the rates.
        host_memory: bytes of each node.
    """

    dataset: Dataset
    rates: tuple[float, ...]
    loader: Loader
    storage: StorageSystem
    batch: int
    decode_s: float = 0.0
    sharding: str = "stratified"
    host_memory: float = float("inf")

    def __post_init__(self) -> None:
        if not self.rates or min(self.rates) <= 0:
            raise InputError("batch inference needs devices, each with a rate above 0.")
        if self.sharding == "stratified" and not self.dataset.classes:
            raise InputError("stratified shards need classes; give 'classes' or another sharding.")
        _ = self.as_read

    @property
    def as_read(self) -> DataJob:
        """The same reading as one pass of a training job, for its memory and its sample."""
        mean = sum(self.rates) / len(self.rates)
        return DataJob(dataset=self.dataset, loader=self.loader, storage=self.storage, batch=self.batch, epochs=1,
                       compute_s=self.batch / mean, decode_s=self.decode_s, devices=len(self.rates),
                       sharding=self.sharding, host_memory=self.host_memory)  # fmt: skip

    @property
    def fastest(self) -> Feed:
        """The feeding of the fastest device, as a steady question of the closed forms."""
        return replace(self.as_read.feed, compute_s=self.batch / max(self.rates))

    @property
    def bound_s(self) -> float:
        """No schedule is faster: all samples over the rates of all devices, or all bytes over the storage."""
        return max(self.dataset.samples / sum(self.rates), self.dataset.bytes / self.storage.read_total)


@dataclass(frozen=True, slots=True, kw_only=True)
class InferRun:
    """What happened.

    Attributes:
        finish_s: of each device.
        samples: of each device.
        skew: largest difference between a class's share in a shard and in the whole; 0 without classes.
        memory: bytes that each node needs, by part.
        bottleneck: what holds back the fastest device, as the closed form has it; empty if its own speed does.
        mends: the cheapest changes that end it.
    """

    job: InferJob
    finish_s: tuple[float, ...]
    samples: tuple[int, ...]
    skew: float
    memory: dict[str, float]
    bottleneck: str
    mends: tuple[Mend, ...]

    @property
    def makespan_s(self) -> float:
        """When the last device is done."""
        return max(self.finish_s)

    def summary(self) -> dict[str, Any]:
        """The main figures, with units in their names."""
        return {
            "devices": len(self.finish_s),
            "makespan_s": self.makespan_s,
            "bound_s": self.job.bound_s,
            "efficiency": self.job.bound_s / self.makespan_s,
            "samples_per_s": self.job.dataset.samples / self.makespan_s,
            "first_device_done_s": min(self.finish_s),
            "class_skew": self.skew,
            "peak_memory_bytes": sum(self.memory.values()),
            "bottleneck": self.bottleneck or "none",
            "mends": [mend.action for mend in self.mends],
        }

    def rows(self) -> list[dict[str, Any]]:
        """One row per device."""
        pairs = zip(self.samples, self.finish_s, strict=True)
        return [{"device": k, "samples": count, "finish_s": finish} for k, (count, finish) in enumerate(pairs)]


def run_inference(job: InferJob, streams: Streams) -> InferRun:
    """Shard, play and measure; raises :class:`Infeasible` if a node's memory cannot hold its loader."""
    job.as_read.check_memory()
    labels = _labels(job)
    request = Request(records=job.dataset.samples, shards=len(job.rates), classes=labels, speeds=np.array(job.rates),
                      rng=streams["shards"])  # fmt: skip
    sharding = shard(job.sharding, request)
    counts = sharding.counts()
    ends = play_alone(_plan(job, counts, streams["sizes"]), _pipe(job))
    finish = np.where(counts > 0, ends / TICKS_PER_SECOND, 0.0)
    return InferRun(
        job=job, finish_s=tuple(finish.tolist()), samples=tuple(counts.tolist()), memory=job.as_read.memory(),
        skew=0.0 if labels is None else _skew(sharding, labels, len(job.dataset.classes)),
        bottleneck=job.fastest.account().bottleneck, mends=mends(job.fastest),
    )  # fmt: skip


def _labels(job: InferJob) -> NDArray[np.int16] | None:
    """The class of every sample, in a fixed order that is not sorted by class."""
    if not job.dataset.classes:
        return None
    counts = list(job.dataset.class_counts().values())
    return np.repeat(np.arange(len(counts), dtype=np.int16), counts)


def _skew(sharding: Sharding, labels: NDArray[np.int16], classes: int) -> float:
    """Largest difference between the share of a class in a shard and in the whole."""
    table = np.zeros((sharding.shards, classes))
    for part in blocks(sharding.records):
        np.add.at(table, (sharding.owners(part), labels[part]), 1.0)
    filled = table[table.sum(axis=1) > 0]
    shares = filled / filled.sum(axis=1, keepdims=True)
    return float(np.abs(shares - table.sum(axis=0) / table.sum()).max())


def _plan(job: InferJob, counts: NDArray[np.int64], rng: np.random.Generator) -> Plan:
    """Batches of every device; with too many to play, each stands for several of them."""
    loader, sample = job.loader, job.as_read.sample
    steps = max(1, min(-(-int(counts.max()) // job.batch), MAX_BATCHES // len(counts)))
    dealt = np.arange(1, steps + 1)[None, :] * counts[:, None] // steps
    batches = np.diff(np.concatenate([np.zeros((len(counts), 1), dtype=np.int64), dealt], axis=1), axis=1)
    even = job.dataset.size.batch(job.batch)
    stored = batches * sample.stored * even.draw(batches.size, rng).reshape(batches.shape) / even.mean
    return Plan(
        read_bytes=stored,
        delay_s=batches / sample.per_request * job.storage.latency / loader.in_flight,
        decode_s=batches * job.decode_s * max(1.0, loader.workers / loader.cores),
        copy_s=batches * sample.decoded / loader.host_bandwidth,
        compute_s=batches / np.array(job.rates)[:, None],
        workers=loader.workers if loader.prefetch else 1,
        ahead=loader.prefetch,
    )


def _pipe(job: InferJob) -> SharedPipe:
    read = job.as_read
    return SharedPipe(read.read_capacity, read.read_cap)
