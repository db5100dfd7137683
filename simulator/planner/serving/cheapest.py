"""The cheapest deployment: a first one that keeps the limits, then every cheaper one that the bound does not exclude.

What keeps the limits: on each draw of the traffic the wanted share of requests does, and so does the lower end of the
interval in which the share of another draw falls with 95 % (Student's t over the draws). All deployments meet the same
draws (common random numbers), and one that fails on a draw is not played on the next.

The search takes for granted that a draw which fewer nodes of one deployment keep, more nodes keep too. The interval
over draws need not follow: more nodes may spread the draws further apart, so fewer are tried after it fails.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from simulator.engine.serving.service import serve
from simulator.planner.serving.deployments import Deployment
from simulator.planner.serving.pricing import PricedDeployment, ServiceQuestion
from simulator.results.serving import ServingResult
from simulator.simulation.serving import prepare, result_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A deployment played: ``attainments`` by draw up to the first that failed, ``result`` of the first draw."""

    priced: PricedDeployment
    nodes: int
    attainments: tuple[float, ...]
    keeps: bool
    result: ServingResult

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
            self.done[key] = self._play(priced, nodes)
        return self.done[key]

    def _play(self, priced: PricedDeployment, nodes: int) -> Trial:
        question = self.question
        scenario = priced.deployment.scenario(question.scenario, nodes)
        workload = priced.deployment.workload(question.workload, nodes)
        shares: list[float] = []
        first: ServingResult | None = None
        for seed, requests in zip(question.seeds, question.draws, strict=True):
            ready = prepare(scenario, workload, requests=requests)
            served = serve(requests, ready.service, seed=seed)
            self.runs += 1
            if self.progress is not None:
                self.progress(self.runs, self.most_runs)
            shares.append(float(served.meets(workload.limits).mean()))
            first = first or result_of(scenario, workload, ready, served)
            if shares[-1] < workload.attainment:
                break
        assert first is not None, "a question has at least one draw"
        keeps = shares[-1] >= workload.attainment and fresh_draw(shares) >= workload.attainment
        return Trial(priced=priced, nodes=nodes, attainments=tuple(shares), keeps=keeps, result=first)


def first_that_keeps(candidates: Sequence[PricedDeployment], trials: Trials) -> Trial | None:
    """Return the first that keeps the limits, tried by estimated cost; one that fails comes again with more nodes."""
    queue = [_place(priced, number, priced.likely) for number, priced in enumerate(candidates)]
    heapq.heapify(queue)
    while queue and not trials.spent:
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
    mine, wanted = {priced.deployment for priced in candidates}, trials.question.workload.attainment
    for spread in [one for one in trials.done.values() if one.deployment in mine and one.attainments[-1] >= wanted]:
        for nodes in reversed(spread.deployment.machine.counts):
            if spread.priced.fewest <= nodes < spread.nodes and not trials.spent:
                if (trial := trials.play(spread.priced, nodes)).keeps:
                    return trial
                if trial.attainments[-1] < wanted:
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
    best = start
    for priced in sorted(candidates, key=lambda one: one.cost(one.likely)):
        for nodes in _cheaper(priced, best):
            if trials.spent:
                break
            trial = trials.play(priced, nodes)
            if trial.keeps:
                best = trial
            elif trial.attainments[-1] < trials.question.workload.attainment:
                break
    left = [priced for priced in candidates if any((priced.deployment, nodes) not in trials.done
            for nodes in list(_cheaper(priced, best))[:1])] if trials.spent else []  # fmt: skip
    return best, left


def _cheaper(priced: PricedDeployment, best: Trial) -> Iterator[int]:
    """Yield the counts at which a deployment costs less than the best and that its bound allows, most first."""
    for count in reversed(priced.deployment.machine.counts):
        if count >= priced.fewest and priced.cost(count) < best.cost * (1.0 - 1e-9):
            yield count
