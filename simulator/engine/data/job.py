"""A training job seen from its input: what it reads, how it is fed, and what must fit into host memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from simulator.costs.input import Loader, Sample, StallAccount, account
from simulator.costs.mends import Feed
from simulator.costs.storage import StorageSystem
from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.units import show
from simulator.mapping.sharding import sharders
from simulator.workload.dataset import Dataset

Shuffle = Literal["global", "shard-wise", "buffered", "none"]
SHUFFLES: Final[tuple[Shuffle, ...]] = ("global", "shard-wise", "buffered", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Bytes written to the same storage every so many steps, while training goes on."""

    every_steps: int
    bytes: float

    def __post_init__(self) -> None:
        if self.every_steps < 1 or self.bytes <= 0:
            raise InputError("a checkpoint needs a number of steps between, at least 1, and bytes above 0.")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataJob:
    """Whole epochs over a data set on some devices that step together.

    Args:
        dataset: what is read.
        loader: how each device is fed.
        storage: where the data set lies, shared by all devices.
        decode_s: seconds of one core for decoding and augmenting one sample.
        batch: samples per device and step, where shards are even.
        compute_s: of a step with that batch.
        devices: that step together.
        epochs: to play.
        shuffle: ``global`` draws samples one by one from everywhere, so packed files are read in pieces;
            ``shard-wise`` reshuffles files and reads each through; ``buffered`` reads files in a fixed order into a
            buffer from which samples are drawn; ``none`` reads in order.
        buffer_samples: of the buffer of each device.
        sharding: a registered method that gives each device its samples.
        checkpoint: written beside the reads.
        host_memory: bytes of each node; infinite if not known.
    """

    dataset: Dataset
    loader: Loader
    storage: StorageSystem
    batch: int
    compute_s: float
    decode_s: float = 0.0
    devices: int = 1
    epochs: int = 2
    shuffle: Shuffle = "global"
    buffer_samples: int = 0
    sharding: str = "balanced"
    checkpoint: Checkpoint | None = None
    host_memory: float = math.inf

    def __post_init__(self) -> None:
        if min(self.batch, self.devices, self.epochs) < 1 or self.compute_s <= 0:
            raise InputError("batch, devices and epochs are at least 1, and a step computes for some time.")
        if self.dataset.samples < self.devices:
            raise InputError(f"{self.dataset.samples} samples for {self.devices} devices; each needs at least one.")
        if self.buffer_samples and self.shuffle != "buffered":
            raise InputError(f"a buffer of {self.buffer_samples} samples belongs to shuffle 'buffered'.")
        if self.loader.same_order != self.scans:
            raise InputError(f"shuffle {self.shuffle!r} means same_order={self.scans} for the loader's cache.")
        _ = sharders[self.sharding]

    @property
    def nodes(self) -> int:
        """Nodes that the devices sit on."""
        return -(-self.devices // self.loader.devices_per_node)

    @property
    def steps(self) -> int:
        """Steps of an epoch; the last may be partly filled."""
        return -(-self.dataset.samples // (self.batch * self.devices))

    @property
    def scans(self) -> bool:
        """Whether every epoch reads in the same order."""
        return self.shuffle in ("buffered", "none")

    @property
    def sample(self) -> Sample:
        """What one sample costs on its way in; reading files through brings many samples with each request."""
        size = self.dataset.size.mean
        through = 1 if self.shuffle == "global" else self.dataset.samples_per_file
        decoded = size * self.dataset.growth
        return Sample(stored=size, decoded=decoded, decode_s=self.decode_s, per_request=float(through))

    @property
    def read_capacity(self) -> float:
        """B/s of the whole storage, where its requests/s allow it."""
        request = self.sample.stored * self.sample.per_request
        return min(self.storage.read_total, self.storage.requests_total * request)

    @property
    def read_cap(self) -> float:
        """B/s that one device's loader can draw: its share of the adapter or of its node's drives, and its streams."""
        loader = self.loader
        across = 1.0 - loader.local_share
        drives = self.read_capacity / self.devices
        adapter = loader.node_bandwidth / loader.devices_per_node / across if across > 0 else drives
        return min(adapter, loader.workers * loader.in_flight * self.storage.stream_bandwidth)

    @property
    def feed(self) -> Feed:
        """The steady question of the closed forms."""
        return Feed(sample=self.sample, loader=self.loader, storage=self.storage, batch=float(self.batch),
                    compute_s=self.compute_s, devices=self.devices, dataset_bytes=self.dataset.bytes)  # fmt: skip

    def account(self) -> StallAccount:
        """The stall account of a steady step."""
        return account(self.sample, self.loader, self.storage, batch=self.batch, compute_s=self.compute_s,
                       devices=self.devices, dataset_bytes=self.dataset.bytes)  # fmt: skip

    def memory(self) -> dict[str, float]:
        """Bytes of host memory that each node needs, by part.

        Decoded batches that are ahead of the devices (at least one is), encoded samples in shuffle buffers, the cache.
        """
        per_device = max(1, self.loader.workers * self.loader.prefetch) * self.batch * self.sample.decoded
        buffered = self.buffer_samples * self.sample.stored
        on_node = min(self.devices, self.loader.devices_per_node)
        return {"prefetched batches": per_device * on_node, "shuffle buffers": buffered * on_node,
                "cache": min(self.loader.cache_bytes, self.dataset.bytes)}  # fmt: skip

    def check_memory(self) -> None:
        """Raise :class:`Infeasible` with the account and the relaxation if a node's memory cannot hold the loader."""
        parts = self.memory()
        needed = sum(parts.values())
        if needed <= self.host_memory:
            return
        largest = max(parts, key=lambda part: parts[part])
        relief = {"prefetched batches": "fewer workers or a smaller prefetch", "shuffle buffers": "a smaller buffer",
                  "cache": "a smaller cache"}[largest]  # fmt: skip
        over = needed - self.host_memory
        raise Infeasible(
            f"feeding needs {show(needed, 'bytes')} of each node's {show(self.host_memory, 'bytes')} of memory.",
            binding="host memory", account=parts, relaxation=f"{relief}: {show(over, 'bytes')} less",
        )  # fmt: skip
