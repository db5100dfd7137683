"""Whether a plan fits the memory of a device, and the smallest change with which it would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, Final

from simulator.costs.memory import PARTS, MemoryAccount, account, usable_memory
from simulator.foundation.errors import Infeasible
from simulator.foundation.units import show
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.program import lower
from simulator.profiles.device import Device
from simulator.profiles.framework import Framework
from simulator.topology import Tier
from simulator.workload.jobs.training import TrainingJob

#: most changes at once that are tried as a relaxation
_CHANGES: Final = 3


def require_fit(
    job: TrainingJob, plan: Plan, *, device: Device, tiers: Sequence[Tier], framework: Framework
) -> dict[str, float]:
    """Return the bytes that the fullest rank holds, by part.

    Args:
        job: what is trained.
        plan: how it is split.
        device: the one with the least memory.
        tiers: of the cluster.
        framework: the software that runs it.

    Raises:
        Infeasible: it does not fit; with the account, and the fewest changes of the plan with which it would.
        InputError: nobody says how much memory the device has.
    """
    limit = usable_memory(device)
    held = account(lower(job, PlanTable.of([plan]), tiers), framework)
    parts = {name: float(held.parts[name][0]) for name in PARTS}
    if held.total[0] <= limit:
        return parts
    largest = max(parts, key=parts.__getitem__)
    raise Infeasible(
        f"a rank holds {show(float(held.total[0]), 'bytes')}, but {device.name} has room for {show(limit, 'bytes')}; "
        f"most of it is {largest} ({show(parts[largest], 'bytes')}).",
        binding="memory",
        account={**parts, "total": float(held.total[0]), "usable": limit},
        relaxation=_relaxation(job, plan, limit, tiers, framework),
    )


def _relaxation(job: TrainingJob, plan: Plan, limit: float, tiers: Sequence[Tier], framework: Framework) -> str:
    """Return the first change that fits: one before two before three, on as many devices, for the same global batch."""
    for count in range(1, _CHANGES + 1):
        tried = [
            (changes, changed)
            for changes in _choices(job, plan, count)
            if (changed := _changed(job, plan, changes)) is not None
        ]
        if not tried:
            continue
        table = PlanTable.of([changed for _, changed in tried])
        held: MemoryAccount = account(lower(job, table, tiers), framework)
        for (changes, _), total in zip(tried, held.total, strict=True):
            if total <= limit:
                return ", ".join(f"{name}: {_written(value)}" for name, value in changes.items())
    return "more devices, or devices with more memory"


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _choices(job: TrainingJob, plan: Plan, count: int) -> Iterator[Mapping[str, Any]]:
    """Yield sets of changes of ``count`` different keys; those that cost least time come first."""
    steps = list(_single(job, plan))
    for chosen in combinations(steps, count):
        names = [name for name, _ in chosen]
        if len(set(names)) == count:
            yield dict(chosen)


def _single(job: TrainingJob, plan: Plan) -> Iterator[tuple[str, Any]]:
    if plan.tp > 1 and not plan.sequence_parallel:
        yield "sequence_parallel", True
    if plan.recompute == "none":
        yield "recompute", "selective"
    for zero in range(plan.zero + 1, 4):
        yield "zero", zero
    yield from (("micro_batch", micro) for micro in _below(plan.micro_batch))
    if plan.recompute != "full":
        yield "recompute", "full"
    yield from (("pp", plan.pp * factor) for factor in (2, 4, 8, 16, 32))
    yield from (("tp", plan.tp * factor) for factor in (2, 4, 8) if job.model.heads % (plan.tp * factor) == 0)


def _below(micro: int) -> Iterator[int]:
    while micro > 1:
        micro //= 2
        yield micro


def _changed(job: TrainingJob, plan: Plan, changes: Mapping[str, Any]) -> Plan | None:
    """Return the plan with the changes, on as many ranks and for the same global batch; None if that cannot be."""
    model, rest = plan.tp * plan.cp * plan.pp, {**changes}
    tp, pp = rest.get("tp", plan.tp), rest.get("pp", plan.pp)
    dp, left = divmod(model * plan.dp, tp * plan.cp * pp)
    if left or dp < 1 or pp * plan.vpp > job.model.layers + job.model.encoder_layers:
        return None
    micro = rest.get("micro_batch", plan.micro_batch)
    micro_batches, uneven = divmod(plan.global_batch, dp * micro)
    if uneven or micro_batches < 1 or (tp * plan.cp * dp) % plan.ep:
        return None
    return replace(plan, **rest, dp=dp, micro_batches=micro_batches)
