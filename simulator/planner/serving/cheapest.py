"""The cheapest deployment: a first one that keeps the limits, then every cheaper one that the bound does not exclude.

What keeps the limits: on each of the first draws of the traffic the wanted share of requests does, and so does the
lower end of the interval in which the share of another draw falls with 95 % (Student's t over those draws and further
ones, which keep a search from falling for what the first happen to favour). All deployments meet the same draws (common
random numbers), and one that fails on a first draw, or on too many of all, is not played on the next.

The search takes for granted that a draw which fewer nodes of one deployment keep, more nodes keep too. The interval
over draws need not follow: more nodes may spread the draws further apart, so fewer are tried after it fails.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import islice
from typing import Final

import numpy as np

from simulator.engine.serving.service import serve
from simulator.planner.serving.deployments import Deployment
from simulator.planner.serving.pricing import PricedDeployment, ServiceQuestion
from simulator.planner.workshop import Answer, Run
from simulator.results.serving import ServingResult
from simulator.simulation.serving import prepare, result_of

#: candidates of which the next runs are looked for, where several are done at once
_AHEAD: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A deployment played: ``attainments`` by draw, up to the one that showed that the limits are not kept.

    Attributes:
        missed: the limits are missed on a draw that must keep them, or on too many, so that fewer nodes do no better.
        metrics: figures of the first draw, where the limits are kept.
        watts: of all replicas at full load; None where it is not known.
        again: returns the whole result of the first draw; it is played again if that was done elsewhere.
    """

    priced: PricedDeployment
    nodes: int
    attainments: tuple[float, ...]
    keeps: bool
    missed: bool
    metrics: Mapping[str, float]
    watts: float | None
    again: Callable[[], ServingResult]

    @property
    def result(self) -> ServingResult:
        """What the first draw came to."""
        return self.again()

    @property
    def deployment(self) -> Deployment:
        """What was played."""
        return self.priced.deployment

    @property
    def cost(self) -> float:
        """Its price in the objective's unit."""
        return self.priced.cost(self.nodes)


def fresh_draw(attainments: Sequence[float]) -> float:
    """Return the share that a fresh draw attains with 95 %; of one draw that draw's own.

    >>> fresh_draw([0.97])
    0.97
    """
    if len(attainments) < 2:
        return attainments[0]
    from scipy.stats import t

    count = len(attainments)
    spread = float(np.std(attainments, ddof=1)) * math.sqrt(1.0 + 1.0 / count)
    return float(np.mean(attainments)) - float(t.ppf(0.95, count - 1)) * spread


def too_many(misses: int, draws: int) -> bool:
    """Return whether so many draws below a share leave the lower end of the interval of all of them below it too.

    The best that the others can do is to lie together, and the misses just below: then the interval is that of as many
    zeros among ones.

    >>> too_many(1, 10), too_many(2, 10)
    (False, True)
    """
    return misses > 0 and fresh_draw([0.0] * misses + [1.0] * (draws - misses)) <= 0.0


@dataclass(slots=True)
class Trials:
    """Plays deployments, each at most once; counts the runs, and tells ``progress`` of them and their most."""

    question: ServiceQuestion
    most_runs: int
    progress: Callable[[int, int], None] | None = None
    runs: int = 0
    done: dict[tuple[Deployment, int], Trial] = field(default_factory=dict)

    @property
    def spent(self) -> bool:
        """Whether no run is left."""
        return self.runs >= self.most_runs

    def play(self, priced: PricedDeployment, nodes: int) -> Trial:
        """Return how a deployment does on so many nodes."""
        key = (priced.deployment, nodes)
        if key not in self.done:
            trial = self._play(priced, nodes) if self.question.workshop.plain else self._kept(priced, nodes)
            self.done[key] = trial
        return self.done[key]

    def ahead(self, coming: Iterable[tuple[PricedDeployment, int]]) -> None:
        """Let workers do what may be played next; the first is."""
        if self.question.workshop.width > 1:
            unknown = ((priced, nodes) for priced, nodes in coming if (priced.deployment, nodes) not in self.done)
            self.question.workshop.ahead(self._run(priced, nodes) for priced, nodes in unknown)

    def _count(self) -> None:
        self.runs += 1
        if self.progress is not None:
            self.progress(self.runs, self.most_runs)

    def _run(self, priced: PricedDeployment, nodes: int) -> Run:
        question, deployment = self.question, priced.deployment
        return Run(kind="service", known_by={**question.known_by, **deployment.known_by, "nodes": nodes},
                   do=trial_facts, arguments=(question.alone, priced, nodes))  # fmt: skip

    def _kept(self, priced: PricedDeployment, nodes: int) -> Trial:
        """Return a trial that is done elsewhere, or was."""
        facts = self.question.workshop.one(self._run(priced, nodes))
        for _ in facts["attainments"]:
            self._count()
        return Trial(
            priced=priced, nodes=nodes, attainments=tuple(facts["attainments"]), keeps=facts["keeps"],
            missed=facts["missed"], metrics=facts["metrics"], watts=facts["watts"],
            again=cache(partial(first_draw, self.question.alone, priced.deployment, nodes)),
        )  # fmt: skip

    def _play(self, priced: PricedDeployment, nodes: int) -> Trial:
        question = self.question
        workload = priced.deployment.workload(question.workload, nodes)
        shares: list[float] = []
        first: ServingResult | None = None
        missed, misses, draws = False, 0, len(question.draws)
        for draw in range(draws):
            result, share = _draw(question, priced.deployment, nodes, draw)
            self._count()
            shares.append(share)
            first = first or result
            misses += share < workload.attainment
            missed = misses > 0 if draw < draws - question.further else too_many(misses, draws)
            if missed:
                break
        assert first is not None, "a question has at least one draw"
        keeps = not missed and fresh_draw(shares) >= workload.attainment
        watts = first.watts_per_replica
        return Trial(
            priced=priced, nodes=nodes, attainments=tuple(shares), keeps=keeps, missed=missed,
            metrics=first.metrics() if keeps else {},
            watts=None if watts is None else watts * first.replicas, again=partial(_same, first),
        )  # fmt: skip


def _same(result: ServingResult) -> ServingResult:
    return result


def _draw(question: ServiceQuestion, one: Deployment, nodes: int, draw: int) -> tuple[ServingResult, float]:
    """Return what a draw of the traffic comes to on a deployment, and the share of requests that keep the limits."""
    scenario, workload = one.scenario(question.scenario, nodes), one.workload(question.workload, nodes)
    requests = question.draws[draw]
    ready = prepare(scenario, workload, requests=requests)
    served = serve(requests, ready.service, seed=question.seeds[draw])
    return result_of(scenario, workload, ready, served), float(served.meets(workload.limits).mean())


def first_draw(question: ServiceQuestion, one: Deployment, nodes: int) -> ServingResult:
    """Return the whole result of the first draw."""
    return _draw(question, one, nodes, 0)[0]


def trial_facts(question: ServiceQuestion, priced: PricedDeployment, nodes: int) -> Answer:
    """Return what playing a deployment comes to, as plain data."""
    one = Trials(question=question, most_runs=len(question.draws)).play(priced, nodes)
    return {
        "attainments": list(one.attainments),
        "keeps": one.keeps,
        "missed": one.missed,
        "watts": one.watts,
        "metrics": one.result.metrics(),
    }


def first_that_keeps(candidates: Sequence[PricedDeployment], trials: Trials) -> Trial | None:
    """Return the first that keeps the limits, tried by estimated cost; one that fails comes again with more nodes."""
    queue = [_place(priced, number, priced.likely) for number, priced in enumerate(candidates)]
    heapq.heapify(queue)
    while queue and not trials.spent:
        trials.ahead((candidates[number], nodes) for _, _, number, nodes in heapq.nsmallest(_AHEAD, queue))
        _, _, number, nodes = heapq.heappop(queue)
        trial = trials.play(candidates[number], nodes)
        if trial.keeps:
            return trial
        more = [count for count in trial.deployment.machine.counts if count > nodes]
        if more:
            heapq.heappush(queue, _place(candidates[number], number, _step_up(more, nodes, trial)))
    return _fewer_that_keep(candidates, trials)


def _fewer_that_keep(candidates: Sequence[PricedDeployment], trials: Trials) -> Trial | None:
    """Return one that keeps the limits on fewer nodes than where all draws kept them, but too far apart."""
    mine = {priced.deployment for priced in candidates}
    for spread in [one for one in trials.done.values() if one.deployment in mine and not one.missed]:
        for nodes in reversed(spread.deployment.machine.counts):
            if spread.priced.fewest <= nodes < spread.nodes and not trials.spent:
                if (trial := trials.play(spread.priced, nodes)).keeps:
                    return trial
                if trial.missed:
                    break
    return None


def _step_up(more: Sequence[int], nodes: int, trial: Trial) -> int:
    """Return the count to try next: one step, but further the worse the limits were missed."""
    wanted = nodes * max(1.0, min(2.0, 1.0 + 0.5 * (1.0 - trial.attainments[-1])))
    return next((count for count in more if count >= wanted), more[-1])


def _place(priced: PricedDeployment, number: int, nodes: int) -> tuple[float, float, int, int]:
    return priced.cost(nodes), -priced.headroom, number, nodes


def cheapest(
    candidates: Sequence[PricedDeployment], trials: Trials, start: Trial
) -> tuple[Trial, list[PricedDeployment]]:
    """Return the cheapest that keeps the limits, and those that might be cheaper but that no run was left for."""
    best, ranked = start, sorted(candidates, key=lambda one: one.cost(one.likely))
    for place, priced in enumerate(ranked):
        for nodes in _cheaper(priced, best):
            if trials.spent:
                break
            trials.ahead([(priced, nodes), *_first_of_each(ranked[place + 1 :], best)])
            trial = trials.play(priced, nodes)
            if trial.keeps:
                best = trial
            elif trial.missed:
                break
    left = [priced for priced in candidates if any((priced.deployment, nodes) not in trials.done
            for nodes in list(_cheaper(priced, best))[:1])] if trials.spent else []  # fmt: skip
    return best, left


def _first_of_each(ranked: Sequence[PricedDeployment], best: Trial) -> Iterator[tuple[PricedDeployment, int]]:
    """Yield what would be played first of each, if the best stays the best."""
    for priced in ranked[:_AHEAD]:
        yield from ((priced, nodes) for nodes in islice(_cheaper(priced, best), 1))


def _cheaper(priced: PricedDeployment, best: Trial) -> Iterator[int]:
    """Yield the counts at which a deployment costs less than the best and that its bound allows, most first."""
    for count in reversed(priced.deployment.machine.counts):
        if count >= priced.fewest and priced.cost(count) < best.cost * (1.0 - 1e-9):
            yield count
