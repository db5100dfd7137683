"""Plans of a training job, played: here, or by the workers of a workshop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial

from simulator.mapping.plan import Plan
from simulator.planner.question import Question
from simulator.planner.workshop import Answer, Run, Workshop
from simulator.results.result import Result
from simulator.scenario.wishes import Fidelity
from simulator.simulation import simulate


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What a plan came to: seconds of a step and of its parts, and what returns the whole result."""

    step_s: float
    parts: Mapping[str, float]
    again: Callable[[], Result]


def play_plans(question: Question, plans: Sequence[Plan], workshop: Workshop) -> list[Played]:
    """Return what the job does with each plan when it is played."""
    if workshop.plain:
        results = [simulated(question, plan, "engine") for plan in plans]
        return [Played(step_s=one.step_time, parts=one.parts, again=partial(_same, one)) for one in results]
    answers = workshop.all([_run(question, plan) for plan in plans])
    return [
        Played(step_s=answer["step_s"], parts=answer["parts"],
               again=cache(partial(simulated, question, plan, "engine")))
        for plan, answer in zip(plans, answers, strict=True)
    ]  # fmt: skip


def simulated(question: Question, plan: Plan, fidelity: Fidelity) -> Result:
    """Return what the job does with a plan, played or by the closed form."""
    run = replace(question.scenario.run, fidelity=fidelity)
    return simulate(replace(question.scenario, run=run), plan=plan, workload=question.workload.id)


def _run(question: Question, plan: Plan) -> Run:
    """Return the run of a plan; which machines there are is a part of what it is known by."""
    nodes = [[group.node.name, group.count] for group in question.scenario.groups]
    known = {"workload": question.workload.id, "nodes": nodes, "plan": asdict(plan)}
    return Run(kind="layout", known_by=known, do=_facts, arguments=(question, plan))


def _facts(question: Question, plan: Plan) -> Answer:
    result = simulated(question, plan, "engine")
    return {"step_s": result.step_time, "parts": dict(result.parts), **result.metrics}


def _same(result: Result) -> Result:
    return result
