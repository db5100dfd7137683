"""``kind: batch-infer``: predict a huge input once, on devices that need not be alike, with its proportions kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from simulator.engine.data.inference import InferJob, InferRun, run_inference
from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.foundation.schema import Count, Name, StrictModel, quantity
from simulator.mapping.sharding import sharders
from simulator.scenario.data_input import (
    DatasetFile,
    LoaderFile,
    StorageFile,
    dataset_from,
    host_memory,
    loader_from,
    storage_from,
)
from simulator.scenario.kinds import Context, WorkloadKind

Rate: Any = quantity("rate", above=True)


class BatchInferFile(StrictModel):
    """A batch-inference job as it stands in a scenario."""

    id: Name
    kind: Literal["batch-infer"]
    dataset: DatasetFile
    storage: StorageFile
    loader: LoaderFile = LoaderFile()
    batch: Count = Field(description="samples of one pass of a device")
    rates: Annotated[list[Rate], Field(min_length=1)] = Field(
        description="samples/s of one device, for each group of nodes in their order, as in ['900 /s', '250 /s']"
    )
    sharding: str = Field(default="stratified", description="a method of `rackcast shard`; speeds are the rates")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchInferWorkload:
    """One batch-inference job with every name resolved."""

    id: str
    job: InferJob

    def run(self, streams: Streams) -> InferRun:
        """Play it; raises :class:`Infeasible` if host memory does not hold the loader."""
        return run_inference(self.job, streams)


def build(file: BatchInferFile, context: Context) -> BatchInferWorkload:
    """Resolve a batch-inference job; raises :class:`InputError` with its place."""
    with context.at("rates"):
        if len(file.rates) != len(context.nodes):
            raise InputError(f"{len(file.rates)} rates for {len(context.nodes)} groups of nodes; give one for each.")
    rates = [rate for rate, (node, count) in zip(file.rates, context.nodes, strict=True)
             for _ in range(node.device_count * count)]  # fmt: skip
    storage, local = storage_from(file.storage, context.below("storage"), sum(count for _, count in context.nodes))
    node = min((node for node, _ in context.nodes), key=lambda node: node.host_memory_bytes or float("inf"))
    loader = loader_from(file.loader, node, context.below("loader"), local_share=1.0 if local else 0.0)
    with context.at("sharding"):
        _ = sharders[file.sharding]
    with context.at():
        job = InferJob(
            dataset=dataset_from(file.dataset, context.below("dataset")), rates=tuple(rates), loader=loader,
            storage=storage, batch=file.batch, sharding=file.sharding,
            decode_s=file.loader.decode + file.dataset.decompress, host_memory=host_memory(file.loader, node),
        )  # fmt: skip
    return BatchInferWorkload(id=file.id, job=job)


KIND = WorkloadKind(name="batch-infer", file=BatchInferFile, build=build)
