"""How a training job is fed and what it saves, as it stands in a scenario: the keys ``data`` and ``checkpoint``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field

from simulator.costs.input import Loader
from simulator.costs.placement import Placement, local_share
from simulator.costs.storage import StorageSystem
from simulator.engine.data.job import Shuffle
from simulator.foundation.errors import InputError
from simulator.foundation.schema import Count, StrictModel, TextOr
from simulator.mapping.sharding import sharders
from simulator.scenario.data import one_kind_of_node
from simulator.scenario.data_input import (
    DatasetFile,
    LoaderFile,
    StorageFile,
    dataset_from,
    host_memory,
    loader_from,
    share_at_home,
    storage_from,
)
from simulator.scenario.kinds import Context
from simulator.workload.dataset import Dataset

Mode = Literal["sync", "async"]


class TrainDataFile(StrictModel):
    """What feeds a training job; a sample of the data set is a sample of the batch."""

    dataset: DatasetFile
    storage: StorageFile
    loader: LoaderFile = LoaderFile()
    sharding: str = Field(default="balanced", description="a method of `rackcast shard`")
    placement: Placement | None = Field(
        default=None, description="of shards: remote, local or random; left out: at home if the drives are the nodes'"
    )


class TrainCheckpointFile(StrictModel):
    """Weights and optimizer state, written while the job goes on or while it waits."""

    every: TextOr[Literal["auto"], Count] = Field(
        description="steps between two; auto: where checkpoints and lost work cost least, by 'faults'"
    )
    to: StorageFile | None = Field(default=None, description="left out: the storage that the data is read from")
    mode: Literal["sync", "async"] = Field(default="sync", description="whether training waits for the write")


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A storage that is there once, or once per node (``local``: the nodes' own drives)."""

    system: StorageSystem
    local: bool

    def over(self, nodes: int) -> StorageSystem:
        """The storage that so many nodes use together."""
        return replace(self.system, servers=self.system.servers * nodes) if self.local else self.system


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainInput:
    """What feeds a training job.

    Attributes:
        loader: of one device, with the node's share of cores; each reading rank has one.
        decode_s: seconds of one core for one sample.
        host_memory: bytes of each node.
        placement: of the shards; None: on the drives of the nodes that read them, if the storage consists of those.
    """

    dataset: Dataset
    store: Store
    loader: Loader
    decode_s: float
    shuffle: Shuffle
    buffer_samples: int
    sharding: str
    host_memory: float
    placement: Placement | None = None

    def loader_on(self, nodes: int) -> Loader:
        """The loader of one device when so many nodes read, each with its part of the data on its drives."""
        if self.placement is None:
            return self.loader
        copies = self.store.system.redundancy.copies
        share = local_share(self.placement, everywhere=self.shuffle == "global", copies=copies, nodes=nodes)
        return replace(self.loader, local_share=share)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainCheckpoint:
    """When a training job saves itself, and where.

    Attributes:
        every_steps: between two; None until failures have decided.
        shared: whether it goes to the storage that the data is read from.
        node_bandwidth: B/s of the adapters of one node; infinite to drives of its own.
    """

    every_steps: int | None
    store: Store
    shared: bool
    node_bandwidth: float
    mode: Mode

    @property
    def interval(self) -> int:
        """Steps between two, once they are decided."""
        assert self.every_steps is not None, "the interval is still to be found"
        return self.every_steps


def input_from(file: TrainDataFile, context: Context) -> TrainInput:
    """Resolve the key ``data``; raises :class:`InputError` with its place."""
    node, nodes = one_kind_of_node(context)
    system, local = storage_from(file.storage, context.below("storage"), 1, file.placement)
    home = share_at_home(file.placement, file.loader, system, local=local, nodes=nodes)
    dataset = dataset_from(file.dataset, context.below("dataset"))
    with context.at("sharding"):
        _ = sharders[file.sharding]
        if file.sharding == "stratified" and not dataset.classes:
            raise InputError("stratified shards need 'dataset.classes'.")
    with context.at("loader", "buffer"):
        if file.loader.buffer and file.loader.shuffle != "buffered":
            raise InputError(f"a buffer of {file.loader.buffer} samples belongs to shuffle 'buffered'.")
    return TrainInput(
        dataset=dataset, store=Store(system=system, local=local),
        loader=loader_from(file.loader, node, context.below("loader"), local_share=home),
        decode_s=file.loader.decode + file.dataset.decompress, placement=file.placement,
        shuffle=file.loader.shuffle, buffer_samples=file.loader.buffer,
        sharding=file.sharding, host_memory=host_memory(file.loader, node),
    )  # fmt: skip


def checkpoint_from(file: TrainCheckpointFile, feed: TrainInput | None, context: Context) -> TrainCheckpoint:
    """Resolve the key ``checkpoint``; raises :class:`InputError` if it has nowhere to go."""
    node, _ = one_kind_of_node(context)
    if file.to is not None:
        system, local = storage_from(file.to, context.below("to"), 1)
        store = Store(system=system, local=local)
    elif feed is not None:
        store = feed.store
    else:
        with context.at():
            raise InputError("give the storage that it goes to, as in 'to: {read: 10 GB/s}', or a 'data' block.")
    network = float("inf") if store.local else _adapters(file, feed, node.nic_bandwidth, context)
    return TrainCheckpoint(
        every_steps=None if file.every == "auto" else file.every, store=store, shared=file.to is None,
        node_bandwidth=network, mode=file.mode,
    )  # fmt: skip


def _adapters(file: TrainCheckpointFile, feed: TrainInput | None, known: float | None, context: Context) -> float:
    """B/s from a node to the storage: as the loader's, where both use the same."""
    if file.to is None and feed is not None:
        return feed.loader.node_bandwidth
    if known is None:
        with context.at("to"):
            raise InputError("no source gives the adapters of the node; write to the data's storage, or another node.")
    return known
