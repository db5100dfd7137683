"""Why a plan cannot be: constraints in the order in which they are asked, each plan rejected at the first it breaks.

Those on geometries (degrees, virtual stages, micro-batch) are asked first and once for all options of a geometry; then
those on options; last the memory, which is the only one that needs the program.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.foundation.registry import Registry
from simulator.mapping.plan import RECOMPUTE, SCHEDULES, PlanTable
from simulator.mapping.stages import stage_layers
from simulator.workload.jobs.samples import Job, SampleJob
from simulator.workload.transformer_blocks import total_layers

Ints = NDArray[np.int64]
Marks = Any  # boolean arrays; numpy's stubs give comparisons of them no type of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What constraints know beside the plan.

    Attributes:
        job: what is trained.
        scaleup: the widest TP that is allowed: devices of one scale-up domain, unless TP was chosen by name.
        fused: whether attention keeps no scores, so that selective recomputation has nothing to repeat.
        pipelined_sharding: whether gradients and weights may be sharded over the replicas of a pipeline.
    """

    job: Job
    scaleup: int
    fused: bool = False
    pipelined_sharding: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A rule with its reason in words; ``holds`` marks the plans that keep it."""

    reason: str
    holds: Callable[[PlanTable, Bounds], Marks]


on_geometry: Final[Registry[Constraint]] = Registry("constraint on a geometry")
on_options: Final[Registry[Constraint]] = Registry("constraint on options")

#: the order in which constraints are asked; a plan counts as rejected by the first that it breaks
ORDER: Final = (
    "whole", "heads", "topology", "layers", "batch", "sequence", "experts", "redundant", "schedule", "sharding",
    "memory",
)  # fmt: skip

REASONS: Final[dict[str, str]] = {"memory": "needs more memory than a device has"}


Rule = Callable[[PlanTable, Bounds], Marks]


def _rule(registry: Registry[Constraint], name: str, reason: str) -> Callable[[Rule], Rule]:
    def add(holds: Rule) -> Rule:
        registry.add(name, Constraint(reason=reason, holds=holds))
        REASONS[name] = reason
        return holds

    return add


@_rule(on_geometry, "whole", "a network on samples is cut by its batch and into stages alone")
def _whole(table: PlanTable, bounds: Bounds) -> Marks:
    if not isinstance(bounds.job, SampleJob):
        return np.ones(len(table), dtype=bool)
    return table.tp * table.cp * table.ep * table.vpp == 1


@_rule(on_geometry, "heads", "tp does not divide heads, key-value heads and feed-forward width")
def _heads(table: PlanTable, bounds: Bounds) -> Marks:
    """Key-value heads may also be fewer than the TP ranks, which then hold copies."""
    if isinstance(bounds.job, SampleJob):
        return table.tp == 1
    model = bounds.job.model
    shared = (model.kv_heads % table.tp == 0) | (table.tp % model.kv_heads == 0)
    return (model.heads % table.tp == 0) & shared & (model.ffn % table.tp == 0)


@_rule(on_geometry, "topology", "tp is wider than one scale-up domain")
def _topology(table: PlanTable, bounds: Bounds) -> Marks:
    return table.tp <= bounds.scaleup


@_rule(on_geometry, "layers", "the layers do not fill pp*vpp chunks")
def _layers(table: PlanTable, bounds: Bounds) -> Marks:
    """Inner stages are equal and cut evenly; the first and the last may hold less: all but one chunk hold a layer.

    The first chunk may hold the embedding alone and the last chunk the head alone, as those of Llama 3 do (Grattafiori
    et al. 2024, arXiv 2407.21783, section 3.3.2).
    """
    if isinstance(bounds.job, SampleJob):
        return table.pp <= len(bounds.job.network.layers)
    layers = total_layers(bounds.job.model)
    stage = -(-layers // table.pp)
    held = stage_layers(table, layers)
    ends = np.minimum(held[:, 0], held[:, 2]) >= np.maximum(table.vpp - 1, 1)
    all_held = np.where(table.pp == 1, True, held[:, 0] + held[:, 2] + (table.pp - 2) * held[:, 1] == layers)
    single = (table.pp > 1) | (table.vpp == 1)
    return (stage % table.vpp == 0) & ends & (all_held | (table.pp == 2)) & single


@_rule(on_geometry, "batch", "the global batch is not a multiple of dp * micro-batch")
def _batch(table: PlanTable, bounds: Bounds) -> Marks:
    return table.micro_batch * table.micro_batches * table.dp == bounds.job.global_batch


@_rule(on_geometry, "sequence", "the sequence does not cut into two chunks per context rank")
def _sequence(table: PlanTable, bounds: Bounds) -> Marks:
    if isinstance(bounds.job, SampleJob):
        return table.cp == 1
    return (table.cp == 1) | (bounds.job.seq_len % (2 * table.cp) == 0)


@_rule(on_geometry, "experts", "ep does not divide the experts and tp*cp*dp")
def _experts(table: PlanTable, bounds: Bounds) -> Marks:
    shape = None if isinstance(bounds.job, SampleJob) else bounds.job.model
    experts = shape.experts.count if shape is not None and shape.experts else 1
    return (experts % table.ep == 0) & ((table.tp * table.cp * table.dp) % table.ep == 0)


@_rule(on_options, "redundant", "a simpler plan is the same")
def _redundant(table: PlanTable, bounds: Bounds) -> Marks:
    """ZeRO without replicas, sequence parallelism without TP, selective recomputation where no scores are kept."""
    alone = (table.dp * table.cp == 1) & (table.zero > 0)
    nothing = (table.recompute == RECOMPUTE.index("selective")) & bounds.fused
    return ~(alone | nothing | ((table.tp == 1) & (table.sequence_parallel > 0)))


@_rule(
    on_options,
    "schedule",
    "virtual stages need 1F1B and micro-batches in multiples of pp; DualPipe an even pp and 2 pp of them",
)
def _schedule(table: PlanTable, bounds: Bounds) -> Marks:
    """As Megatron-LM asks (Narayanan et al. 2021, arXiv 2104.04473, section 2.2)."""
    interleaved = table.vpp > 1
    fits = (table.schedule == SCHEDULES.index("1f1b")) & (table.micro_batches % table.pp == 0)
    whole = ~interleaved | fits
    dual = table.schedule == SCHEDULES.index("dualpipe")
    if not dual.any():
        return whole
    both = (table.pp % 2 == 0) & (table.micro_batches % 2 == 0) & (table.micro_batches >= 2 * table.pp)
    return whole & (~dual | both)


@_rule(on_options, "sharding", "ZeRO-2 or ZeRO-3 under a pipeline")
def _sharding(table: PlanTable, bounds: Bounds) -> Marks:
    """Each micro-batch would scatter its gradients and gather the weights of its stage anew.

    DeepSpeed's pipeline engine and Megatron-LM's sharded modes refuse it; choosing ``zero`` by name allows it.
    """
    return (table.pp == 1) | (table.zero < 2) | bounds.pipelined_sharding


def judge(table: PlanTable, bounds: Bounds, rules: Registry[Constraint]) -> tuple[Marks, dict[str, int]]:
    """Return which plans keep all rules, and how many broke each first, in the order of :data:`ORDER`."""
    possible = np.ones(len(table), dtype=bool)
    broken = {}
    for name in ORDER:
        if name not in rules:
            continue
        keeps = possible & rules[name].holds(table, bounds)
        broken[name] = int(possible.sum() - keeps.sum())
        possible = keeps
    return possible, broken
