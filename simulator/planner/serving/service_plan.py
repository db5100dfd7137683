"""The recommendation for a service: machines, number, layout, format and batch limits, and what stands behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from simulator.engine.serving.service import Served
from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.units import KILO
from simulator.planner.machines import UNITS
from simulator.planner.pareto import front
from simulator.planner.serving.cheapest import Trial, Trials, cheapest, first_that_keeps, fresh_draw
from simulator.planner.serving.pricing import (
    REASONS,
    PricedDeployment,
    ServiceQuestion,
    price_deployments,
    service_question,
)
from simulator.planner.serving.refinement import refined
from simulator.planner.workshop import Workshop
from simulator.scenario import Scenario
from simulator.scenario.serve import ServeWorkload
from simulator.simulation import chosen_workload

#: runs spent on each runner-up and on each relaxation that is tried
_RUNS: Final = 60
#: how many times a limit, or the number of nodes, is tried when nothing keeps the limits
_TIMES: Final = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
_NODES: Final = (2, 4, 8)
#: what users see of a deployment
_SEEN: Final = ("ttft_p95_ms", "tpot_p95_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """What to take for a service, and why.

    Attributes:
        chosen: the cheapest deployment that keeps the limits, played.
        runner_ups: of other machines, layouts or formats the first that keep them, cheapest first.
        played: every deployment that was played, on each number of nodes, in the order of play.
        considered, rejected, runs: deployments looked at, those out by reason, and runs of the engine.
        untried: deployments that might be cheaper, but that no run was left for; 0: nothing cheaper keeps the limits.
        binding: what keeps a cheaper deployment away, in words.
    """

    scenario: Scenario
    workload: ServeWorkload
    objective: str
    chosen: Trial
    runner_ups: tuple[Trial, ...]
    played: tuple[Trial, ...]
    considered: int
    rejected: Mapping[str, int]
    runs: int
    untried: int
    binding: str

    @property
    def unit(self) -> str:
        """Unit of the objective."""
        return UNITS[self.objective]

    @property
    def margin(self) -> float | None:
        """How much dearer the best runner-up is, as a share; None if there is none."""
        return self.runner_ups[0].cost / self.chosen.cost - 1.0 if self.runner_ups else None

    @property
    def front(self) -> tuple[Trial, ...]:
        """Of what was played and keeps the limits, what none beats in price, power, TTFT and TPOT; cheapest first.

        Power is left out where it is not known.
        """
        kept = [one for one in self.played if one.keeps]
        watts = [one.watts for one in kept]
        power = [0.0 if one is None or None in watts else one for one in watts]
        seen = [[one.metrics[name] for name in _SEEN] for one in kept]
        rows = [(one.cost, drawn, *users) for one, drawn, users in zip(kept, power, seen, strict=True)]
        return tuple(kept[row] for row in front(rows))

    def facts(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        return {
            **self.chosen.result.facts(),
            "decision": decision(self.chosen),
            "objective": {"name": self.objective, "unit": self.unit, "value": self.chosen.cost},
            "attainment": {"draws": list(self.chosen.attainments), "fresh": fresh_draw(self.chosen.attainments)},
            "margin": self.margin,
            "runner_ups": [
                {**decision(one), "value": one.cost, "margin": one.cost / self.chosen.cost - 1.0,
                 "attainments": list(one.attainments)}
                for one in self.runner_ups
            ],
            "front": [
                {**decision(one), "value": one.cost, "power_w": one.watts,
                 **{name: one.metrics[name] for name in _SEEN}}
                for one in self.front
            ],
            "plans": {"considered": self.considered, "runs": self.runs, "untried": self.untried,
                      "rejected": {name: {"count": count, "reason": REASONS[name]}
                                   for name, count in self.rejected.items() if count}},
            "binding": self.binding,
        }  # fmt: skip


def decision(trial: Trial) -> dict[str, Any]:
    """Return what a deployment is, as plain data."""
    one = trial.deployment
    return {
        "node": one.machine.node.name, "nodes": trial.nodes, "replicas": trial.nodes * one.replicas_per_node,
        "prefill": trial.nodes * one.prefill,
        "tp": one.layout.tp, "pp": one.layout.pp, "ep": one.layout.ep, "precision": one.precision,
        "max_num_seqs": one.max_num_seqs, "max_num_batched_tokens": one.max_num_batched_tokens,
    }  # fmt: skip


def recommend_service(
    scenario: Scenario,
    *,
    objective: str | None = None,
    top: int | None = None,
    workload: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    workshop: Workshop | None = None,
) -> ServicePlan:
    """Return the cheapest deployment of a scenario's service that keeps its limits.

    Args:
        objective: ``cost``, ``energy`` or ``carbon``; None for the scenario's (cost, if it names none).
        top: how many runner-ups are named; None for the scenario's number.
        workload: its id, where the scenario has several.
        progress: is told of every run of the engine: how many there were, of how many at most.
        workshop: does the runs; None: here, and nothing is kept.

    Raises:
        InputError: an objective that services have not, or a question that cannot be asked.
        Infeasible: nothing keeps the limits; with the reasons and the smallest relaxations.
    """
    entry = chosen_workload(scenario, workload)
    assert isinstance(entry, ServeWorkload), "the caller has looked at the kind"
    name = objective or scenario.plan.objective or "cost"
    if name not in UNITS:
        raise InputError(f"plan.objective: a service is planned for {' or '.join(UNITS)}, found {name!r}.")
    question = service_question(scenario, entry, name, further=scenario.plan.further_seeds, workshop=workshop)
    candidates, rejected = price_deployments(question)
    trials = Trials(question=question, most_runs=scenario.plan.simulations, progress=progress)
    start = first_that_keeps(candidates, trials)
    if start is None:
        raise _infeasible(question, candidates, rejected, trials)
    best, left = cheapest(candidates, trials, start)
    best, between = refined(trials, best)
    enumerated = {priced.deployment for priced in candidates}
    candidates += [priced for priced in between if priced.deployment not in enumerated]
    _count(candidates, best, left, rejected, trials)
    runs = trials.runs
    return ServicePlan(
        scenario=scenario,
        workload=entry,
        objective=name,
        chosen=best,
        runner_ups=_runner_ups(candidates, trials, best, scenario.plan.top if top is None else top),
        played=tuple(trials.done.values()),
        considered=len(candidates) + sum(rejected[reason] for reason in ("figures", "memory", "ttft", "tpot", "work")),
        rejected=rejected,
        runs=runs,
        untried=len(left),
        binding=_binding(trials, best),
    )


def _count(
    candidates: list[PricedDeployment], best: Trial, left: list[PricedDeployment], rejected: dict[str, int],
    trials: Trials,
) -> None:  # fmt: skip
    """Count why each deployment but the best is not taken."""
    played = {deployment for deployment, _ in trials.done}
    waiting = {priced.deployment for priced in left}
    for priced in candidates:
        if priced.deployment == best.deployment:
            continue
        if priced.deployment in waiting:
            rejected["untried"] += 1
        elif priced.deployment in played:
            rejected["simulated"] += 1
        else:
            rejected["dearer"] += 1


def _runner_ups(candidates: list[PricedDeployment], trials: Trials, best: Trial, wanted: int) -> tuple[Trial, ...]:
    """Return the first of each other family that keeps the limits, for the families that seem cheapest."""
    families: dict[Any, list[PricedDeployment]] = {}
    for priced in sorted(candidates, key=lambda one: (one.cost(one.likely), -one.headroom)):
        families.setdefault(priced.deployment.family, []).append(priced)
    _ = families.pop(best.deployment.family)
    found: list[Trial] = []
    for members in list(families.values())[: 2 * wanted]:
        mine = Trials(question=trials.question, most_runs=_RUNS, done=trials.done)
        if (trial := first_that_keeps(members, mine)) is not None:
            found.append(trial)
    return tuple(sorted(found, key=lambda trial: trial.cost)[:wanted])


def _binding(trials: Trials, best: Trial) -> str:
    """Say what keeps a cheaper deployment away: of the cheaper ones played, the nearest to keeping the limits."""
    cheaper = [trial for trial in trials.done.values() if trial.cost < best.cost * (1.0 - 1e-9)]
    if not cheaper:
        return "the work itself; by the bound on machine time nothing cheaper can keep the limits"
    near = max(cheaper, key=lambda trial: fresh_draw(trial.attainments))
    share = fresh_draw(near.attainments)
    parts = dict(misses(near))
    missed = ", ".join(f"{name} {part:.1%}" for name, part in parts.items() if part)
    saved = 1.0 - near.cost / best.cost
    head = max(parts, key=lambda name: parts[name]) if missed else "attainment on every draw"
    return (
        f"{head}: {short(near)} would save {saved:.1%} but keeps the limits for {share:.2%} only "
        f"(missed: {missed or 'none'})"
    )


def misses(trial: Trial) -> Iterator[tuple[str, float]]:
    """Yield the share of requests of the first draw that miss each limit."""
    served, limits = trial.result.served, trial.result.limits
    assert isinstance(served, Served), "a search holds every request of its draws"
    for name, values, limit in (
        ("TTFT", served.ttft_s, limits.ttft_s),
        ("TPOT", served.tpot_s, limits.tpot_s),
        ("latency", served.latency_s, limits.latency_s),
    ):
        if limit is not None:
            yield name, float(np.mean(~(values <= limit)))


def short(trial: Trial) -> str:
    """Return a deployment in a few words."""
    one = trial.deployment
    cuts = " ".join(f"{name}{value}" for name in ("tp", "pp", "ep") if (value := getattr(one.layout, name)) > 1)
    apart = f", {trial.nodes * one.prefill} of them for prompts only" if one.prefill else ""
    return (
        f"{trial.nodes} x {one.machine.node.name}, {trial.nodes * one.replicas_per_node} replicas"
        f"{f' of {cuts}' if cuts else ''}{apart}, {one.precision}, {one.max_num_seqs} sequences, "
        f"{one.max_num_batched_tokens} tokens"
    )


def _infeasible(
    question: ServiceQuestion, candidates: list[PricedDeployment], rejected: dict[str, int], trials: Trials
) -> Infeasible:
    """Return the answer that nothing keeps the limits."""
    rejected["simulated"] = len(candidates)
    told = "; ".join(f"{REASONS[name]}: {count}" for name, count in rejected.items() if count)
    near = max(trials.done.values(), key=lambda trial: trial.attainments[-1], default=None)
    head = f"no deployment of {question.workload.id!r} keeps the limits"
    account: dict[str, float] = {}
    if near is not None:
        head += f"; the nearest, {short(near)}, does for {near.attainments[-1]:.1%} of the requests"
        account = {"attained": near.attainments[-1], "wanted": question.workload.attainment}
    binding = max(rejected, key=lambda name: rejected[name])
    return Infeasible(f"{head}. Of {sum(rejected.values())} deployments: {told}.", binding=REASONS[binding],
                      account=account, relaxation=" or ".join(_relaxations(question)))  # fmt: skip


def _relaxations(question: ServiceQuestion) -> Iterator[str]:
    """Yield the smallest change of each kind that lets a deployment keep the limits."""
    for times in _NODES:
        machines = tuple(
            replace(machine, counts=(*machine.counts, machine.counts[-1] * times)) for machine in question.machines
        )
        if (trial := _kept(replace(question, machines=machines))) is not None:
            yield f"take {short(trial)}"
            break
    for name, label in (("ttft_s", "TTFT"), ("tpot_s", "TPOT"), ("latency_s", "latency")):
        limit = getattr(question.workload.limits, name)
        for factor in _TIMES if limit is not None else ():
            limits = replace(question.workload.limits, **{name: limit * factor})
            if _kept(replace(question, workload=replace(question.workload, limits=limits))) is not None:
                yield f"allow {label} {limit * factor * KILO:g} ms"
                break


def _kept(question: ServiceQuestion) -> Trial | None:
    candidates, _ = price_deployments(question)
    return first_that_keeps(candidates, Trials(question=question, most_runs=_RUNS))
