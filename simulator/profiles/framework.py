"""What the software does to a job: how it launches kernels, what it fuses, what it overlaps.

One file under ``hardware_profiles/frameworks/`` per framework and era. Traits are facts of the software (fused
attention or not, compiled or eager); the few numbers are shared by all frameworks of one way of dispatching.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Final, Literal

from pydantic import Field

from simulator.foundation.errors import UnknownName
from simulator.foundation.schema import Bytes, Fraction, Name, Seconds, StrictModel, load
from simulator.foundation.units import MICRO
from simulator.profiles.catalogue import shipped_root

#: ways of dispatching that were measured on steps launched kernel by kernel, and as one captured graph
_WAYS: Final = {
    "networks": {"eager": "library-calls", "captured": "recorded"},
    "transformers": {"eager": "fused", "captured": "whole"},
}
_REPLAYED: Final = 3 * MICRO  # no host launches kernels so fast: they are replayed from a graph
#: from the launch of a small kernel until the host has its result and may launch what follows; the decisions of
#: detectors were counted with it
_ROUND_TRIP: Final = 20 * MICRO
#: kernel by kernel; one captured graph; that with fused elementwise operators
Execution = Literal["eager", "captured", "fused"]
#: scores written to memory; fused kernels of 2022 and early 2023 (FlashAttention 1, Triton); those since
AttentionKernel = Literal["unfused", "early-fused", "fused"]
#: what is recomputed where a run does not say: it may be anything; whole layers once weights are sharded, else nothing;
#: as little as lets it fit
Unasked = Literal["unknown", "sharded", "needed"]
#: whatever a 16-bit run is called; if it is called mixed; never, for programs that name each format themselves
Autocast = Literal["always", "asked", "never"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """How kernels get to the device: host time per kernel, per micro-batch and per step, and what fusion leaves.

    Attributes:
        kernel_s: host time to launch one kernel; work smaller than that leaves the device idle.
        micro_batch_s: host time of one forward and backward pass beside its kernels (schedule, loss, logging).
        step_s: host time of one step beside its micro-batches (data, optimizer set-up, metrics).
        traffic: share of the elementwise traffic that remains after fusion.
        kernels: share of the kernels that remain after fusion or capture.
    """

    name: str
    kernel_s: float
    micro_batch_s: float
    step_s: float
    traffic: float
    kernels: float

    @property
    def decision_s(self) -> float:
        """Time of a kernel on whose result the host waits; replayed from a graph it stays on the device."""
        return self.kernel_s if self.kernel_s <= _REPLAYED else max(self.kernel_s, _ROUND_TRIP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """A training framework of one era."""

    name: str
    dispatch: Dispatch
    attention: AttentionKernel  # of 16-bit training
    autocast: Autocast  # when 16-bit products stand between operators that a list keeps in fp32
    gradient_bytes: float  # bytes of one accumulated gradient element
    overlaps_gradients: bool  # gradient exchange runs beside the backward pass
    overlaps_gathers: bool  # sharded weights are gathered ahead of use
    overlaps_tensor: float  # share of TP traffic hidden under products
    dispatches_once: bool  # a token goes to a rank once, however many of its experts live there
    fuses_experts: bool  # one kernel runs the products of all local experts, and casts what the next one reads
    boundary_exposed: float  # share of a stage-to-stage transfer during which both stages wait
    gathers_by_tensor: bool  # sharded weights are fetched and released tensor by tensor, not layer by layer
    states_like_weights: bool  # the optimizer works in the format of activations, without fp32 master weights
    ties_embeddings: bool  # a head that a model shares with its embedding is held once
    loads_whole: bool  # a checkpoint is read into sharded weights while all of them stand gathered
    recompute_unasked: Unasked
    recomputes_last: bool  # recomputation covers a step's last micro-batch too, whose backward pass follows at once
    bucket_bytes: float  # gradients that are exchanged together; 0: all of a rank at once
    update_kernels: int  # launches per tensor of parameters in an update; 0: all tensors in a few launches
    channels_last: bool  # images lie in memory pixel by pixel, as matrix units read them, not channel by channel
    aliases: tuple[str, ...]
    decomposes_tensor: bool = False  # collectives of sequence parallelism are cut and run beside the products
    holds_by_tensor: bool = False  # weights gathered for a pass stand whole one tensor after another, not by layer
    shards_residual: bool = False  # TP also cuts what lies between layers, as sequence parallelism does


class DispatchFile(StrictModel):
    """A way of dispatching."""

    name: Name
    rests_on: Annotated[str, Field(min_length=10)]
    kernel: Seconds
    micro_batch: Seconds
    step: Seconds
    traffic: Annotated[float, Field(ge=0, le=4, strict=False)]
    kernels: Fraction

    def build(self) -> Dispatch:
        return Dispatch(
            name=self.name,
            kernel_s=self.kernel,
            micro_batch_s=self.micro_batch,
            step_s=self.step,
            traffic=self.traffic,
            kernels=self.kernels,
        )


class FrameworkFile(StrictModel):
    """A framework of one era."""

    name: Name
    aliases: list[str] = Field(default_factory=list)
    dispatch: Name
    source: Annotated[str, Field(min_length=10)]
    attention: AttentionKernel
    autocast: Autocast = "asked"
    gradient_bytes: Annotated[float, Field(gt=0, le=8)]
    overlaps_gradients: bool
    overlaps_gathers: bool
    overlaps_tensor: Fraction
    dispatches_once: bool = False
    fuses_experts: bool = False
    boundary_exposed: Fraction
    gathers_by_tensor: bool = False
    states_like_weights: bool = False
    ties_embeddings: bool = True
    loads_whole: bool = False
    recompute_unasked: Unasked = "unknown"
    recomputes_last: bool = True
    bucket: Bytes | None = None
    update_kernels: Annotated[int, Field(ge=0, le=100)] = 0
    channels_last: bool = False
    decomposes_tensor: bool = False
    holds_by_tensor: bool = False
    shards_residual: bool = False


@cache
def _dispatches() -> dict[str, Dispatch]:
    folder = shipped_root() / "frameworks" / "dispatch"
    return {file.name: file.build() for file in (load(DispatchFile, path) for path in sorted(folder.glob("*.yaml")))}


@cache
def frameworks() -> dict[str, Framework]:
    """Return the shipped frameworks by name."""
    folder = shipped_root() / "frameworks"
    found = {}
    for path in sorted(folder.glob("*.yaml")):
        file = load(FrameworkFile, path)
        found[file.name] = Framework(
            name=file.name,
            dispatch=_dispatches()[file.dispatch],
            attention=file.attention,
            autocast=file.autocast,
            gradient_bytes=file.gradient_bytes,
            overlaps_gradients=file.overlaps_gradients,
            overlaps_gathers=file.overlaps_gathers,
            overlaps_tensor=file.overlaps_tensor,
            dispatches_once=file.dispatches_once,
            fuses_experts=file.fuses_experts,
            boundary_exposed=file.boundary_exposed,
            gathers_by_tensor=file.gathers_by_tensor,
            states_like_weights=file.states_like_weights,
            ties_embeddings=file.ties_embeddings,
            loads_whole=file.loads_whole,
            recompute_unasked=file.recompute_unasked,
            recomputes_last=file.recomputes_last,
            bucket_bytes=file.bucket or 0.0,
            update_kernels=file.update_kernels,
            channels_last=file.channels_last,
            aliases=tuple(file.aliases),
            decomposes_tensor=file.decomposes_tensor,
            holds_by_tensor=file.holds_by_tensor,
            shards_residual=file.shards_residual,
        )
    return found


def executed(framework: Framework, how: Execution, *, networks: bool) -> Framework:
    """Return the framework with another way of launching a step.

    Eager steps are launched kernel by kernel, at no less than the host's time of the shipped way that does so. A
    captured graph is launched once per step, at no more than the host's time of the shipped way that captures whole
    steps. Fused elementwise operators leave no more than its share of traffic and kernels, too.

    Args:
        networks: whether the steps are of networks on samples, which were measured apart.
    """
    own, ways = framework.dispatch, _WAYS["networks" if networks else "transformers"]
    like = _dispatches()[ways["eager" if how == "eager" else "captured"]]
    bound = max if how == "eager" else min
    found = replace(
        own, name=f"{own.name}-{how}", kernel_s=bound(own.kernel_s, like.kernel_s),
        micro_batch_s=bound(own.micro_batch_s, like.micro_batch_s), step_s=bound(own.step_s, like.step_s),
    )  # fmt: skip
    if how != "captured":
        found = replace(found, traffic=bound(own.traffic, like.traffic), kernels=bound(own.kernels, like.kernels))
    return replace(framework, dispatch=found)


def is_launched(dispatch: Dispatch) -> bool:
    """Return whether a host launches kernels one by one or in clusters; else a program or graph runs by itself."""
    return dispatch.kernel_s > _REPLAYED


def is_of_networks(dispatch: str) -> bool:
    """Return whether a way of dispatching calls vendor libraries layer by layer, as networks on samples do."""
    return dispatch in _WAYS["networks"].values()


def network_framework(*, channels_last: bool) -> Framework:
    """Return the usual software of networks on samples: kernels of vendor libraries, launched one by one."""
    return framework_named("convolutional-channels-last" if channels_last else "convolutional")


def framework_named(name: str) -> Framework:
    """Return a framework by name or alias; raises :class:`UnknownName`."""
    for framework in frameworks().values():
        if name == framework.name or name in framework.aliases:
            return framework
    raise UnknownName("framework", name, frameworks())
