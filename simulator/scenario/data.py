"""``kind: data``: is loading the bottleneck? Epochs over a data set, by devices that step together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field

from simulator.costs.placement import Placement
from simulator.engine.data.job import Checkpoint, DataJob
from simulator.engine.data.run import DataRun, run_data
from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.foundation.schema import Bytes, Count, Name, PositiveSeconds, StrictModel
from simulator.mapping.sharding import sharders
from simulator.profiles.node import Node
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
from simulator.scenario.data_network import DataNetwork, NetworkFile, network_from
from simulator.scenario.kinds import Context, WorkloadKind
from simulator.topology import Cluster


class StepFile(StrictModel):
    """What a device does with its data."""

    batch: Count = Field(description="samples per device and step")
    compute: PositiveSeconds = Field(description="of a step that never waits for data")


class CheckpointFile(StrictModel):
    """What is written to the same storage meanwhile."""

    every: Count = Field(description="steps between two")
    size: Bytes = Field(description="of one, over all devices")


class DataFile(StrictModel):
    """A data job as it stands in a scenario."""

    id: Name
    kind: Literal["data"]
    dataset: DatasetFile
    storage: StorageFile
    loader: LoaderFile = LoaderFile()
    step: StepFile
    sharding: str = Field(default="balanced", description="a method of `rackcast shard`")
    placement: Placement | None = Field(
        default=None, description="of shards: remote, local or random; left out: at home if the drives are the nodes'"
    )
    epochs: Count = 2
    network: NetworkFile | None = Field(default=None, description="left out: each node's adapter, as if it were alone")
    checkpoint: CheckpointFile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataWorkload:
    """One data job with every name resolved; ``network`` says where its storage sits in the cluster, if it does."""

    id: str
    job: DataJob
    network: DataNetwork | None = None

    def on(self, cluster: Cluster) -> DataWorkload:
        """Return the job as the links of its cluster feed it; itself where each node's adapter counts alone."""
        return self if self.network is None else replace(self, job=self.network.over(self.job, cluster), network=None)

    def run(self, streams: Streams) -> DataRun:
        """Play it.

        Raises:
            Infeasible: host memory does not hold the loader.
            InputError: its storage sits in a cluster that :meth:`on` has not given yet.
        """
        if self.network is not None:
            raise InputError(f"{self.id} reads over the links of a cluster; say which: workload.on(scenario.cluster).")
        return run_data(self.job, streams)


def build(file: DataFile, context: Context) -> DataWorkload:
    """Resolve a data job; raises :class:`InputError` with its place."""
    node, nodes = one_kind_of_node(context)
    storage, local = storage_from(file.storage, context.below("storage"), nodes, file.placement)
    dataset = dataset_from(file.dataset, context.below("dataset"))
    home = share_at_home(file.placement, file.loader, storage, local=local, nodes=nodes)
    loader = loader_from(file.loader, node, context.below("loader"), local_share=home)
    with context.at("sharding"):
        _ = sharders[file.sharding]
        if file.sharding == "stratified" and not dataset.classes:
            raise InputError("stratified shards need 'dataset.classes'.")
    network = None if file.network is None else network_from(file.network, context.below("network"), local=local)
    readers = nodes - len(network.nodes) if network else nodes
    written = file.checkpoint
    with context.at():
        job = DataJob(
            dataset=dataset, loader=loader, storage=storage, batch=file.step.batch, compute_s=file.step.compute,
            decode_s=file.loader.decode + file.dataset.decompress, devices=context.devices // nodes * readers,
            epochs=file.epochs, shuffle=file.loader.shuffle,
            buffer_samples=file.loader.buffer, sharding=file.sharding, host_memory=host_memory(file.loader, node),
            checkpoint=Checkpoint(every_steps=written.every, bytes=written.size) if written else None,
        )  # fmt: skip
    return DataWorkload(id=file.id, job=job, network=network)


def one_kind_of_node(context: Context) -> tuple[Node, int]:
    """Return the node and how many there are; raises :class:`InputError` if the cluster mixes kinds."""
    names = {node.name for node, _ in context.nodes}
    if len(names) > 1:
        mixed = ", ".join(sorted(names))
        with context.at():
            raise InputError(f"devices that step together are fed alike, but the cluster mixes {mixed}.")
    return context.nodes[0][0], sum(count for _, count in context.nodes)


KIND = WorkloadKind(name="data", file=DataFile, build=build)
