"""``kind: serve`` of models that answer in one pass: batching, pipelines, stages of several models, a catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from simulator.costs.serving.batches import Pipeline
from simulator.costs.serving.layers import Layout
from simulator.costs.serving.numerics import FORMATS
from simulator.costs.serving.traits import EngineTraits, engine_named
from simulator.engine.serving.fleet.build import Rules
from simulator.engine.serving.front import Front
from simulator.engine.serving.scaling.outside import FleetEvent
from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.schema import Bytes, Count, Name, PositiveSeconds, Seconds, StrictModel, quantity
from simulator.profiles.slices import Profile
from simulator.scenario.kinds import Context
from simulator.scenario.serve_life import ScaleFile
from simulator.scenario.serve_traffic import Traffic
from simulator.workload.models.files import Architecture
from simulator.workload.models.transformer import Transformer

_Bandwidth: Any = quantity("bandwidth", above=True)
#: what serves a model that answers in one pass, where the scenario names nothing
SERVER: Final = "triton"
#: how its requests get to replicas, where the scenario names no router
ROUTER: Final = "one-queue"


class BatchingFile(StrictModel):
    """How requests are put together for one pass."""

    policy: Literal["none", "static", "dynamic"] = Field(
        default="dynamic", description="none: one by one; static: until the batch is full; dynamic: full or max_delay"
    )
    max_batch: Annotated[int, Field(ge=1, le=2**20)] = 8
    max_delay: Seconds = Field(default=0.0, description="how long the first of a batch waits for others")


class PipelineFile(StrictModel):
    """A dataflow design on an FPGA, instead of the closed form; other devices do not look at it."""

    depth: PositiveSeconds = Field(description="one input, from end to end")
    interval: PositiveSeconds = Field(description="between two inputs (initiation interval)")


class CatalogueFile(StrictModel):
    """Many models on few devices, asked for with Zipf's popularity; who is not there is loaded in place of others."""

    count: Count = Field(description="models")
    models: Annotated[list[Name], Field(max_length=1000)] = Field(
        default_factory=list, description="their architectures in turn, most popular first; left out: all are `model`"
    )
    skew: Annotated[float, Field(ge=0, le=10, strict=False)] = 1.0
    policy: Literal["lru", "lfu"] = "lru"
    memory: Bytes | None = Field(default=None, description="of one device for models; left out: nine tenths of its own")
    load_bandwidth: _Bandwidth | None = Field(default=None, description="left out: of the link to the host")


class StageFile(StrictModel):
    """One model of a graph of models that every request passes."""

    name: Name
    model: Name
    devices: Count = Field(description="of the cluster; slices count one by one")
    after: list[Name] = Field(default_factory=list, description="stages that must be done first")
    precision: str | None = None
    tokens: Count | None = Field(default=None, description="of one input, for encoders; left out: the model's most")
    samples: Count = Field(default=1, description="of one request, as the candidates that a recommender ranks")
    input: Bytes | None = Field(default=None, description="bytes of one request's input")
    batching: BatchingFile = BatchingFile()


@dataclass(frozen=True, slots=True, kw_only=True)
class StageWish:
    """One stage with its model resolved; ``devices`` None: all there are."""

    name: str
    model: Architecture
    devices: int | None
    after: tuple[str, ...]
    precision: str
    tokens: float
    samples: int
    input_bytes: float
    batching: BatchingFile


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueWish:
    """A catalogue with its architectures resolved."""

    file: CatalogueFile
    models: tuple[Architecture, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictWorkload:
    """One service of models that answer in one pass, with every name resolved."""

    id: str
    stages: tuple[StageWish, ...]
    of_graph: bool  # whether the scenario gave stages, not one model
    catalogue: CatalogueWish | None
    pipeline: Pipeline | None
    traits: EngineTraits
    slices: int
    partition: tuple[Profile, ...]  # of a device, equal ones side by side; empty: ``slices`` equal parts
    shared: bool
    traffic: Traffic
    rules: Rules
    front: Front
    post_s: float
    scale: ScaleFile | None
    events: tuple[FleetEvent, ...]
    limit_s: float | None
    attainment: float

    @property
    def layout(self) -> Layout:
        """A replica is one device, or one part of it."""
        return Layout()

    @property
    def count(self) -> int | None:
        """Replicas of the only model; None: as many as there are devices for."""
        return self.stages[0].devices

    @property
    def has_replicas(self) -> bool:
        """Whether one model stands on devices of its own, with a batch on each: then they are a fleet."""
        return self.catalogue is None and not self.shared and not self.of_graph


def answers_in_one_pass(model: Architecture) -> bool:
    """Return whether a model generates no tokens: a network, the cost of a sample, an encoder."""
    return not isinstance(model, Transformer) or model.kind == "encoder"


def stage_of(file: Any, model: Architecture, *, devices: int | None) -> StageWish:
    """Return the only stage of a service of one model."""
    return StageWish(
        name=file.model,
        model=model,
        devices=devices,
        after=(),
        precision=file.precision,
        tokens=_tokens(model, file.tokens),
        samples=file.samples,
        input_bytes=file.input or 0.0,
        batching=file.batching or BatchingFile(),
    )


def stages_of(files: list[StageFile], precision: str, context: Context) -> tuple[StageWish, ...]:
    """Return the stages of a graph; raises :class:`InputError` with its place."""
    names = [file.name for file in files]
    with context.at():
        if len(set(names)) != len(names):
            raise InputError(f"two stages have one name: {', '.join(names)}.")
    return tuple(_stage(file, names, precision, context.below(index)) for index, file in enumerate(files))


def _stage(file: StageFile, names: list[str], precision: str, context: Context) -> StageWish:
    for index, other in enumerate(file.after):
        with context.at("after", index):
            if other not in names:
                raise UnknownName("stage", other, names)
    with context.at("model"):
        model = context.model_by_layers(file.model)
        if not answers_in_one_pass(model):
            raise InputError(f"{file.model} generates tokens; stages are models that answer in one pass.")
    with context.at("precision"):
        if file.precision is not None and file.precision not in FORMATS:
            raise UnknownName("number format", file.precision, FORMATS)
    return StageWish(
        name=file.name,
        model=model,
        devices=file.devices,
        after=tuple(file.after),
        precision=file.precision or precision,
        tokens=_tokens(model, file.tokens),
        samples=file.samples,
        input_bytes=file.input or 0.0,
        batching=file.batching,
    )


def catalogue_of(file: CatalogueFile, only: Architecture, context: Context) -> CatalogueWish:
    """Return a catalogue with its models; raises :class:`InputError` with its place."""
    found = []
    for index, name in enumerate(file.models):
        with context.at("models", index):
            found.append(context.model_by_layers(name))
            if not answers_in_one_pass(found[-1]):
                raise InputError(f"{name} generates tokens; a catalogue holds models that answer in one pass.")
    return CatalogueWish(file=file, models=tuple(found) or (only,))


def pipeline_of(file: PipelineFile) -> Pipeline:
    """Return a dataflow design; raises :class:`InputError` where its interval is longer than its depth."""
    return Pipeline(depth_s=file.depth, interval_s=file.interval)


def server_named(name: str | None) -> EngineTraits:
    """Return the traits of the server of a service; raises :class:`UnknownName`."""
    return engine_named(name or SERVER)


def _tokens(model: Architecture, given: int | None) -> float:
    most = model.max_seq if isinstance(model, Transformer) else 1
    return float(given or most)


def refuse(file: StrictModel, allowed: frozenset[str], context: Context, why: str) -> None:
    """Raise :class:`InputError` at the first key that is set and not allowed; ``why`` ends the sentence."""
    for key in _set(file):
        if key not in allowed:
            with context.at(key):
                raise InputError(f"{key} {why}")


def _set(file: StrictModel) -> Iterator[str]:
    yield from (key for key in type(file).model_fields if key in file.model_fields_set)
