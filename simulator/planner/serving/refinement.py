"""Batch limits and stages that are not enumerated: a local search on what costs less than the best.

The enumerated limits are a coarse grid, and replicas are cut into stages only where the scenario says so. On every
machine, layout and number of nodes that costs less than the best, the deployment that came nearest to keeping the
limits is changed step by step, as long as that comes nearer: its sequences and tokens of a step, by a factor of two at
first and then by less, its TP and its PP. What keeps the limits is the new best, and the search goes on below it. Keys
that the scenario narrows stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from simulator.planner.serving.cheapest import Trial, Trials, fresh_draw
from simulator.planner.serving.deployments import Deployment, deployments_of
from simulator.planner.serving.least_work import Demand, demand_of
from simulator.planner.serving.pricing import PricedDeployment, price_deployment

#: changes of a limit that are tried, as factors, the widest first
_STEPS: Final = (2.0, 1.4, 1.15)
#: most that engines are set to: sequences, and tokens of a step
_MOST: Final[Mapping[str, int]] = {"max_num_seqs": 1024, "max_num_batched_tokens": 32768}
#: changes of TP and PP that are tried, as factors
_CUTS: Final = ((1.0, 2.0), (0.5, 2.0), (1.0, 0.5), (2.0, 0.5), (2.0, 1.0), (0.5, 1.0))
#: how far below the wanted share of requests a start may be on the first draw that it misses
_NEAR: Final = 0.05
#: changes that are tried on one machine, layout and number of nodes
_CHANGES: Final = 20

Rung = tuple[Any, int]


@dataclass(slots=True)
class _Refinement:
    """The best so far, and what was priced on the way."""

    trials: Trials
    best: Trial
    demand: Demand
    keys: tuple[str, ...]
    tried: list[PricedDeployment] = field(default_factory=list)

    def climb(self, start: Trial) -> None:
        """Change the limits of one start while that comes nearer to keeping what is asked."""
        here, left, steps = start, _CHANGES, list(_STEPS)
        while steps and left > 0 and not here.keeps:
            better = None
            for deployment in self._changed(here, steps[0]):
                priced = self._priced(deployment)
                if priced is None or priced.fewest > here.nodes:
                    continue
                if left <= 0 or self.trials.spent:
                    return
                left -= 1
                trial = self.trials.play(priced, here.nodes)
                if self._nearness(trial) > self._nearness(better or here):
                    better = trial
                if trial.keeps:
                    break
            if better is None:
                steps = steps[1:]
            else:
                here = better
        if here.keeps and here.cost < self.best.cost:
            self.best = here

    def starts(self) -> list[Trial]:
        """Return of each machine, layout and number of nodes that costs less the nearest trial, nearest first."""
        nearest: dict[Rung, Trial] = {}
        wanted = self.trials.question.workload.attainment
        for trial in self.trials.done.values():
            rung = trial.deployment.family, trial.nodes
            near = trial.cost < self.best.cost * (1.0 - 1e-9) and trial.attainments[-1] >= wanted - _NEAR
            if near and (rung not in nearest or self._nearness(trial) > self._nearness(nearest[rung])):
                nearest[rung] = trial
        return sorted(nearest.values(), key=self._nearness, reverse=True)

    def _nearness(self, trial: Trial) -> tuple[bool, int, float]:
        """Return how near a trial came: whether it keeps the limits, on how many draws it was tried, the share."""
        shares = trial.attainments
        whole = len(shares) == len(self.trials.question.draws)
        return trial.keeps, len(shares), fresh_draw(shares) if whole else sum(shares) / len(shares)

    def _changed(self, here: Trial, factor: float) -> Iterator[Deployment]:
        """Yield what is one step away and was not played on so many nodes: other limits, and at first other cuts."""
        one, played = here.deployment, {deployment for deployment, nodes in self.trials.done if nodes == here.nodes}
        for key in self.keys:
            for value in (getattr(one, key) * factor, getattr(one, key) / factor):
                other = replace(one, **{key: min(_MOST[key], max(1, round(value)))})
                if other not in played:
                    yield other
        for other in self._cut(one) if factor == _STEPS[0] else ():
            if other not in played:
                yield other

    def _cut(self, one: Deployment) -> Iterator[Deployment]:
        """Yield a deployment with other TP and PP, where the scenario leaves them open and the model can be cut so."""
        question = self.trials.question
        for wider, deeper in _CUTS:
            tp, pp = round(one.layout.tp * wider), round(one.layout.pp * deeper)
            kept = (tp == one.layout.tp or "tp" not in question.choices) and (
                pp == one.layout.pp or "pp" not in question.choices
            )
            choices = {**question.choices, "tp": (tp,), "pp": (pp,), "ep": (one.layout.ep,),
                       "precision": (one.precision,), "prefill": (one.prefill,), "max_num_seqs": (one.max_num_seqs,),
                       "max_num_batched_tokens": (one.max_num_batched_tokens,)}  # fmt: skip
            if kept and tp and pp:
                yield from deployments_of(question.workload, one.machine, choices)

    def _priced(self, deployment: Deployment) -> PricedDeployment | None:
        known = next((one for one in self.tried if one.deployment == deployment), None)
        if known is not None:
            return known
        priced = price_deployment(self.trials.question, deployment, self.demand)
        if isinstance(priced, str):
            return None
        self.tried.append(priced)
        return priced


def refined(trials: Trials, best: Trial) -> tuple[Trial, list[PricedDeployment]]:
    """Return the best with other batch limits, if it is cheaper, and all that was priced in looking for it."""
    narrowed = trials.question.choices
    keys = tuple(key for key in _MOST if key not in narrowed)
    found = _Refinement(trials=trials, best=best, keys=keys,
                        demand=demand_of(trials.question.draws[0], trials.question.workload))  # fmt: skip
    while keys and not trials.spent:
        before = found.best
        for start in found.starts():
            found.climb(start)
            if found.best is not before:
                break
        else:
            break
    return found.best, found.tried
