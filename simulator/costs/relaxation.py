"""The smallest change that makes a plan fit: one memory saver after another, then two together, cheapest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Final

import numpy as np

from simulator.costs.programs import memory_of
from simulator.mapping.lowering import lower_job
from simulator.mapping.plan import Plan, PlanTable
from simulator.profiles.framework import Framework
from simulator.topology.tiers import Tier
from simulator.workload.jobs.samples import Job, SampleJob
from simulator.workload.jobs.training import TrainingJob
from simulator.workload.transformer_blocks import total_layers

#: most savers that are tried together
_TOGETHER: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxation:
    """A plan that fits, what was changed for it, and the bytes that it needs."""

    plan: Plan
    changes: tuple[str, ...]
    needed: float

    @property
    def text(self) -> str:
        """The changes in words."""
        return " and ".join(self.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Saver:
    """One change: the keys of the plan with their new values."""

    text: str
    keys: tuple[tuple[str, Any], ...]


def smallest_relaxation(
    job: Job, plan: Plan, framework: Framework, tiers: Sequence[Tier], limit: float
) -> Relaxation | None:
    """Return the plan of the same ranks and batch that fits ``limit`` bytes with the fewest, cheapest changes.

    Cheap before dear: sequence parallelism and sharded optimizer state cost no arithmetic, recomputation does, wider
    TP and PP send more. None if no three of them together are enough.
    """
    savers = _savers(job, plan)
    for together in range(1, _TOGETHER + 1):
        tried = [found for found in combinations(savers, together) if _disjoint(found)]
        plans = [replace(plan, **{key: value for saver in found for key, value in saver.keys}) for found in tried]
        if not plans:
            continue
        needed = memory_of(lower_job(job, PlanTable.of(plans), tiers), framework).total
        fitting = np.flatnonzero(needed <= limit)
        if fitting.size:
            first = int(fitting[0])
            changes = tuple(saver.text for saver in tried[first])
            return Relaxation(plan=plans[first], changes=changes, needed=float(needed[first]))
    return None


def _disjoint(savers: Sequence[_Saver]) -> bool:
    keys = [key for saver in savers for key, _ in saver.keys]
    return len(keys) == len(set(keys))


def _savers(job: Job, plan: Plan) -> list[_Saver]:
    """Return the changes that this plan allows, cheapest first."""
    if isinstance(job, SampleJob):
        return _savers_of_network(plan)
    found = []
    if plan.tp > 1 and not plan.sequence_parallel:
        found.append(_Saver(text="sequence_parallel: true", keys=(("sequence_parallel", True),)))
    if plan.dp * plan.cp > 1:
        found += [_Saver(text=f"zero: {stage}", keys=(("zero", stage),)) for stage in (1, 2) if stage > plan.zero]
    if plan.recompute == "none":
        found.append(_Saver(text="recompute: selective", keys=(("recompute", "selective"),)))
    found += _smaller_micro_batches(plan)
    if plan.dp * plan.cp > 1 and plan.zero < 3:
        found.append(_Saver(text="zero: 3", keys=(("zero", 3),)))
    if plan.recompute != "full":
        found.append(_Saver(text="recompute: full", keys=(("recompute", "full"),)))
    return found + _wider(job, plan)


def _savers_of_network(plan: Plan) -> list[_Saver]:
    """Return those of a network on samples, of which nobody cuts a layer: fewer samples at a time come first."""
    found = _smaller_micro_batches(plan)
    if plan.dp > 1:
        found += [_Saver(text=f"zero: {stage}", keys=(("zero", stage),)) for stage in (1, 2, 3) if stage > plan.zero]
    if plan.recompute != "full":
        found.append(_Saver(text="recompute: full", keys=(("recompute", "full"),)))
    return found


def _smaller_micro_batches(plan: Plan) -> list[_Saver]:
    smaller = [size for size in range(plan.micro_batch - 1, 0, -1) if plan.micro_batch % size == 0]
    return [
        _Saver(
            text=f"batch.micro: {size}",
            keys=(("micro_batch", size), ("micro_batches", plan.micro_batches * plan.micro_batch // size)),
        )
        for size in smaller
    ]


def _wider(job: TrainingJob, plan: Plan) -> list[_Saver]:
    """Return trades of data-parallel replicas for wider TP or more stages; micro-batches grow to keep the batch."""
    found = []
    for factor in (2, 4, 8):
        if plan.dp % factor:
            continue
        fewer = (("dp", plan.dp // factor), ("micro_batches", plan.micro_batches * factor))
        tp, pp = plan.tp * factor, plan.pp * factor
        if job.model.heads % tp == 0:
            found.append(_Saver(text=f"tp: {tp}", keys=(("tp", tp), *fewer)))
        spread = (plan.tp * plan.cp * plan.dp // factor) % plan.ep == 0  # the experts, over fewer ranks of a stage
        if pp * plan.vpp <= total_layers(job.model) and spread:
            found.append(_Saver(text=f"pp: {pp}", keys=(("pp", pp), *fewer)))
    return found
