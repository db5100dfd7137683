"""Constants of inference: what a class of devices reaches with inference kernels, and what an engine adds to them.

One file, ``hardware_profiles/efficiency/serving.yaml``; each constant has a meaning stated there, each class a source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Final, Literal

from pydantic import Field

from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.schema import Fraction, Name, StrictModel, load, quantity
from simulator.foundation.shipped import shipped
from simulator.profiles.device import Device

_Seconds = quantity("time")
_Bandwidth = quantity("bandwidth")
_Share = Annotated[float, Field(gt=0.0, le=1.5, strict=False)]
_FILE: Final = "efficiency/serving.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernels:
    """What a class of devices reaches; shares are of the dense peak and of the memory bandwidth."""

    name: str
    compute32: float
    compute16: float
    compute8: float
    compute4: float
    stream16: float
    stream8: float
    stream4: float
    sharpness: float
    product_s: float
    small_s: float
    attention: float
    attention_length: float
    attention_s: float
    cache: float
    grouped_compute: float
    grouped_stream: float
    origin: str

    def compute(self, bits: int) -> float:
        """Return the share of the peak that products of so many bits reach."""
        return float(getattr(self, f"compute{bits}"))

    def stream(self, weight_bytes: float) -> float:
        """Return the share of the bandwidth at which weights of this width are read."""
        return self.stream16 if weight_bytes >= 2 else self.stream8 if weight_bytes >= 1 else self.stream4


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineTraits:
    """What an engine adds: its host's time, its kernels, its memory and scheduler habits.

    Attributes:
        host_s: host time of one iteration.
        host_per_sequence_s: and of each sequence in it.
        overlapped: whether the host prepares the next iteration while the device works on this one.
        prompt_s: what an iteration with prompt tokens takes longer (set-up of the attention, results to the client).
        frontend_s: from the client to the engine's queue and back with the first token: HTTP, tokenizer.
        launch_s: host time to launch one kernel where no captured graph does it.
        captured: whether decode iterations run as captured graphs; prompts do not.
        core_attention: FLOP per cycle and compute unit of decoding attention that runs on the plain cores, as engines
            did before 2024, so that query heads which share a key-value head gain nothing; None: on matrix units.
        feed_bandwidth: bytes per second at which a server brings inputs to the device; None: they are there.
        score_passes: times that attention without fusion reads or writes the scores; 0: fused.
        small: small kernels of a layer, over those that the operators count.
        traffic: share of the small kernels' traffic that fusion leaves.
        wait_s: what ranks wait for each other at an exchange, for each doubling of their number.
        narrow_sums: whether 16-bit products accumulate in 16 bits, which consumer cards do at twice the rate.
        speed: time of its products' arithmetic over that of the best ones measured on the device.
        memory: share of the device memory that weights, working space and cache may fill.
        memory_of_rest: that share is of what the first two leave.
        padded_context: tokens of its slot that attention reads however few the request holds; 0: what it holds.
    """

    name: str
    host_s: float
    host_per_sequence_s: float
    overlapped: bool
    prompt_s: float
    frontend_s: float
    launch_s: float
    captured: bool
    core_attention: float | None
    score_passes: float
    feed_bandwidth: float | None
    small: float
    traffic: float
    wait_s: float
    narrow_sums: bool
    speed: float
    memory: float
    memory_of_rest: bool
    max_num_seqs: int
    max_num_batched_tokens: int
    decode_first: bool
    reserves: bool  # keeps room for the whole output at admission instead of preempting
    fused_all_reduce: str | None
    padded_context: int


class _KernelsFile(StrictModel):
    name: Name
    kind: Literal["gpu", "cpu", "tpu", "fpga", "asic"]
    architectures: tuple[str, ...] = Field(strict=False)
    inherited_by: tuple[str, ...] = Field(default=(), strict=False)  # kin without measurements: labelled ``assumed``
    default_for_kind: bool = False
    origin: Literal["calibrated", "measured", "assumed"]
    source: str
    compute32: _Share
    compute16: _Share
    compute8: _Share
    compute4: _Share
    stream16: _Share
    stream8: _Share
    stream4: _Share
    sharpness: Annotated[float, Field(ge=1.0, le=16.0, strict=False)]
    product: _Seconds  # type: ignore[valid-type]
    small: _Seconds  # type: ignore[valid-type]
    attention: _Share
    attention_length: Annotated[float, Field(ge=0.0, strict=False)]
    attention_start: _Seconds  # type: ignore[valid-type]
    cache: _Share
    grouped_compute: _Share
    grouped_stream: _Share

    def build(self, *, origin: str | None = None) -> Kernels:
        return Kernels(
            name=self.name, compute32=self.compute32, compute16=self.compute16, compute8=self.compute8,
            compute4=self.compute4, stream16=self.stream16, stream8=self.stream8, stream4=self.stream4,
            sharpness=self.sharpness, product_s=self.product, small_s=self.small, attention=self.attention,
            attention_length=self.attention_length, attention_s=self.attention_start, cache=self.cache,
            grouped_compute=self.grouped_compute, grouped_stream=self.grouped_stream, origin=origin or self.origin,
        )  # fmt: skip


class _EngineFile(StrictModel):
    name: Name
    aliases: tuple[str, ...] = Field(default=(), strict=False)
    source: str
    host: _Seconds  # type: ignore[valid-type]
    host_per_sequence: _Seconds  # type: ignore[valid-type]
    overlapped: bool
    prompt: _Seconds  # type: ignore[valid-type]
    frontend: _Seconds  # type: ignore[valid-type]
    launch: _Seconds  # type: ignore[valid-type]
    captured: bool
    core_attention: Annotated[float, Field(gt=0.0, strict=False)] | None = None
    score_passes: Annotated[float, Field(ge=0.0, strict=False)] = 0.0
    feed: _Bandwidth | None = None  # type: ignore[valid-type]
    small: Annotated[float, Field(ge=0.0, strict=False)]
    traffic: Annotated[float, Field(ge=0.0, strict=False)]
    wait: _Seconds  # type: ignore[valid-type]
    narrow_sums: bool = False
    speed: Annotated[float, Field(gt=0.0, strict=False)]
    memory: Fraction
    memory_of_rest: bool = False
    max_num_seqs: int
    max_num_batched_tokens: int
    decode_first: bool
    reserves: bool
    fused_all_reduce: str | None = None
    padded_context: Annotated[int, Field(ge=0)] = 0

    def build(self) -> EngineTraits:
        return EngineTraits(
            name=self.name,
            host_s=self.host,
            host_per_sequence_s=self.host_per_sequence,
            overlapped=self.overlapped,
            prompt_s=self.prompt,
            frontend_s=self.frontend,
            launch_s=self.launch,
            captured=self.captured,
            core_attention=self.core_attention,
            score_passes=self.score_passes,
            feed_bandwidth=self.feed,
            small=self.small,
            traffic=self.traffic,
            wait_s=self.wait,
            narrow_sums=self.narrow_sums,
            speed=self.speed,
            memory=self.memory,
            memory_of_rest=self.memory_of_rest,
            max_num_seqs=self.max_num_seqs,
            max_num_batched_tokens=self.max_num_batched_tokens,
            decode_first=self.decode_first,
            reserves=self.reserves,
            fused_all_reduce=self.fused_all_reduce,
            padded_context=self.padded_context,
        )


class _File(StrictModel):
    meanings: dict[str, str]
    devices: tuple[_KernelsFile, ...] = Field(strict=False)
    engines: tuple[_EngineFile, ...] = Field(strict=False)


@cache
def _file() -> _File:
    return load(_File, shipped("hardware_profiles") / _FILE)


def meanings() -> Mapping[str, str]:
    """Return what each constant means."""
    return _file().meanings


def kernel_classes() -> tuple[Kernels, ...]:
    """Return the inference constants of all classes of devices."""
    return tuple(entry.build() for entry in _file().devices)


def kernels_of(device: Device) -> Kernels:
    """Return the inference constants of a device's class; ``assumed`` where it is its kin's, or its kind's default.

    Raises:
        InputError: no class covers even the device's kind.
    """
    for entry in _file().devices:
        if entry.kind != device.kind:
            continue
        if device.architecture in entry.architectures:
            return entry.build()
        if device.architecture in entry.inherited_by:
            return entry.build(origin="assumed")
    for entry in _file().devices:
        if entry.kind == device.kind and entry.default_for_kind:
            return entry.build(origin="assumed")
    raise InputError(f"no inference constants cover the {device.kind} {device.name!r}.")


def engine_named(name: str) -> EngineTraits:
    """Return an engine's traits by name or alias; raises :class:`UnknownName`."""
    for entry in _file().engines:
        if name == entry.name or name in entry.aliases:
            return entry.build()
    raise UnknownName("inference engine", name, [entry.name for entry in _file().engines])


def engines() -> tuple[str, ...]:
    """Return the names of the known engines."""
    return tuple(entry.name for entry in _file().engines)
