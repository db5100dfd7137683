"""What makes a training job or its model smaller: the key ``compress``."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from simulator.foundation.errors import InputError
from simulator.foundation.schema import StrictModel
from simulator.scenario.kinds import Context
from simulator.workload.jobs.samples import Job, SampleJob
from simulator.workload.jobs.training import TrainingJob, adapted
from simulator.workload.models.adapters import Targets
from simulator.workload.models.library import layers_of
from simulator.workload.thrift import Thrift

Density = Annotated[float, Field(gt=0, le=1, strict=False)]


class LoraFile(StrictModel):
    """Low-rank adapters beside frozen matrices; 'precision: nf4-weights' packs those (QLoRA)."""

    rank: Annotated[int, Field(ge=1, le=100_000)] = 16
    targets: Targets = Field(default="all", description="matrices that have adapters: all of the layers, of attention")


class SparsityFile(StrictModel):
    """Weights that are zero from the start of this run on."""

    pattern: Literal["2:4", "unstructured"] = Field(
        description="2:4: matrix units skip the zeros where a device has such ones; unstructured: no kernel gains"
    )
    density: Density = Field(default=0.5, description="of unstructured zeros: share of weights that stay")


class DistillFile(StrictModel):
    """A larger model that runs forward over each micro-batch, on the same devices and split in the same way."""

    teacher: str = Field(description="a key of 'models', or a name that `rackcast model list` shows")


class TrainCompressFile(StrictModel):
    """Pruning, rounding, distillation, adapters; gradients are compressed under 'sync'."""

    lora: LoraFile | None = None
    sparsity: SparsityFile | None = None
    quantize: Literal["int8", "int4", "fp8"] | None = Field(
        default=None, description="format to which weights and inputs of products are rounded and back (QAT)"
    )
    distill: DistillFile | None = None


def compressed(job: Job, file: TrainCompressFile | None, context: Context) -> Job:
    """Return the job with what the key asks for; raises :class:`InputError` with its place."""
    file = file or TrainCompressFile()
    sparsity = file.sparsity
    if sparsity is not None or file.quantize is not None:
        density = 1.0 if sparsity is None else 0.5 if sparsity.pattern == "2:4" else sparsity.density
        thrift = Thrift(pattern="dense" if sparsity is None else sparsity.pattern, density=density,
                        rounded=file.quantize is not None)  # fmt: skip
        job = replace(job, thrift=thrift)
    job = _adapted(job, file.lora, context)
    return job if file.distill is None else _taught(job, file.distill, context.below("distill"))


def _adapted(job: Job, lora: LoraFile | None, context: Context) -> Job:
    if lora is None:
        with context.at():
            if job.precision.packed:
                raise InputError(
                    f"{job.precision.name} freezes the weights; write adapters, as in 'lora: {{rank: 16}}'."
                )
        return job
    with context.at("lora"):
        if isinstance(job, SampleJob):
            raise InputError(f"{job.network.name} is a network on samples; adapters are known of transformers only.")
        return adapted(job, lora.rank, lora.targets)


def _taught(job: Job, file: DistillFile, context: Context) -> Job:
    with context.at("teacher"):
        model = context.model_file(file.teacher)
        if isinstance(job, SampleJob):
            return replace(job, teacher=replace(job, network=layers_of(model), thrift=Thrift()))
        if model.transformer is None:
            raise InputError(f"{model.name} is a network on samples; a transformer learns from a transformer.")
        return replace(job, teacher=TrainingJob(model=model.transformer, seq_len=job.seq_len, precision=job.precision,
                                                global_batch=job.global_batch))  # fmt: skip
