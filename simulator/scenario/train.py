"""``kind: train``: one model trained on the cluster, decided or to be planned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal

import numpy as np
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
from simulator.topology.scaleup import devices_per_node
from simulator.workload.jobs.samples import Job, SampleJob
from simulator.workload.jobs.training import Precision, TrainingJob
from simulator.workload.models.files import ModelFile
from simulator.workload.models.library import layers_of
from simulator.workload.models.routing import Routing
from simulator.workload.models.transformer import Transformer
from simulator.workload.optimizers import Optimizer, optimizers
from simulator.workload.transformer_blocks import total_layers

Degree = Annotated[int, Field(ge=1, le=10**6)]
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


StageLayers = Annotated[list[Degree], Field(min_length=1, max_length=10_000)]
ReplicaShares = Annotated[list[Annotated[int, Field(ge=0, le=10**6)]], Field(min_length=1, max_length=100_000)]


class LayoutFile(StrictModel):
    """Degrees of parallelism and memory savers; dp fills the cluster if it is left out."""

    tp: Degree = Field(default=1, description="tensor parallelism: cuts each matrix")
    pp: Degree = Field(default=1, description="pipeline parallelism: cuts the layers")
    cp: Degree = Field(default=1, description="context parallelism: cuts the sequence")
    dp: Degree | None = Field(default=None, description="data parallelism: cuts the batch; left out: the rest")
    ep: Degree = Field(default=1, description="expert parallelism; must divide tp*cp*dp")
    vpp: Degree = Field(default=1, description="virtual stages per pipeline rank: more than 1 interleaves")
    schedule: Literal["gpipe", "1f1b", "zb-h1", "dualpipe"] = "1f1b"
    zero: Annotated[int, Field(ge=0, le=3)] = Field(
        default=0, description="what DP shards: 0 nothing, 1 optimizer, 2 and gradients, 3 and weights"
    )
    sequence_parallel: bool = False
    recompute: Literal["none", "selective", "full"] = "none"
    order: Literal["tp-cp-dp-pp", "tp-cp-pp-dp"] = Field(
        default="tp-cp-dp-pp", description="which ranks are neighbours, innermost degree first"
    )
    layers_per_stage: TextOr[Literal["even", "speed"], StageLayers] = Field(
        default="even",
        description="layers of each pipeline stage, as in [12, 20, 20, 12]; even: as even as may be; speed: those that "
        "end the step soonest on the devices under them",
    )
    shares: TextOr[Literal["equal", "speed"], ReplicaShares] = Field(
        default="equal",
        description="micro-batches of each replica, or of each replica of each group of nodes; speed: those that end "
        "the step soonest",
    )


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
class BySpeed:
    """What of a plan is left to the speed of the machines: the lengths of its stages, the shares of its replicas."""

    lengths: bool = False
    shares: bool = False


#: nothing is left to it
DECIDED: Final = BySpeed()


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
        plan=None if file.parallelism == "auto" else _plan(file.parallelism, job, micro, context),
        by_speed=_by_speed(file.parallelism),
        sync=EVERY_STEP if file.sync is None else sync_from(file.sync, context.below("sync")),
        data=feed,
        checkpoint=saved,
        around=around_from(file.evaluate, file.faults, stages, file.startup),
        offload=_offload(file, job, context),
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


def _offload(file: TrainFile, job: Job, context: Context) -> Offload | None:
    if file.offload is None:
        return None
    with context.at("offload"):
        if isinstance(job, SampleJob):
            raise InputError(
                f"{job.network.name} is a network on samples, which lies on its device whole; leave it out."
            )
    return offload_from(file.offload, context.below("offload"))


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


def _plan(layout: LayoutFile, job: Job, micro: int | None, context: Context) -> Plan:
    """Return the plan that the layout and the batch make on this cluster; raises with what would divide."""
    dp, samples = _dp(layout, context), job.global_batch
    with context.at("batch", "micro"):
        if micro is None:
            raise InputError("a decided parallelism needs a decided micro-batch: a number, or 'parallelism: auto'.")
    assert micro is not None
    shares = _shares(layout, samples, micro, dp, context)
    with context.at("parallelism"):
        if isinstance(job, SampleJob):
            _cuts_network(layout, job)
        else:
            _divides_model(layout, job.model)
            if job.teacher is not None:
                _divides_model(layout, job.teacher.model)
                if layout.layers_per_stage != "even":
                    raise InputError("a teacher has other layers than its student; both are cut evenly: leave "
                                     "layers_per_stage out.")  # fmt: skip
        return Plan(
            tp=layout.tp,
            cp=layout.cp,
            dp=dp,
            pp=layout.pp,
            ep=layout.ep,
            vpp=layout.vpp,
            micro_batch=micro,
            micro_batches=max(shares),
            zero=layout.zero,
            sequence_parallel=layout.sequence_parallel,
            recompute=layout.recompute,
            schedule=layout.schedule,
            order=layout.order,
            layers_per_stage=() if isinstance(layout.layers_per_stage, str) else tuple(layout.layers_per_stage),
            shares=() if min(shares) == max(shares) else shares,
        )


def _by_speed(layout: Literal["auto"] | LayoutFile) -> BySpeed:
    if isinstance(layout, str):
        return DECIDED
    return BySpeed(lengths=layout.layers_per_stage == "speed", shares=layout.shares == "speed")


def _shares(layout: LayoutFile, samples: int, micro: int, dp: int, context: Context) -> tuple[int, ...]:
    """Return the micro-batches of each replica; what is left to their speed begins as equal as may be.

    Raises:
        InputError: the batch does not divide, or the shares are not those of the batch.
    """
    if layout.shares == "equal":
        with context.at("batch", "global"):
            if samples % (micro * dp):
                below = samples // (micro * dp) * micro * dp
                near = ", ".join(str(count) for count in (below, below + micro * dp) if count)
                raise InputError(f"{samples} samples are not a multiple of micro * dp = {micro} * {dp} = {micro * dp}. "
                                 f"Nearest: {near}.")  # fmt: skip
        return (samples // (micro * dp),) * dp
    with context.at("parallelism", "shares"):
        count, rest = divmod(samples, micro)
        if rest or not count:
            raise InputError(f"shares are of micro-batches; {samples} samples are no multiple of micro = {micro}.")
        if isinstance(layout.shares, str):
            return tuple(count // dp + (replica < count % dp) for replica in range(dp))
        shares = _of_replicas(layout, layout.shares, dp, context)
        if sum(shares) != count:
            raise InputError(
                f"the shares of {dp} replicas add up to {sum(shares)} micro-batches; the batch has {count}."
            )
        return shares


def _of_replicas(layout: LayoutFile, given: Sequence[int], dp: int, context: Context) -> tuple[int, ...]:
    """Return the share of each replica from a list of them, or of one for each group of nodes."""
    if len(given) == dp:
        return tuple(given)
    ends = np.cumsum([devices_per_node(node) * count for node, count in context.nodes])
    if len(given) != len(ends):
        raise InputError(f"{len(given)} shares; write one for each of the {dp} replicas, or for each of the "
                         f"{len(ends)} groups of nodes.")  # fmt: skip
    inside = layout.tp * layout.cp
    step = inside * layout.pp if layout.order == "tp-cp-pp-dp" else inside
    return tuple(given[int(np.searchsorted(ends, replica * step, side="right"))] for replica in range(dp))


def _dp(layout: LayoutFile, context: Context) -> int:
    """Return the data-parallel degree that fills the devices; raises if the degrees do not multiply to them."""
    others = layout.tp * layout.cp * layout.pp
    have = context.devices
    with context.at("parallelism"):
        if layout.dp is not None:
            if others * layout.dp != have:
                raise InputError(
                    f"tp*cp*dp*pp = {layout.tp}*{layout.cp}*{layout.dp}*{layout.pp} = {others * layout.dp}, "
                    f"but the cluster has {have} devices. Leave dp out and it becomes what is left."
                )
            return layout.dp
        if have % others or have < others:
            raise InputError(
                f"tp*cp*pp = {layout.tp}*{layout.cp}*{layout.pp} = {others} does not divide the {have} devices."
            )
        return have // others


def _cuts_network(layout: LayoutFile, job: SampleJob) -> None:
    name = job.network.name
    if layout.tp * layout.cp * layout.ep * layout.vpp > 1:
        raise InputError(
            f"{name} is a network on samples, cut by its batch and into stages; leave tp, cp, ep and vpp out."
        )
    if layout.zero:
        raise InputError(f"each replica of {name}, a network on samples, holds its weights whole; leave zero out.")
    if layout.pp > len(job.network.layers):
        raise InputError(f"pp={layout.pp} stages for the {len(job.network.layers)} layers of {name}.")


def _divides_model(layout: LayoutFile, model: Transformer) -> None:
    if model.heads % layout.tp:
        fits = [degree for degree in range(1, min(model.heads, 64) + 1) if model.heads % degree == 0]
        raise InputError(f"tp={layout.tp} does not divide the {model.heads} heads of {model.name}; {fits} would.")
    stages, layers = layout.pp * layout.vpp, total_layers(model)
    if layers < stages:
        raise InputError(
            f"pp*vpp = {layout.pp}*{layout.vpp} = {stages} stages for the {layers} layers "
            f"of {model.name}; at most one stage per layer."
        )
    if not isinstance(layout.layers_per_stage, str) and sum(layout.layers_per_stage) != layers:
        raise InputError(
            f"layers_per_stage={layout.layers_per_stage} holds {sum(layout.layers_per_stage)} layers; {model.name} has "
            f"{layers}. Embedding and head are counted by themselves, on the first and on the last stage."
        )
    if layout.ep > 1 and model.experts is None:
        raise InputError(f"ep={layout.ep}, but {model.name} has no experts; write ep: 1.")


KIND = WorkloadKind(name="train", file=TrainFile, build=build)
