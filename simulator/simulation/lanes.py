"""Every stage of every class of replicas: its machine, its work and its memory, and whether that fits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from simulator.costs.memory import PARTS, usable_memory
from simulator.costs.mixed import pipeline_times
from simulator.costs.programs import memory_of, stage_memory_of
from simulator.costs.step import StepTimes
from simulator.foundation.errors import Infeasible
from simulator.foundation.units import GIGA
from simulator.mapping.lowering import lower_job
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.samples import SampleProgram
from simulator.mapping.stages import column_of
from simulator.mapping.unfolding import Condition, ReplicaClass
from simulator.results.lanes import Lane
from simulator.simulation.setting import Setting


def lanes_of(
    setting: Setting, plan: Plan, classes: Sequence[ReplicaClass], times: Mapping[Condition, StepTimes]
) -> tuple[Lane, ...]:
    """Return a lane for each stage of each class of replicas."""
    found, layers = [], _layers(setting, plan)
    for one in classes:
        count = one.micro_batches(plan)
        held = stage_bytes(setting, plan.of_share(count))
        work = pipeline_times(plan, one.conditions, times)
        for stage, condition in enumerate(one.conditions):
            devices = setting.devices_of(condition)
            machine = " + ".join(device.name for device in devices) if condition.machines else setting.device.name
            found.append(Lane(
                first=one.first, replicas=one.count, stage=stage, layers=layers[stage], machine=machine,
                micro_batches=count, passes_s=count * float((work.forward + work.backward)[0, stage]),
                memory_bytes=held[stage], limit_bytes=min(usable_memory(device) for device in devices),
            ))  # fmt: skip
    return tuple(found)


def stage_bytes(setting: Setting, plan: Plan) -> list[float]:
    """Return bytes that a device of each stage holds; of a network on samples those of its fullest stage."""
    return [sum(parts.values()) for parts in _stage_parts(setting, plan)]


def _stage_parts(setting: Setting, plan: Plan) -> list[dict[str, float]]:
    """Return bytes of a device of each stage by part."""
    program, offload = lower_job(setting.job, PlanTable.of([plan]), setting.tiers), setting.machine.offload
    if isinstance(program, SampleProgram):
        parts = memory_of(program, setting.framework, offload).parts
        return [{name: float(held[0]) for name, held in parts.items()}] * plan.pp
    held = stage_memory_of(program, setting.framework, offload).parts
    columns = [column_of(stage, plan.pp, program.stage_layers.shape[1]) for stage in range(plan.pp)]
    return [{name: float(held[name][0, column]) for name in PARTS} for column in columns]


def _layers(setting: Setting, plan: Plan) -> list[float]:
    """Return the layers of each stage; not a number where a network on samples is cut by its layers' seconds."""
    if plan.layers_per_stage:
        return [float(layers) for layers in plan.layers_per_stage]
    program = lower_job(setting.job, PlanTable.of([plan]), setting.tiers)
    if isinstance(program, SampleProgram):
        return [float(len(program.job.network.layers)) if plan.pp == 1 else math.nan] * plan.pp
    held = program.stage_layers[program.layout_index][0]
    return [float(held[column_of(stage, plan.pp, len(held))]) for stage in range(plan.pp)]


def check_lanes(setting: Setting, plan: Plan, classes: Sequence[ReplicaClass]) -> tuple[dict[str, float], float]:
    """Return bytes by part on the device that is fullest for its size, and what tensors can take there.

    Raises:
        Infeasible: a stage does not fit the devices under it.
    """
    fullest: tuple[float, dict[str, float], float, int, str] | None = None
    for one in classes:
        held = _stage_parts(setting, plan.of_share(one.micro_batches(plan)))
        for stage, condition in enumerate(one.conditions):
            device = min(setting.devices_of(condition), key=usable_memory)
            limit, parts = usable_memory(device), held[stage]
            full = (sum(parts.values()) / limit, parts, limit, stage, device.name)
            fullest = full if fullest is None or full[0] > fullest[0] else fullest
    assert fullest is not None, "a plan has replicas"
    share, parts, limit, stage, name = fullest
    if share > 1.0:
        raise Infeasible(
            f"stage {stage} of {setting.job.model.name} needs {sum(parts.values()) / GIGA:.1f} GB on {name}, which has "
            f"{limit / GIGA:.1f} GB for tensors.",
            binding=f"memory of {name}",
            account={**parts, "needed": sum(parts.values()), "limit": limit},
            relaxation="fewer layers on that stage (layers_per_stage: speed keeps to each device's memory), more "
            "stages, or zero: 1",
        )
    return parts, limit
