"""Shares and stage lengths in proportion to speed, for a plan whose replicas or stages stand on unequal machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from simulator.costs.balance import fastest_lengths, fastest_shares
from simulator.costs.estimate import estimate
from simulator.costs.memory import stage_account, usable_memory
from simulator.costs.mixed import pipeline_times
from simulator.costs.offload import lighten
from simulator.costs.step import StepTimes
from simulator.foundation.errors import Infeasible, InputError
from simulator.mapping.lowering import lower_job
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.program import Floats, lower
from simulator.mapping.unfolding import Condition, ReplicaClass, conditions_of, replica_classes
from simulator.scenario.train_layout import BySpeed
from simulator.simulation.setting import Setting
from simulator.workload.jobs.samples import SampleJob
from simulator.workload.jobs.training import TrainingJob
from simulator.workload.transformer_blocks import total_layers

Marks = Mapping[int, Condition]


def balanced(plan: Plan, left: BySpeed, setting: Setting, marks: Marks) -> Plan:
    """Return the plan with the stage lengths and the shares that are left to the machines' speed."""
    if left.lengths:
        plan = with_lengths(plan, setting, marks)
    return with_shares(plan, setting, marks) if left.shares else plan


def with_lengths(plan: Plan, setting: Setting, marks: Marks) -> Plan:
    """Return the plan with the stage lengths that end its step soonest, within the memory of each stage's devices.

    Of replicas that are not alike the slowest is asked at each stage.

    Raises:
        Infeasible: no lengths fit.
    """
    if plan.pp == 1:
        return plan
    job = setting.job
    if isinstance(job, SampleJob):
        raise InputError(
            f"network {job.network.name!r} is cut by the seconds of its layers; leave layers_per_stage out."
        )
    layers = total_layers(job.model)
    classes = replica_classes(replace(plan, layers_per_stage=()), marks)
    one, two = (_work(_of_layers(plan, count), setting, classes) for count in (plan.vpp, 2 * plan.vpp))
    each = (two - one) / plan.vpp
    lengths = fastest_lengths(one - plan.vpp * each, each, layers, plan.micro_batches,
                              most=_most(plan, setting, job, classes), unit=plan.vpp)  # fmt: skip
    if lengths is None:
        raise Infeasible(
            f"no cut of the {layers} layers of {job.model.name} into {plan.pp} stages fits the memory "
            "of the devices under them.",
            binding="memory of a device",
            account={},
            relaxation="more stages, more tp, or zero: 1",
        )
    return replace(plan, layers_per_stage=lengths)


def with_shares(plan: Plan, setting: Setting, marks: Marks) -> Plan:
    """Return the plan with the micro-batches of a step dealt out so that its slowest replica is done soonest.

    Raises:
        InputError: a schedule or a layout whose replicas must do equally many passes.
    """
    if plan.dp == 1:
        return plan
    if plan.schedule == "dualpipe":
        raise InputError("shares: speed deals out single micro-batches; DualPipe takes them in pairs. Name the shares.")
    units = plan.global_batch // plan.micro_batch
    classes = replica_classes(replace(plan, shares=()), marks)
    until = np.stack([_until(plan, setting, one, units) for one in classes])
    found = fastest_shares(until, [one.count for one in classes], units)
    dealt = {one.conditions: iter(given) for one, given in zip(classes, found, strict=True)}
    return plan.with_shares([next(dealt[conditions]) for conditions in conditions_of(plan, marks)])


def _until(plan: Plan, setting: Setting, one: ReplicaClass, units: int) -> Floats:
    """Return seconds until a replica of a class is done with 0, 1, ..., ``units`` micro-batches."""
    table = PlanTable.of([plan.of_share(1)])
    times = pipeline_times(plan, one.conditions, _priced(table, setting, one))
    many = table.take(np.zeros(units, dtype=np.int64)).change(micro_batches=np.arange(1, units + 1))
    steps = np.broadcast_to(estimate(times, many).step, (units,))
    return np.maximum.accumulate(np.concatenate([[0.0], steps]))


def _priced(table: PlanTable, setting: Setting, *classes: ReplicaClass) -> dict[Condition, StepTimes]:
    program = lower_job(setting.job, table, setting.tiers)
    found = {condition for one in classes for condition in one.conditions}
    return {condition: setting.price(program, condition) for condition in found}


def _of_layers(plan: Plan, count: int) -> PlanTable:
    """Return a table of the plan with the same number of layers on each stage, whatever the model has."""
    return PlanTable.of([replace(plan.of_share(plan.micro_batches), layers_per_stage=(count,) * plan.pp)])


def _work(table: PlanTable, setting: Setting, classes: tuple[ReplicaClass, ...]) -> Floats:
    times = _priced(table, setting, *classes)
    found = [pipeline_times(table.row(0), one.conditions, times) for one in classes]
    return np.asarray(np.max([(one.forward + one.backward)[0] for one in found], axis=0))


def _most(plan: Plan, setting: Setting, job: TrainingJob, classes: tuple[ReplicaClass, ...]) -> Floats:
    """Return the layers that the devices under each stage hold."""
    held = []
    for count in (plan.vpp, 2 * plan.vpp):
        program = lower(job, _of_layers(plan, count), setting.tiers)
        held.append(lighten(stage_account(program, setting.framework), program, setting.machine.offload).total[0])
    each = (held[1] - held[0]) / plan.vpp
    limits = np.array([
        min(usable_memory(device) for one in classes for device in setting.devices_of(one.conditions[stage]))
        for stage in range(plan.pp)
    ])  # fmt: skip
    return np.asarray(np.floor((limits - held[0]) / each + plan.vpp).clip(0, total_layers(job.model)), dtype=np.int64)
