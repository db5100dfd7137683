"""The recommendation: the plan to take, what it will do, how sure that is, and what else was close."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np

from simulator.foundation.units import GIGA
from simulator.mapping.plan import Plan
from simulator.planner.constraints import REASONS
from simulator.planner.infeasible import infeasible
from simulator.planner.objectives import Objective, objectives
from simulator.planner.operation import UNSAID, Operation, operation_of
from simulator.planner.placing.rank_order import Ordered, rank_orders
from simulator.planner.playing import Played, play_plans, simulated
from simulator.planner.priced import Priced
from simulator.planner.question import Question, question_of
from simulator.planner.search import Found, Watch, search
from simulator.planner.workshop import Workshop
from simulator.results.result import Result
from simulator.scenario import Scenario

#: plans kept of a search: those that are confirmed, and enough to find runner-ups of other layouts among
KEPT: Final = 2000
#: what makes two plans differ in layout
LAYOUT: Final = ("tp", "cp", "dp", "pp", "ep")

#: a gain, as a share of the objective, for which more memory is worth naming
_NOTABLE: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A plan that fits.

    Attributes:
        plan: the decision it would be.
        estimated: its objective by the closed form.
        simulated: its objective when played; None if it was not.
        step_s: its step time, played if it was.
        memory: bytes on the fullest device, by part.
        margin: how much worse than the recommended plan, as a share of that one's objective.
    """

    plan: Plan
    estimated: float
    simulated: float | None
    step_s: float
    memory: dict[str, float]
    margin: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What to do, and why.

    Attributes:
        result: the recommended plan simulated (estimated, if nothing was to be confirmed): figures, parts, label, band.
        objective, unit: what was looked for.
        chosen: the recommended plan among the contenders.
        runner_ups: the best plan of each other layout, best first.
        confirmed: all plans that were simulated, best first.
        front: plans that none beats in both step time and memory.
        considered, priced, fitting: plans looked at, priced, and small enough for the memory.
        rejected: how many plans broke each constraint first, in order.
        binding: what keeps a better plan away, in words.
        operation: how a run with the plan is to be saved, spared and fed.
        orders: every order of the plan's ranks, the fastest first, by the closed form.
        baseline: on several kinds of machine, the same layout with equal shares and even stages.
    """

    scenario: Scenario
    result: Result
    objective: str
    unit: str
    chosen: Contender
    runner_ups: tuple[Contender, ...]
    confirmed: tuple[Contender, ...]
    front: tuple[Contender, ...]
    considered: int
    priced: int
    fitting: int
    rejected: dict[str, int]
    binding: str
    operation: Operation = UNSAID
    orders: tuple[Ordered, ...] = ()
    baseline: Contender | None = None

    @property
    def plan(self) -> Plan:
        """The decision."""
        return self.chosen.plan

    @property
    def margin(self) -> float | None:
        """How much worse the best plan of another layout is; None if there is no other."""
        return self.runner_ups[0].margin if self.runner_ups else None

    def facts(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        return {
            **self.result.facts(),
            "decision": asdict(self.plan),
            "objective": {"name": self.objective, "unit": self.unit, "estimated": self.chosen.estimated,
                          "simulated": self.chosen.simulated},
            "margin": self.margin,
            "runner_ups": [asdict(one) for one in self.runner_ups],
            "confirmed": [asdict(one) for one in self.confirmed],
            "front": [asdict(one) for one in self.front],
            "plans": {"considered": self.considered, "priced": self.priced, "fitting": self.fitting,
                      "rejected": {name: {"count": count, "reason": REASONS[name]}
                                   for name, count in self.rejected.items() if count}},
            "binding": self.binding,
            "operation": self.operation.facts(),
            "rank_orders": [one.facts() for one in self.orders],
            "baseline": None if self.baseline is None else asdict(self.baseline),
        }  # fmt: skip


def recommend(
    scenario: Scenario,
    *,
    objective: str | None = None,
    confirm: int | None = None,
    top: int | None = None,
    workload: str | None = None,
    watch: Watch | None = None,
    workshop: Workshop | None = None,
) -> Recommendation:
    """Return the best plan of a scenario's training job.

    Every plan is ranked by the closed form; the best few are played, and the best of those is recommended.

    Args:
        objective: a name in :data:`objectives`; None for the scenario's.
        confirm: how many are played (0: none, the estimate decides); None for the scenario's number.
        top: how many runner-ups are named; None for the scenario's number.
        workload: its id, where the scenario has several.
        watch: wraps the pieces of the search, for a progress bar.
        workshop: plays the best few; None: here, and nothing is kept.

    Raises:
        InputError: an unknown objective, or a question that cannot be asked.
        Infeasible: no plan fits; with the account of the leanest one and the smallest relaxations.
    """
    name = objective or scenario.plan.objective or "time"
    measure = objectives[name]
    question = question_of(scenario, workload)
    found = search(question, measure, keep=KEPT, watch=watch)
    if not len(found.best):
        raise infeasible(question, found)
    count = scenario.plan.confirm if confirm is None else confirm
    played = _play(question, found, measure, count, workshop or Workshop())
    contenders = _contenders(found.best, question, measure, played)
    ranked = sorted(contenders[: len(played)], key=lambda one: one.simulated or 0.0)
    chosen = ranked[0] if ranked else contenders[0]
    results = {plan: one for plan, _, one in played}
    result = results[chosen.plan].again() if results else simulated(question, chosen.plan, "estimate")
    wanted = scenario.plan.top if top is None else top
    return Recommendation(
        scenario=scenario,
        result=result,
        objective=name,
        unit=measure.unit,
        chosen=chosen,
        runner_ups=tuple(against(chosen, one) for one in _other_layouts(chosen, contenders)[:wanted]),
        confirmed=tuple(against(chosen, one) for one in ranked),
        front=tuple(against(chosen, one) for one in _contenders(found.front, question, measure, played)),
        considered=found.considered,
        priced=found.priced,
        fitting=len(found.values),
        rejected=found.rejected,
        binding=_binding(chosen, found, question, measure),
        operation=operation_of(question, chosen.plan, result),
        orders=rank_orders(question.setting, chosen.plan),
    )


def _play(
    question: Question, found: Found, measure: Objective, count: int, workshop: Workshop
) -> list[tuple[Plan, float, Played]]:
    """Simulate the best few; return each with its objective, the played step in place of the estimated one."""
    plans = [found.best.table.row(row) for row in range(min(count, len(found.best)))]
    return [
        (plan, measure.of(_as_played(found.best, row, one), question)[0].item(), one)
        for row, (plan, one) in enumerate(zip(plans, play_plans(question, plans, workshop), strict=True))
    ]


def _as_played(best: Priced, row: int, played: Played) -> Priced:
    one = best.take(np.array([row]))
    parts = {name: np.array([played.parts.get(name, 0.0)]) for name in one.estimate.parts}
    parts["compute"] = parts["compute"] + played.parts.get("recompute", 0.0)
    return replace(one, estimate=replace(one.estimate, step=np.array([played.step_s]), parts=parts))


def _contenders(
    priced: Priced, question: Question, measure: Objective, played: Sequence[tuple[Plan, float, Played]]
) -> list[Contender]:
    values, rows = measure.of(priced, question), range(len(priced))
    plans = [priced.table.row(row) for row in rows]
    simulated = {plan: value for plan, value, _ in played}
    steps = {plan: one.step_s for plan, _, one in played}
    return [
        Contender(
            plan=plans[row],
            estimated=float(values[row]),
            simulated=simulated.get(plans[row]),
            step_s=steps.get(plans[row], float(priced.estimate.step[row])),
            memory={name: float(held[row]) for name, held in priced.memory.parts.items()},
            margin=0.0,
        )
        for row in rows
    ]


def against(chosen: Contender, other: Contender) -> Contender:
    """Return the contender with its margin: played against played, else estimate against estimate."""
    if other.simulated is not None and chosen.simulated is not None:
        return replace(other, margin=other.simulated / chosen.simulated - 1.0)
    return replace(other, margin=other.estimated / chosen.estimated - 1.0)


def _other_layouts(chosen: Contender, contenders: Sequence[Contender]) -> list[Contender]:
    """Return the best plan of each layout but the chosen one's, best first."""
    seen = {_layout(chosen.plan)}
    found = []
    for one in contenders:
        if _layout(one.plan) not in seen:
            seen.add(_layout(one.plan))
            found.append(one)
    return found


def _layout(plan: Plan) -> tuple[int, ...]:
    return tuple(getattr(plan, name) for name in LAYOUT)


def _binding(chosen: Contender, found: Found, question: Question, measure: Objective) -> str:
    """Say what keeps a better plan away: the memory of a device, if a plan that does not fit would be better."""
    values = measure.of(found.beyond, question)
    better = np.flatnonzero(values < chosen.estimated * (1.0 - _NOTABLE))
    if not len(better):
        return "none; no plan that needs more memory would be better"
    leanest = better[-1]
    needed, gain = float(found.beyond.memory.total[leanest]), 1.0 - float(values[leanest]) / chosen.estimated
    return (
        f"memory of a device: with {needed / GIGA:.1f} GB for tensors instead of {question.capacity / GIGA:.1f} GB "
        f"another plan would be {gain:.1%} better"
    )
