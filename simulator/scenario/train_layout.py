"""How a training job is split over the devices: the key ``parallelism``, and the plan that it and the batch make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import Field

from simulator.foundation.errors import InputError
from simulator.foundation.schema import StrictModel, TextOr
from simulator.mapping.plan import Plan
from simulator.scenario.kinds import Context
from simulator.topology.scaleup import devices_per_node
from simulator.workload.jobs.samples import Job, SampleJob
from simulator.workload.models.transformer import Transformer
from simulator.workload.transformer_blocks import total_layers

Degree = Annotated[int, Field(ge=1, le=10**6)]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class BySpeed:
    """What of a plan is left to the speed of the machines: the lengths of its stages, the shares of its replicas."""

    lengths: bool = False
    shares: bool = False


#: nothing is left to it
DECIDED: Final = BySpeed()


def plan_from(layout: LayoutFile, job: Job, micro: int | None, context: Context) -> Plan:
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


def by_speed(layout: Literal["auto"] | LayoutFile) -> BySpeed:
    """Return what a layout leaves to the speed of the machines."""
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
            f"{name} is a network on samples, cut by its batch and into stages; leave tp, cp, ep and vpp out. A model "
            "that `rackcast model show` knows by its shape, too, is cut inside its layers where seq_len is written."
        )
    if layout.pp > len(job.network.layers):
        raise InputError(f"pp={layout.pp} stages for the {len(job.network.layers)} layers of {name}.")


def _divides_model(layout: LayoutFile, model: Transformer) -> None:
    if model.heads % layout.tp:
        fits = [degree for degree in range(1, min(model.heads, 64) + 1) if model.heads % degree == 0]
        raise InputError(f"tp={layout.tp} does not divide the {model.heads} heads of {model.name}; {fits} would.")
    stages, layers = layout.pp * layout.vpp, total_layers(model)
    bare = 2 if layout.vpp > 1 else 0  # the first chunk may hold the embedding alone, the last one the head
    if layers < stages - bare:
        raise InputError(
            f"pp*vpp = {layout.pp}*{layout.vpp} = {stages} stages for the {layers} layers of {model.name}; at most one "
            "stage per layer, and with vpp > 1 one more each for the embedding and the head."
        )
    if not isinstance(layout.layers_per_stage, str) and sum(layout.layers_per_stage) != layers:
        raise InputError(
            f"layers_per_stage={layout.layers_per_stage} holds {sum(layout.layers_per_stage)} layers; {model.name} has "
            f"{layers}. Embedding and head are counted by themselves, on the first and on the last stage."
        )
    if layout.ep > 1 and model.experts is None:
        raise InputError(f"ep={layout.ep}, but {model.name} has no experts; write ep: 1.")
