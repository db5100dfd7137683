"""``kind: train``: one model trained on the cluster, decided or to be planned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from simulator.costs.host import Offload
from simulator.foundation.errors import InputError
from simulator.foundation.schema import Count, Name, Seconds, StrictModel, TextOr
from simulator.mapping.plan import Plan
from simulator.profiles.framework import Framework, executed, framework_named, network_framework
from simulator.scenario.kinds import Context, WorkloadKind
from simulator.scenario.train_compress import TrainCompressFile, compressed
from simulator.scenario.train_input import (
    TrainCheckpoint,
    TrainCheckpointFile,
    TrainDataFile,
    TrainInput,
    checkpoint_from,
    input_from,
)
from simulator.scenario.train_layout import DECIDED, BySpeed, LayoutFile, by_speed, plan_from
from simulator.scenario.train_offload import OffloadFile, offload_from
from simulator.scenario.train_overlap import OverlapFile, overlapping
from simulator.scenario.train_run import (
    STEPS_ALONE,
    EvaluateFile,
    FaultsFile,
    RunAround,
    Stage,
    StageFile,
    around_from,
    samples_of_run,
    stage_from,
)
from simulator.scenario.train_sync import EVERY_STEP, Sync, SyncFile, sync_from
from simulator.workload.jobs.samples import Job, SampleJob
from simulator.workload.jobs.training import Precision, TrainingJob
from simulator.workload.models.files import ModelFile
from simulator.workload.models.library import layers_of
from simulator.workload.models.routing import Routing
from simulator.workload.models.transformer import Transformer
from simulator.workload.optimizers import Optimizer, optimizers

Tokens = Annotated[float, Field(gt=0, le=1e17)]


def _tokens_or_samples(value: object) -> object:
    """Read ``1536`` (samples) as it is and ``3.1e6 tokens`` as text to be divided by the sequence length."""
    if isinstance(value, str):
        number, _, unit = value.partition(" ")
        if unit not in ("tokens", "samples"):
            raise ValueError(f"{value!r} is no batch. Write samples, as in 1536, or '3145728 tokens'.")
        try:
            amount = float(number)
        except ValueError:
            raise ValueError(f"{number!r} is no number. Write samples, as in 1536, or '3145728 tokens'.") from None
        if not 1 <= amount <= 1e12:
            raise ValueError(f"{value!r} must be between 1 and 1e12.")
        if amount != int(amount):
            raise ValueError(f"{value!r} must be a whole number of {unit}.")
    return value


GlobalBatch = Annotated[TextOr[str, Count], BeforeValidator(_tokens_or_samples)]
MicroBatch = TextOr[Literal["auto"], Count]


class BatchFile(StrictModel):
    """Samples per step (global) and per forward pass of one data-parallel rank (micro)."""

    global_: GlobalBatch = Field(alias="global", description="samples of one step, or text such as '3145728 tokens'")
    micro: MicroBatch = Field(default="auto", description="samples of one forward pass of one DP rank")


class RoutingFile(StrictModel):
    """How unevenly tokens visit experts."""

    skew: Annotated[float, Field(ge=0, le=10, strict=False)] = Field(
        default=0.0, description="popularity of an expert is its rank ** -skew: 0 balanced but for chance, 1 Zipf's law"
    )
    capacity: Annotated[float, Field(ge=1, le=1000, strict=False)] | None = Field(
        default=None, description="room of an expert over its fair share, visits beyond it are dropped; left out: all"
    )


class TrainFile(StrictModel):
    """A training job as it stands in a scenario."""

    id: Name
    kind: Literal["train"]
    model: str = Field(description="a key of 'models', or a name that `rackcast model list` shows")
    precision: str | None = Field(
        default=None, description="of the matrix products: fp32, tf32, fp16, bf16, fp8, ...; left out: bf16, and of a "
        "network bf16-amp (fp32 weights)"
    )  # fmt: skip
    optimizer: str = "adam"
    framework: str | None = Field(
        default=None, description="training software: megatron-lm, pytorch-fsdp, convolutional, ...; left out: "
        "megatron-lm, and of a network kernels of vendor libraries, launched one by one"
    )  # fmt: skip
    execution: Literal["eager", "captured", "fused"] | None = Field(
        default=None, description="how steps are launched: kernel by kernel, as one captured graph, or that with its "
        "elementwise operators fused; left out: as the framework does"
    )  # fmt: skip
    seq_len: Annotated[int, Field(ge=1, le=10**8)] | None = Field(
        default=None, description="tokens of one sample; left out: the longest the model takes. A model that is known "
        "both by its shape and by its layers is trained by its shape where this is said"
    )  # fmt: skip
    sample_size: Annotated[int, Field(ge=1, le=10**6)] | None = Field(
        default=None, description="of a network's sample: pixels along the edge of an image, frames, tokens; left out: "
        "the model's own"
    )  # fmt: skip
    tokens: Tokens | None = Field(default=None, description="tokens of the whole run, for its time and cost")
    samples: Annotated[float, Field(gt=0, le=1e15)] | None = Field(default=None, description="instead of tokens")
    epochs: Annotated[float, Field(gt=0, le=1e6, strict=False)] | None = Field(
        default=None, description="instead of tokens: times that the whole data set is read"
    )
    stages: Annotated[list[StageFile], Field(max_length=1000)] = Field(
        default_factory=list, description="instead of tokens: parts that are trained and saved after each other"
    )
    startup: Seconds = Field(default=0.0, description="before the first step")
    evaluate: EvaluateFile | None = Field(default=None, description="left out: never")
    faults: FaultsFile | None = Field(default=None, description="how nodes fail; left out: never")
    batch: BatchFile
    parallelism: TextOr[Literal["auto"], LayoutFile] = "auto"
    sync: SyncFile | None = Field(default=None, description="how replicas exchange; left out: an all-reduce each step")
    data: TrainDataFile | None = Field(default=None, description="what feeds it; left out: it never waits for data")
    checkpoint: TrainCheckpointFile | None = Field(default=None, description="left out: none is written")
    routing: RoutingFile | None = Field(default=None, description="of experts; left out: as even as can be")
    compress: TrainCompressFile | None = Field(default=None, description="adapters, pruning, rounding, distillation")
    overlap: OverlapFile | None = Field(default=None, description="left out: what the framework runs beside what")
    offload: OffloadFile | None = Field(default=None, description="left out: everything lies on the devices")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainWorkload:
    """One training job.

    Attributes:
        job: what is learned: model, sequence length, global batch, precision, optimizer.
        framework: the software that runs it.
        samples: of the whole run; None if nobody asks for its end.
        micro_batch: samples of one forward pass of one DP rank; None for the planner to choose.
        plan: the decision, if it is taken; None for the planner to take.
        by_speed: what of the plan is left to the speed of the machines.
        sync: how replicas come to the same weights.
        data: what feeds it; None if it never waits for data.
        checkpoint: None if none is written.
        around: what the whole run holds beside its steps.
        offload: what lies outside the devices; None for nothing.
    """

    id: str
    job: Job
    framework: Framework
    samples: float | None
    micro_batch: int | None
    plan: Plan | None
    by_speed: BySpeed = DECIDED
    sync: Sync = EVERY_STEP
    data: TrainInput | None = None
    checkpoint: TrainCheckpoint | None = None
    around: RunAround = STEPS_ALONE
    offload: Offload | None = None

    @property
    def steps(self) -> float | None:
        """Optimizer updates of the whole run; None if nobody asks for its end."""
        if self.around.stages:
            return sum(stage.steps for stage in self.around.stages)
        return None if self.samples is None else self.samples / self.job.global_batch


def build(file: TrainFile, context: Context) -> TrainWorkload:
    """Resolve names and numbers of a training job; raises :class:`InputError` with its place."""
    job = _whole_job(file, context)
    seq_len = job.seq_len if isinstance(job, TrainingJob) else None
    micro = None if file.batch.micro == "auto" else file.batch.micro
    feed = None if file.data is None else input_from(file.data, context.below("data"))
    saved = None if file.checkpoint is None else checkpoint_from(file.checkpoint, feed, context.below("checkpoint"))
    stages = tuple(_stage(file, index, job, context) for index in range(len(file.stages)))
    samples = samples_of_run(
        context, tokens=file.tokens, samples=file.samples, epochs=file.epochs, stages=stages,
        data_samples=None if feed is None else feed.dataset.samples, global_batch=job.global_batch, seq_len=seq_len,
    )  # fmt: skip
    return TrainWorkload(
        id=file.id,
        job=job,
        framework=_framework(file, job, context),
        samples=samples,
        micro_batch=micro,
        plan=None if file.parallelism == "auto" else plan_from(file.parallelism, job, micro, context),
        by_speed=by_speed(file.parallelism),
        sync=EVERY_STEP if file.sync is None else sync_from(file.sync, context.below("sync")),
        data=feed,
        checkpoint=saved,
        around=around_from(file.evaluate, file.faults, stages, file.startup),
        offload=None if file.offload is None else offload_from(file.offload, context.below("offload")),
    )


def _whole_job(file: TrainFile, context: Context) -> Job:
    return compressed(_job(file, context), file.compress, context.below("compress"))


def _stage(file: TrainFile, index: int, job: Job, context: Context) -> Stage:
    """Return a stage with its own length of samples and batch; its keys stand in for those of the job."""
    stage, place = file.stages[index], context.below("stages", index)
    own = {name: value for name in ("sample_size", "seq_len") if (value := getattr(stage, name)) is not None}
    with place.at(*list(own)[:1]):
        if own:
            job = _whole_job(
                file.model_copy(update={**own, "batch": BatchFile(**{"global": job.global_batch})}), context
            )
    return stage_from(stage, job if stage.batch is None else replace(job, global_batch=stage.batch), place)


def _job(file: TrainFile, context: Context) -> Job:
    """Return what is learned: on tokens for a shape of a transformer, else on samples."""
    with context.at("model"):
        model = context.model_file(file.model)
    by_layers = model.network is not None and file.seq_len is None
    with context.at("optimizer"):
        optimizer: Optimizer = optimizers[file.optimizer]
    if model.transformer is None or by_layers:
        return _sample_job(file, model, optimizer, context)
    with context.at("sample_size"):
        if file.sample_size is not None:
            raise InputError(f"samples of {model.name} are counted in tokens; write seq_len.")
    with context.at("precision"):
        precision = Precision.of(file.precision or "bf16")
    shape = model.transformer
    seq_len = _seq_len(file, shape, context)
    samples = _samples(file.batch.global_, seq_len, context)
    job = TrainingJob(model=shape, seq_len=seq_len, global_batch=samples, precision=precision, optimizer=optimizer)
    return replace(job, optimizer=optimizer.on(*job.widest), routing=_routing(file, shape, context))


def _routing(file: TrainFile, model: Transformer, context: Context) -> Routing | None:
    if file.routing is None:
        return None
    with context.at("routing"):
        if model.experts is None:
            raise InputError(f"{model.name} has no experts to which tokens could be routed; leave it out.")
    return Routing(skew=file.routing.skew, capacity=file.routing.capacity)


def _sample_job(file: TrainFile, model: ModelFile, optimizer: Optimizer, context: Context) -> SampleJob:
    with context.at("seq_len"):
        if file.seq_len is not None:
            raise InputError(f"samples of {model.name} are not counted in tokens; write sample_size.")
    with context.at("sample_size"):
        network = layers_of(model, file.sample_size)
    with context.at("precision"):
        precision = Precision.of(file.precision or "bf16-amp")
        if precision.packed:
            raise InputError(f"{precision.name} packs frozen matrices of transformers; networks train all weights.")
    samples = _samples(file.batch.global_, None, context)
    job = SampleJob(network=network, global_batch=samples, precision=precision, optimizer=optimizer)
    return replace(job, optimizer=optimizer.on(*job.widest))


def _framework(file: TrainFile, job: Job, context: Context) -> Framework:
    networks = isinstance(job, SampleJob)
    with context.at("framework"):
        if file.framework is None and networks:  # codes that cast for matrix units store images so, too
            found = network_framework(channels_last=job.precision.name.endswith("-amp"))
        else:
            found = framework_named(file.framework or "megatron-lm")
    found = found if file.execution is None else executed(found, file.execution, networks=networks)
    if file.overlap is None:
        return found
    layout = file.parallelism
    gathers = isinstance(layout, str) or layout.sequence_parallel  # a planned layout may have it
    return overlapping(found, file.overlap, context.below("overlap"), sequence_parallel=gathers)


def _seq_len(file: TrainFile, model: Transformer, context: Context) -> int:
    if file.seq_len is None:
        return model.max_seq
    with context.at("seq_len"):
        if model.learned_positions and file.seq_len > model.max_seq:
            raise InputError(f"{file.seq_len} tokens; {model.name} has learned positions for {model.max_seq}.")
    return file.seq_len


def _samples(batch: int | str, seq_len: int | None, context: Context) -> int:
    """Return samples per step; raises if tokens are not whole samples, with the nearest counts that are."""
    if isinstance(batch, int):
        return batch
    number, _, unit = batch.partition(" ")
    amount = int(float(number))
    if unit == "samples":
        return amount
    with context.at("batch", "global"):
        if seq_len is None:
            raise InputError(f"{batch!r}: samples of this model are not counted in tokens; write a number of samples.")
        if amount % seq_len:
            below = amount // seq_len
            near = " or ".join(f"{count * seq_len} tokens ({count} samples)" for count in (below, below + 1) if count)
            raise InputError(f"{batch!r} is not a multiple of seq_len {seq_len}. Nearest: {near}.")
    return amount // seq_len


KIND = WorkloadKind(name="train", file=TrainFile, build=build)
