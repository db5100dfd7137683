"""Stages of a run that differ in the size of their samples or batches: what a step takes in each.

Each stage is priced in closed form as a job of its own under the same layout; its step over that of the job is its
pace. The parts of a step, data and checkpoints are told of the job itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from simulator.costs.estimate import estimate
from simulator.foundation.errors import InputError
from simulator.mapping.lowering import lower_job
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.unfolding import HEALTHY
from simulator.scenario.train import TrainWorkload
from simulator.simulation.feasibility import check_memory
from simulator.simulation.setting import Setting
from simulator.workload.jobs.samples import Job


def stage_paces(workload: TrainWorkload, setting: Setting, plan: Plan) -> tuple[float, ...]:
    """Return each stage's step over the job's; empty where all stages are alike.

    Raises:
        InputError: a stage's batch is no multiple of dp * micro-batch, or stages differ on a mixed cluster.
        Infeasible: a stage does not fit its devices.
    """
    stages = workload.around.stages
    if all(stage.job == workload.job for stage in stages):
        return ()
    if setting.kinds:
        raise InputError("stages that differ are known on one kind of machine; leave their sizes out.")
    own = _step(workload.job, setting, plan)
    return tuple(_step(stage.job, setting, _plan_of(stage.name, stage.job, plan)) / own for stage in stages)


def mean_pace(workload: TrainWorkload, paces: Sequence[float]) -> float:
    """Return the mean over all steps of a run of their pace."""
    if not paces:
        return 1.0
    steps = [stage.steps for stage in workload.around.stages]
    return sum(count * pace for count, pace in zip(steps, paces, strict=True)) / sum(steps)


def _plan_of(name: str, job: Job, plan: Plan) -> Plan:
    together = plan.dp * plan.micro_batch
    if job.global_batch % together:
        raise InputError(
            f"stage {name!r}: {job.global_batch} samples are not a multiple of dp * micro = {together}; nearest: "
            f"{max(1, job.global_batch // together) * together}."
        )
    return replace(plan, micro_batches=job.global_batch // together)


def _step(job: Job, setting: Setting, plan: Plan) -> float:
    """Return seconds of a step in closed form; raises :class:`Infeasible` if it does not fit."""
    setting = replace(setting, job=job)
    check_memory(setting, plan)
    table = PlanTable.of([plan])
    times = setting.price(lower_job(job, table, setting.tiers), HEALTHY)
    return float(estimate(times, table, nodes=float(setting.nodes)).step[0])
