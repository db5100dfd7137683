"""The best plan on several kinds of machine: layouts with shares and stage lengths in proportion to speed.

No step ends before all layers of all micro-batches are done, each at the speed of the machines: total work over total
speed. Plans are looked at in the order of that bound, each with its best shares and stage lengths, until the bound of
the next is no better than the best plan found: what is left out cannot be better. Both orders of ranks are looked at;
groups of machines keep the order of the file. Virtual stages, and ZeRO 2 and 3 (whose replicas must have equal shares),
are looked at where they are chosen by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from simulator.costs.network import AnalyticNetwork
from simulator.costs.step import price
from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.registry import Registry
from simulator.mapping.plan import ORDERS, Plan, PlanTable
from simulator.mapping.program import Floats, lower
from simulator.mapping.unfolding import Condition, replica_classes
from simulator.planner.constraints import ORDER, Constraint, judge, on_geometry, on_options
from simulator.planner.playing import Played, play_plans, simulated
from simulator.planner.question import Question, question_of
from simulator.planner.recommendation import LAYOUT, Contender, Recommendation, against
from simulator.planner.workshop import Workshop
from simulator.scenario import Scenario
from simulator.scenario.train_layout import BySpeed
from simulator.scenario.train_sync import AllReduce
from simulator.simulation.balanced import balanced
from simulator.simulation.gains import closed_form
from simulator.simulation.lanes import check_lanes
from simulator.simulation.marks import marks_of
from simulator.workload.jobs.training import TrainingJob
from simulator.workload.transformer_blocks import total_layers

#: constraints that shares and stage lengths in proportion to speed lift
_LIFTED: Final = ("batch", "layers")
#: geometries judged at a time
_WALK: Final = 1 << 14


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What a search came to: plans that fit, best first, and how many were looked at, priced and too large."""

    fitting: tuple[Contender, ...]
    considered: int
    priced: int
    rejected: dict[str, int]


def recommend_mixed(
    scenario: Scenario, *, objective: str | None = None, confirm: int | None = None, top: int | None = None,
    workload: str | None = None, workshop: Workshop | None = None,
) -> Recommendation:  # fmt: skip
    """Return the fastest plan of a transformer's training on a cluster of several kinds of machine.

    Args:
        scenario: the question.
        objective: ``time``; on a given cluster the least cost and energy too.
        confirm: how many are played (0: none, the estimate decides); None for the scenario's number.
        top: how many runner-ups are named; None for the scenario's number.
        workload: its id, where the scenario has several.
        workshop: plays the best few; None: here, and nothing is kept.

    Raises:
        InputError: another objective, or a job that is priced on one kind of machine only.
        Infeasible: no plan fits.
    """
    if (objective or scenario.plan.objective or "time") != "time":
        raise InputError(
            "on several kinds of machine the planner looks for the least time, which is the least cost too."
        )
    question = question_of(scenario, workload)
    if not isinstance(question.job, TrainingJob) or not isinstance(question.workload.sync, AllReduce):
        raise InputError(
            "shares and stage lengths are planned for transformers that exchange by all-reduce in each step."
        )
    if question.job.teacher is not None:
        raise InputError("shares and stage lengths are planned for jobs without a teacher.")
    seen = _search(question, question.job)
    if not seen.fitting:
        raise Infeasible(
            f"no way to split {question.job.model.name} over {question.setting.name} fits the memory.",
            binding="memory of a device",
            account={},
            relaxation="more nodes, or devices with more memory",
        )
    count = scenario.plan.confirm if confirm is None else confirm
    shop = workshop or Workshop()
    played = _played(question, seen.fitting[:count], shop)
    ranked = sorted((one for one, _ in played), key=lambda one: one.step_s)
    chosen = ranked[0] if ranked else seen.fitting[0]
    results = {one.plan: run for one, run in played}
    result = results[chosen.plan].again() if results else simulated(question, chosen.plan, "estimate")
    kept = {one.plan: one for one in seen.fitting} | {one.plan: one for one in ranked}
    others = sorted((one for one in kept.values() if _layout(one) != _layout(chosen)), key=lambda one: one.step_s)
    first = {_layout(one): one for one in reversed(others)}
    runners = sorted(first.values(), key=lambda one: one.step_s)
    return Recommendation(
        scenario=scenario, result=result, objective="time", unit="s", chosen=chosen,
        runner_ups=tuple(against(chosen, one) for one in runners[: scenario.plan.top if top is None else top]),
        confirmed=tuple(against(chosen, one) for one in ranked), front=(chosen,), considered=seen.considered,
        priced=seen.priced, fitting=len(seen.fitting), rejected=seen.rejected,
        binding="the speed of all machines together" if not seen.rejected["memory"] else "memory of a device",
        baseline=_equal(question, chosen, shop),
    )  # fmt: skip


def _search(question: Question, job: TrainingJob) -> _Seen:
    rejected = dict.fromkeys(ORDER, 0)
    table = possible_plans(question, rejected)
    considered = len(table) + sum(rejected.values())
    bounds = work_over_speed(question, job, table)
    marks = marks_of(question.scenario, question.setting)
    found: list[Contender] = []
    best, priced = np.inf, 0
    for row in np.argsort(bounds, kind="stable"):
        if bounds[row] >= best:
            break
        for plan in ways_of(table.row(int(row)), job.global_batch):
            priced += 1
            one = priced_plan(question, plan, marks)
            if one is None:
                rejected["memory"] += 1
                continue
            found.append(one)
            best = min(best, one.step_s)
    ranked = sorted(found, key=lambda one: (one.step_s, _simplicity(one.plan)))
    return _Seen(fitting=tuple(ranked), considered=considered, priced=priced, rejected=rejected)


def possible_plans(question: Question, rejected: dict[str, int]) -> PlanTable:
    """Return the plans that break no constraint but perhaps memory; shares are not dealt out yet."""
    choices = {"vpp": (1,), "zero": (0, 1)} | dict(question.choices)
    space, bounds = replace(question, choices=choices).space(), question.bounds
    rules: Registry[Constraint] = Registry("constraint on a geometry of unequal shares")
    for name in on_geometry:
        if name not in _LIFTED:
            rules.add(name, on_geometry[name])
    kept = []
    for geometries in space.walk(_WALK):
        whole = (question.job.global_batch % geometries.micro_batch == 0) & (geometries.pp * geometries.vpp
                                                                             <= _layers(question))  # fmt: skip
        filled = geometries.change(micro_batches=np.maximum(geometries.micro_batches, 1))
        filled = filled.take(np.flatnonzero(whole))
        allowed, broken = judge(filled, bounds, rules)
        for name, count in broken.items():
            rejected[name] += count * space.options
        plans = space.with_options(filled.take(np.flatnonzero(allowed)))
        fits, broken = judge(plans, bounds, on_options)
        for name, count in broken.items():
            rejected[name] += count
        kept.append(plans.take(np.flatnonzero(fits)))
    return PlanTable.join(kept)


def work_over_speed(question: Question, job: TrainingJob, table: PlanTable) -> Floats:
    """Return the seconds before which no step of each plan ends, whatever the shares and the stage lengths.

    A seat, tp * cp devices of a kind, does a layer of a micro-batch in some time at best; all seats together must do
    all layers of all micro-batches. Embedding and head count where there is one stage.
    """
    setting, speed = question.setting, np.zeros(len(table))
    host = setting.framework.dispatch.micro_batch_s
    for kind in setting.kinds:
        program = lower(job, table, kind.tiers)
        times = price(program, kind.machine, setting.framework, AnalyticNetwork.of(kind.tiers))
        work, layers = times.forward + times.backward, program.stage_layers[program.layout_index]
        layer = np.where(table.pp == 1, work[:, 0] / layers[:, 0], (work[:, 1] - host) / layers[:, 1])
        speed = speed + kind.count / (table.tp * table.cp) / layer
    return np.asarray(job.global_batch / table.micro_batch * _layers(question) / speed)


def ways_of(plan: Plan, samples: int) -> Iterator[Plan]:
    """Yield a plan in both orders of ranks, its micro-batches dealt out as equally as may be."""
    units = samples // plan.micro_batch
    inside = (plan.tp * plan.cp) % plan.ep == 0
    alike = plan.zero > 1 or not inside  # replicas that meet in each pass
    if alike and units % plan.dp:
        return
    even = _equal_shares(units, plan.dp)
    yield plan.with_shares(even)
    if plan.pp > 1 and plan.dp > 1 and inside:
        yield replace(plan, order=ORDERS[1]).with_shares(even)


def _equal_shares(units: int, replicas: int) -> list[int]:
    """Return the micro-batches of each replica, as equal as may be."""
    return [units // replicas + (replica < units % replicas) for replica in range(replicas)]


def priced_plan(question: Question, plan: Plan, marks: dict[int, Condition]) -> Contender | None:
    """Return a plan with its best stage lengths and shares; None if it does not fit."""
    setting = question.setting
    shared = plan.zero < 2 and (plan.tp * plan.cp) % plan.ep == 0 and plan.schedule != "dualpipe"
    try:
        plan = balanced(plan, BySpeed(lengths=True, shares=shared), setting, marks)
        classes = replica_classes(plan, marks)
        memory, _ = check_lanes(setting, plan, classes)
    except Infeasible:
        return None
    seconds = closed_form(question.workload, setting, plan, classes)
    return Contender(plan=plan, estimated=seconds, simulated=None, step_s=seconds, memory=memory, margin=0.0)


def _played(question: Question, some: Sequence[Contender], workshop: Workshop) -> list[tuple[Contender, Played]]:
    runs = play_plans(question, [one.plan for one in some], workshop)
    return [(replace(one, simulated=run.step_s, step_s=run.step_s), run) for one, run in zip(some, runs, strict=True)]


def _equal(question: Question, chosen: Contender, workshop: Workshop) -> Contender | None:
    """Return the chosen layout with stages and shares as if all machines were alike; None if it cannot be."""
    plan, units = replace(chosen.plan, layers_per_stage=()), question.job.global_batch // chosen.plan.micro_batch
    try:
        even = replace(chosen, plan=plan.with_shares(_equal_shares(units, plan.dp)))
        ((one, _),) = _played(question, [even], workshop)
    except Infeasible:
        return None
    return replace(one, margin=one.step_s / chosen.step_s - 1.0)


def _layout(one: Contender) -> tuple[object, ...]:
    return (*(getattr(one.plan, name) for name in LAYOUT), one.plan.order)


def _simplicity(plan: Plan) -> tuple[int, ...]:
    return (plan.tp * plan.cp * plan.pp, plan.tp, plan.cp, plan.pp, -plan.micro_batch, plan.zero,
            int(plan.sequence_parallel), ORDERS.index(plan.order))  # fmt: skip


def _layers(question: Question) -> int:
    assert isinstance(question.job, TrainingJob), "networks on samples are cut otherwise"
    return total_layers(question.job.model)
