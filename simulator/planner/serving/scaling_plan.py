"""The bounds of an autoscaler: how few and how many replicas, so that a day costs least and the limits are kept.

Every pair of bounds is played on the same draws of the traffic with the scenario's policy, unless the replicas that it
keeps at least cost as much already as the best pair in all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any, Final

import numpy as np

from simulator.engine.serving.service import serve
from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.units import HOUR
from simulator.planner.emissions import node_grams_per_s
from simulator.planner.pareto import front
from simulator.planner.serving.cheapest import fresh_draw
from simulator.planner.serving.pricing import draws_of
from simulator.planner.workshop import Answer, Run, Workshop
from simulator.results.serving import ServingResult
from simulator.scenario import Scenario
from simulator.scenario.serve import ServeWorkload
from simulator.simulation.serving import prepare, result_of
from simulator.workload.requests import Requests

#: what bounds are chosen by, and the unit
UNITS: Final = {"cost": "USD", "energy": "J", "carbon": "g CO2e"}
#: policies that wake a service which has no replica; the others look at replicas that run
_FROM_ZERO: Final = frozenset({"kpa"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A pair of bounds, played.

    Attributes:
        minimum, maximum: replicas.
        attainments: by draw, up to the first that failed.
        keeps: whether the limits are kept on each draw, and by the lower end for a fresh one.
        value: mean over the draws, in the objective's unit.
        replica_hours: mean over the draws.
        ttft_p95_ms: of the first draw.
        again: returns the whole result of the first draw; it is played again if that was done elsewhere.
    """

    minimum: int
    maximum: int
    attainments: tuple[float, ...]
    keeps: bool
    value: float
    replica_hours: float
    ttft_p95_ms: float
    again: Callable[[], ServingResult]

    @property
    def result(self) -> ServingResult:
        """What the first draw came to."""
        return self.again()

    @property
    def fixed(self) -> bool:
        """Whether nothing is scaled."""
        return self.minimum == self.maximum

    def facts(self) -> dict[str, Any]:
        """Return the pair as plain data."""
        return {"minimum": self.minimum, "maximum": self.maximum, "value": self.value, "keeps": self.keeps,
                "replica_hours": self.replica_hours, "attainments": list(self.attainments)}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingPlan:
    """Which bounds to give an autoscaler, and why.

    Attributes:
        chosen: the least of those that keep the limits.
        fixed: the least fleet that is never scaled and keeps them; None if none does.
        played: every pair that was played.
        front: pairs that keep the limits and that none beats in both the objective and TTFT p95, cheapest first.
        excluded: pairs that cost too much by their replicas at least.
        untried: pairs that no run was left for.
    """

    scenario: Scenario
    workload: ServeWorkload
    objective: str
    chosen: Bounds
    fixed: Bounds | None
    played: tuple[Bounds, ...]
    front: tuple[Bounds, ...]
    excluded: int
    untried: int
    runs: int

    @property
    def unit(self) -> str:
        """Unit of the objective."""
        return UNITS[self.objective]

    @property
    def decision(self) -> dict[str, Any]:
        """The policy and its bounds."""
        assert self.workload.scale is not None, "asked only of services that scale"
        return {"policy": self.workload.scale.policy, "minimum": self.chosen.minimum, "maximum": self.chosen.maximum}

    @property
    def binding(self) -> str:
        """What keeps cheaper bounds away: of the cheaper pairs, the nearest to keeping the limits."""
        cheaper = [one for one in self.played if one.value < self.chosen.value and not one.keeps]
        if not cheaper:
            return "none; no cheaper bounds were found to fail"
        near = max(cheaper, key=lambda one: fresh_draw(one.attainments))
        saved = 1.0 - near.value / self.chosen.value
        return (f"the limits; {near.minimum} to {near.maximum} replicas would save {saved:.1%} but keep them for "
                f"{fresh_draw(near.attainments):.2%} of the requests only")  # fmt: skip

    def at_traffic(self, factor: float) -> Bounds:
        """Return the chosen bounds played on the same requests arriving so many times as fast."""
        player = _Player.of(self.scenario, self.workload, self.objective)
        player.draws = [requests.faster(factor) for requests in player.draws]
        return player.play(self.chosen.minimum, self.chosen.maximum)

    def facts(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        return {
            **self.chosen.result.facts(),
            "decision": self.decision,
            "objective": {"name": self.objective, "unit": self.unit, "value": self.chosen.value},
            "replica_hours": self.chosen.replica_hours,
            "fixed": None if self.fixed is None else self.fixed.facts(),
            "played": [one.facts() for one in self.played],
            "front": [one.facts() for one in self.front],
            "plans": {"played": len(self.played), "excluded": self.excluded, "untried": self.untried,
                      "runs": self.runs},
            "binding": self.binding,
        }  # fmt: skip


def recommend_scaling(
    scenario: Scenario, workload: ServeWorkload, *, objective: str | None = None, workshop: Workshop | None = None
) -> ScalingPlan:
    """Return the bounds of a service's autoscaler that cost least over its traffic and keep its limits.

    Raises:
        InputError: an objective that it has not, no limits, or a price or power that nobody gives.
        Infeasible: no bounds keep the limits; with the nearest.
    """
    assert workload.scale is not None, "asked only of services that scale"
    name = objective or scenario.plan.objective or "cost"
    if name not in UNITS:
        raise InputError(f"plan.objective: bounds are chosen by {', '.join(UNITS)}, found {name!r}.")
    player = _Player.of(scenario, workload, name)
    player.workshop = workshop or Workshop()
    played, excluded, untried = _search(player, _pairs(player, workload))
    kept = [one for one in played if one.keeps]
    if not kept:
        raise _infeasible(workload, played)
    chosen = min(kept, key=lambda one: (one.value, one.minimum, one.maximum))
    fixed = [one for one in kept if one.fixed]
    rows = front([(one.value, one.ttft_p95_ms) for one in kept])
    return ScalingPlan(
        scenario=scenario, workload=workload, objective=name, chosen=chosen,
        fixed=min(fixed, key=lambda one: one.value) if fixed else None, played=tuple(played),
        front=tuple(kept[row] for row in rows), excluded=excluded, untried=untried, runs=player.runs,
    )  # fmt: skip


def _pairs(player: _Player, workload: ServeWorkload) -> Iterator[tuple[int, int]]:
    """Yield every pair of bounds, the scenario's own room as the end; fixed fleets first, they bound the others."""
    assert workload.scale is not None, "asked only of services that scale"
    most = min(player.room, workload.scale.maximum or player.room)
    fewest = 0 if workload.scale.policy in _FROM_ZERO else 1
    yield from ((count, count) for count in range(1, most + 1))
    yield from ((least, upper) for least in range(fewest, most) for upper in range(max(1, least + 1), most + 1))


def _search(player: _Player, pairs: Iterator[tuple[int, int]]) -> tuple[list[Bounds], int, int]:
    """Return what was played, how many were too dear by their bound, and how many no run was left for."""
    best, played, excluded, untried = float("inf"), [], 0, 0
    every = list(pairs)
    for place, (least, most) in enumerate(every):
        if player.at_least(least) >= best:
            excluded += 1
        elif player.runs >= player.scenario.plan.simulations:
            untried += 1
        else:
            player.ahead(pair for pair in every[place:] if player.at_least(pair[0]) < best)
            one = player.bounds(least, most)
            played.append(one)
            if one.keeps:
                best = min(best, one.value)
    return played, excluded, untried


@dataclass(slots=True)
class _Player:
    """Plays a service with other bounds on the same draws; counts the runs."""

    scenario: Scenario
    workload: ServeWorkload
    draws: Sequence[Requests]
    room: int
    per_replica_s: float
    runs: int = 0
    workshop: Workshop = field(default_factory=Workshop)

    @staticmethod
    def of(scenario: Scenario, workload: ServeWorkload, objective: str) -> _Player:
        first, draws = scenario.run.seed, draws_of(scenario, workload)
        ready = prepare(scenario, replace(workload, scale=None), requests=draws[0])
        room = sum(pool.count for pool in ready.service.pools)
        served = result_of(scenario, workload, ready, serve(draws[0].rows(slice(0, 1)), ready.service, seed=first))
        rate = served.usd_per_replica_s if objective == "cost" else served.watts_per_replica
        if rate is None:
            word = "cost" if objective == "cost" else "draw"
            raise InputError(
                f"what the machines {word} is not known; write cluster.nodes[0].price.rate, or their power."
            )
        if objective == "carbon":
            emitted = sum(group.count * node_grams_per_s(scenario, group) for group in scenario.groups)
            rate = emitted * ready.devices / scenario.devices / room
        return _Player(scenario, workload, draws, room, rate)

    def at_least(self, least: int) -> float:
        """Return what the replicas that are always kept cost, at least, from two looks after the start on."""
        assert self.workload.scale is not None, "asked only of services that scale"
        ends = [float(np.max(requests.arrival_s[: requests.given])) for requests in self.draws]
        time_s = max(0.0, float(np.mean(ends)) - 2.0 * self.workload.scale.look_every)
        return float(least * time_s * self.per_replica_s)

    def bounds(self, least: int, most: int) -> Bounds:
        """Return how a pair of bounds does, done here or in the workshop."""
        if self.workshop.plain:
            return self.play(least, most)
        facts = self.workshop.one(self._run(least, most))
        self.runs += len(facts["attainments"])
        again = cache(partial(_result_again, self._alone(), least, most))
        return Bounds(minimum=least, maximum=most, attainments=tuple(facts["attainments"]), keeps=facts["keeps"],
                      value=facts["value"], replica_hours=facts["replica_hours"], ttft_p95_ms=facts["ttft_p95_ms"],
                      again=again)  # fmt: skip

    def ahead(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Let workers play what may be asked for next; the first is."""
        if self.workshop.width > 1:
            self.workshop.ahead(self._run(least, most) for least, most in pairs)

    def _alone(self) -> _Player:
        return _Player(self.scenario, self.workload, self.draws, self.room, self.per_replica_s)

    def _run(self, least: int, most: int) -> Run:
        known = {"workload": self.workload.id, "minimum": least, "maximum": most, "usd_w_or_g": self.per_replica_s}
        return Run(kind="bounds", known_by=known, do=_bounds_facts, arguments=(self._alone(), least, most))

    def play(self, least: int, most: int) -> Bounds:
        """Return how a pair of bounds does."""
        scale = self.workload.scale
        assert scale is not None, "asked only of services that scale"
        start = None if scale.start is None else min(most, max(least, scale.start))
        workload = replace(self.workload, scale=scale.model_copy(
            update={"minimum": least, "maximum": most, "start": least if start is None else start}))  # fmt: skip
        shares: list[float] = []
        up: list[float] = []
        first: ServingResult | None = None
        for number, requests in enumerate(self.draws):
            ready = prepare(self.scenario, workload, requests=requests)
            served = serve(requests, ready.service, seed=self.scenario.run.seed + number)
            self.runs += 1
            first = first or result_of(self.scenario, workload, ready, served)
            shares.append(float(served.meets(workload.limits).mean()))
            up.append(served.timeline.replica_seconds)
            if shares[-1] < workload.attainment:
                break
        assert first is not None, "there is at least one draw"
        keeps = shares[-1] >= workload.attainment and fresh_draw(shares) >= workload.attainment
        seconds = float(np.mean(up))
        return Bounds(minimum=least, maximum=most, attainments=tuple(shares), keeps=keeps,
                      value=seconds * self.per_replica_s, replica_hours=seconds / HOUR,
                      ttft_p95_ms=first.metrics()["ttft_p95_ms"], again=partial(_same, first))  # fmt: skip


def _same(result: ServingResult) -> ServingResult:
    return result


def _result_again(player: _Player, least: int, most: int) -> ServingResult:
    return player.play(least, most).result


def _bounds_facts(player: _Player, least: int, most: int) -> Answer:
    """Return what playing a pair comes to, as plain data."""
    one = player.play(least, most)
    return {**one.facts(), "ttft_p95_ms": one.ttft_p95_ms}


def _infeasible(workload: ServeWorkload, played: Sequence[Bounds]) -> Infeasible:
    near = max(played, key=lambda one: one.attainments[-1])
    return Infeasible(
        f"no bounds of the autoscaler keep the limits of {workload.id!r}; the nearest, {near.minimum} to "
        f"{near.maximum} replicas, does for {near.attainments[-1]:.1%} of the requests.", binding="limits",
        account={"attained": near.attainments[-1], "wanted": workload.attainment},
        relaxation="more nodes, another scale.policy, a faster scale.start_up, or longer limits")  # fmt: skip
