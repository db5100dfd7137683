"""``kind: serve``: a model served to users: traffic, engine, replicas, platform, scaling, limits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from simulator.costs.serving.additions import Adapters, Speculation
from simulator.costs.serving.layers import Layout
from simulator.costs.serving.numerics import FORMATS
from simulator.costs.serving.traits import EngineTraits, engine_named
from simulator.engine.serving.fleet.build import Rules
from simulator.engine.serving.front import Front
from simulator.engine.serving.scaling.loop import Scaling
from simulator.engine.serving.scaling.outside import FleetEvent
from simulator.engine.serving.service import Limits
from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.schema import Bytes, Count, Fraction, Name, PositiveSeconds, StrictModel, quantity
from simulator.profiles.slices import Profile, profile_named
from simulator.scenario.kinds import Context, WorkloadKind
from simulator.scenario.serve_additions import AdaptersFile, SpeculativeFile, adapters_of, speculation_of
from simulator.scenario.serve_cache import CacheTierFile, check_tiers
from simulator.scenario.serve_life import ScaleFile, ServeEventFile, check_scale, event_of, scaling_of
from simulator.scenario.serve_platform import (
    QUEUES_OF_REPLICAS,
    PlatformFile,
    check_outages,
    check_router,
    front_of,
    rules_of,
)
from simulator.scenario.serve_predict import (
    ROUTER,
    BatchingFile,
    CatalogueFile,
    PipelineFile,
    PredictWorkload,
    StageFile,
    answers_in_one_pass,
    catalogue_of,
    pipeline_of,
    refuse,
    server_named,
    stage_of,
    stages_of,
)
from simulator.scenario.serve_traffic import Traffic, TrafficFile, traffic_from
from simulator.workload.models.transformer import Transformer

_Bandwidth: Any = quantity("bandwidth", above=True)


class EngineFile(StrictModel):
    """The engine and what of its habits is changed."""

    name: str | None = Field(default=None, description="left out: vllm if the model generates, else triton")
    max_num_seqs: Count | None = None
    max_num_batched_tokens: Count | None = None
    block_size: Count = 16
    chunked_prefill: bool = True
    order: Literal["decode-first", "prefill-first"] | None = None
    preemption: Literal["recompute", "swap", "never"] | None = None
    prefix_cache: bool = False
    cache_tiers: Annotated[list[CacheTierFile], Field(max_length=3)] = Field(
        default_factory=list,
        description="of the prefix cache below device memory, nearest first: two of each replica, and one shared",
    )
    cache_loading: Literal["before", "by-layer"] = Field(
        default="before",
        description="whether prefixes of lower tiers come back before a step computes, or layer by layer beside it",
    )
    memory_fraction: Fraction | None = None
    cache_tokens: Count | None = Field(default=None, description="of one replica, as the engine prints it")
    swap_bandwidth: _Bandwidth | None = None
    speculative: SpeculativeFile | None = None
    adapters: AdaptersFile | None = None
    cpu_offload: Bytes | None = Field(default=None, description="of one device's weights, kept in host memory")


class ReplicasFile(StrictModel):
    """How a copy of the model is cut, and how many there are."""

    tp: Count = 1
    pp: Count = 1
    ep: Count = 1
    dp_attention: Count = 1
    count: Count | None = Field(default=None, description="left out: as many as the cluster has room for")
    prefill: Count | None = Field(default=None, description="so many replicas compute prompts only; the rest decodes")
    slices: Count = Field(default=1, description="equal parts that each device is cut into (MIG), one by one a device")
    partition: Annotated[list[str], Field(max_length=7)] = Field(
        default_factory=list,
        description="unequal parts (MIG profiles) that each device is cut into, a replica on each, as in "
        "[3g.40gb, 2g.20gb, 2g.20gb]; the weighted router knows their sizes",
    )
    time_slicing: bool = Field(default=False, description="one pass: requests on a device share its time, unbatched")


class LimitsFile(StrictModel):
    """What a request should keep, and how many of them must."""

    ttft: PositiveSeconds | None = None
    tpot: PositiveSeconds | None = None
    latency: PositiveSeconds | None = None
    attainment: Fraction = 0.95


class ServeFile(StrictModel):
    """A service as it stands in a scenario."""

    id: Name
    kind: Literal["serve"]
    model: Name | None = Field(default=None, description="left out only where `stages` name theirs")
    precision: str = "bf16"
    cache_precision: str | None = None
    engine: EngineFile = EngineFile()
    replicas: ReplicasFile = ReplicasFile()
    traffic: TrafficFile
    platform: PlatformFile = PlatformFile()
    scale: ScaleFile | None = None
    events: Annotated[list[ServeEventFile], Field(max_length=1000)] = Field(default_factory=list)
    limits: LimitsFile = LimitsFile()
    batching: BatchingFile | None = Field(default=None, description="of a model that answers in one pass")
    tokens: Count | None = Field(default=None, description="of one input of an encoder; left out: the model's most")
    samples: Count = Field(default=1, description="of one request, as the candidates that a recommender ranks")
    input: Bytes | None = Field(default=None, description="bytes of one request's input to such a model")
    pipeline: PipelineFile | None = None
    catalogue: CatalogueFile | None = None
    stages: Annotated[list[StageFile], Field(max_length=100)] = Field(
        default_factory=list, description="models that every request passes, instead of `model`"
    )


#: keys of a service for models that answer in one pass, and those for models that generate
_PREDICTING: Final = frozenset(ServeFile.model_fields) - {"cache_precision"}
_GENERATING: Final = frozenset(ServeFile.model_fields) - {
    "batching", "tokens", "samples", "input", "pipeline", "catalogue", "stages",
}  # fmt: skip
_ENGINE: Final = "vllm"  # of a model that generates, where the scenario names none
_ROUTER: Final = "least-requests"  # the same


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeWorkload:
    """One service with every name resolved; the machines come from the scenario."""

    id: str
    model: Transformer
    precision: str
    cache_precision: str | None
    traits: EngineTraits
    engine: EngineFile
    layout: Layout
    slices: int
    partition: tuple[Profile, ...]  # of a device, equal ones side by side; empty: ``slices`` equal parts
    speculation: Speculation | None
    adapters: Adapters | None
    count: int | None
    prefill: int | None
    traffic: Traffic
    rules: Rules
    front: Front
    post_s: float
    scale: ScaleFile | None
    events: tuple[FleetEvent, ...]
    limits: Limits
    attainment: float

    def scaling(self, load_bytes: float) -> Scaling:
        """Return the autoscaler; ``load_bytes`` are a replica's weights on one device."""
        return scaling_of(self.scale, load_bytes)


def build(file: ServeFile, context: Context) -> ServeWorkload | PredictWorkload:
    """Resolve a service; raises :class:`InputError` with its place."""
    with context.at():
        if (file.model is None) != bool(file.stages):
            raise InputError("give either the model, or stages with theirs.")
    with context.at("model"):
        model = None if file.model is None else context.model(file.model)
    with context.at("replicas", "slices"):
        if file.replicas.slices > 1 and file.replicas.partition:
            raise InputError("devices are cut into slices or by partition; leave one of them out.")
    with context.at("replicas", "partition" if file.replicas.partition else "slices"):
        cut = file.replicas.slices > 1 or bool(file.replicas.partition)
        if cut and file.replicas.tp * file.replicas.pp * file.replicas.dp_attention > 1:
            raise InputError("slices of a device share no links; a replica on slices is cut over one of them.")
    if model is None or answers_in_one_pass(model):
        return _one_pass(file, context)
    assert isinstance(model, Transformer)
    refuse(file, _GENERATING, context, f"is for models that answer in one pass; {model.name} generates tokens.")
    with context.at("replicas", "time_slicing"):
        if file.replicas.time_slicing:
            raise InputError(f"{model.name} generates tokens, which are batched; cut devices into slices instead.")
    for key in ("precision", "cache_precision"):
        with context.at(key):
            value = getattr(file, key)
            if value is not None and value not in FORMATS:
                raise UnknownName("number format", value, FORMATS)
    with context.at("engine", "name"):
        traits = engine_named(file.engine.name or _ENGINE)
    check_outages(file.platform, context.below("platform"))
    check_router(file.platform, context.below("platform"), generates=True)
    with context.at("engine", "cache_tiers"):
        check_tiers(file.engine.cache_tiers, prefix_cache=file.engine.prefix_cache, partition=file.replicas.partition)
    check_scale(file.scale, context.below("scale"))
    with context.at("replicas"):
        layout = Layout(tp=file.replicas.tp, pp=file.replicas.pp, ep=file.replicas.ep,
                        dp_attention=file.replicas.dp_attention)  # fmt: skip
    guessing, adapters = file.engine.speculative, file.engine.adapters
    within = context.below("engine")
    beside = Path(context.document.file)
    return ServeWorkload(
        id=file.id,
        model=model,
        precision=file.precision,
        cache_precision=file.cache_precision,
        traits=traits,
        engine=file.engine,
        layout=layout,
        slices=len(file.replicas.partition) or file.replicas.slices,
        partition=_partition(file.replicas, context.below("replicas")),
        speculation=None if guessing is None else speculation_of(guessing, model, within.below("speculative")),
        adapters=None if adapters is None else adapters_of(adapters, within.below("adapters")),
        count=file.replicas.count,
        prefill=file.replicas.prefill,
        traffic=traffic_from(file.traffic, context.below("traffic"), beside),
        rules=rules_of(file.platform, router=_ROUTER),
        front=front_of(file.platform),
        post_s=file.platform.post_processing,
        scale=file.scale,
        events=tuple(event_of(event) for event in file.events),
        limits=Limits(ttft_s=file.limits.ttft, tpot_s=file.limits.tpot, latency_s=file.limits.latency),
        attainment=file.limits.attainment,
    )


def _one_pass(file: ServeFile, context: Context) -> PredictWorkload:
    """Resolve a service of models that answer in one pass."""
    why = "is for models that generate; these answer in one pass."
    refuse(file, _PREDICTING, context, why)
    refuse(file.engine, frozenset({"name"}), context.below("engine"), why)
    of_replicas = frozenset({"count", "slices", "partition", "time_slicing"})
    refuse(file.replicas, of_replicas, context.below("replicas"), why)
    refuse(file.limits, frozenset({"latency", "attainment"}), context.below("limits"), why)
    if file.stages or file.catalogue is not None or file.replicas.time_slicing:
        _without_a_fleet(file, context)
    check_router(file.platform, context.below("platform"), generates=False)
    check_scale(file.scale, context.below("scale"))
    check_outages(file.platform, context.below("platform"))
    if file.stages:
        alone = _PREDICTING - {"tokens", "samples", "input", "batching", "pipeline", "catalogue"}
        refuse(file, alone, context, "belongs to one model; with stages, write it below the stage.")
    with context.at("precision"):
        if file.precision not in FORMATS:
            raise UnknownName("number format", file.precision, FORMATS)
    with context.at("engine", "name"):
        traits = server_named(file.engine.name)
    catalogue = None
    if file.model is None:
        stages = stages_of(file.stages, file.precision, context.below("stages"))
    else:
        with context.at("model"):
            model = context.model_by_layers(file.model)
        stages = (stage_of(file, model, devices=file.replicas.count),)
        if file.catalogue is not None:
            catalogue = catalogue_of(file.catalogue, model, context.below("catalogue"))
    with context.at("pipeline"):
        pipeline = None if file.pipeline is None else pipeline_of(file.pipeline)
    return PredictWorkload(
        id=file.id,
        stages=stages,
        of_graph=bool(file.stages),
        catalogue=catalogue,
        pipeline=pipeline,
        traits=traits,
        slices=len(file.replicas.partition) or file.replicas.slices,
        partition=_partition(file.replicas, context.below("replicas")),
        shared=file.replicas.time_slicing,
        traffic=traffic_from(file.traffic, context.below("traffic"), Path(context.document.file), generates=False),
        rules=rules_of(file.platform, router=ROUTER),
        front=front_of(file.platform),
        post_s=file.platform.post_processing,
        scale=file.scale,
        events=tuple(event_of(event) for event in file.events),
        limit_s=file.limits.latency,
        attainment=file.limits.attainment,
    )


def _without_a_fleet(file: ServeFile, context: Context) -> None:
    """Refuse what only replicas of one model with batches of their own have."""
    why = "is for one model with a batch on each device: leave out stages, catalogue and time_slicing."
    refuse(file, frozenset(ServeFile.model_fields) - {"scale", "events"}, context, why)
    queues = frozenset({"max_inflight"}) if file.stages else QUEUES_OF_REPLICAS  # each stage has a queue of its own
    refuse(file.platform, frozenset(PlatformFile.model_fields) - queues, context.below("platform"), why)
    refuse(file.replicas, frozenset(ReplicasFile.model_fields) - {"partition"}, context.below("replicas"), why)


def _partition(file: ReplicasFile, context: Context) -> tuple[Profile, ...]:
    """Return the profiles of a partition, equal ones side by side, largest first."""
    found = []
    for index, name in enumerate(file.partition):
        with context.at("partition", index):
            found.append(profile_named(name))
    with context.at("count"):
        if found and file.count is not None:
            raise InputError("a partition puts a replica on every part of every device; leave the count out.")
    with context.at("prefill"):
        if found and file.prefill is not None:
            raise InputError("prompts apart need equal replicas; leave out the partition or prefill.")
    return tuple(sorted(found, key=lambda profile: (-profile.sevenths, -profile.memory_bytes)))


KIND = WorkloadKind(name="serve", file=ServeFile, build=build)
