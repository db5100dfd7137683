"""A service played from its clients to its replicas and back: ``serve``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from simulator.engine.serving.fleet.build import Replicas, Rules
from simulator.engine.serving.fleet.outcome import OUTCOMES, FleetOutcome
from simulator.engine.serving.fleet.run import FleetRun
from simulator.engine.serving.front import CACHED, REASONS, Front, Passed, pass_front
from simulator.engine.serving.scaling.loop import Attainment, ScaledRun, Scaling, Timeline
from simulator.engine.serving.scaling.outside import FleetEvent
from simulator.engine.serving.tally import Ended, Totals
from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.workload.requests import Requests

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a request should keep, in seconds; None: no limit."""

    ttft_s: float | None = None
    tpot_s: float | None = None
    latency_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Everything about a service but its requests."""

    pools: tuple[Replicas, ...]
    rules: Rules = field(default_factory=Rules)
    front: Front = field(default_factory=Front)
    scaling: Scaling = field(default_factory=Scaling)
    events: tuple[FleetEvent, ...] = ()
    limits: Limits = field(default_factory=Limits)
    frontend_s: float = 0.0  # the engine's own front end: HTTP, tokenizer
    post_s: float = 0.0  # post-processing of the whole answer
    look_every_s: float = 5.0  # of the time series


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Columns by request, as the client sees them; NaN where an instant was not reached."""

    requests: Requests
    outcome: npt.NDArray[np.int16]  # index into ``outcomes``
    outcomes: tuple[str, ...]
    queueing_s: Floats
    ttft_s: Floats
    tpot_s: Floats
    latency_s: Floats
    network_s: Floats  # of the latency: on the wire, connecting, and in the gateway
    arrival_s: Floats
    replica: npt.NDArray[np.int32]
    preemptions: npt.NDArray[np.int32]
    retries: npt.NDArray[np.int32]
    reused: npt.NDArray[np.int32]
    fleet: FleetOutcome
    timeline: Timeline
    span_s: float

    @property
    def finished(self) -> npt.NDArray[np.bool_]:
        """Whether the client got the whole answer."""
        done: npt.NDArray[np.bool_] = np.isfinite(self.latency_s)
        return done

    def counts(self) -> dict[str, int]:
        """Return requests by outcome; they add up to all."""
        numbers = np.bincount(self.outcome, minlength=len(self.outcomes))
        return {name: int(count) for name, count in zip(self.outcomes, numbers, strict=True)}

    def ended(self, limits: Limits, rows: npt.NDArray[np.bool_] | slice = slice(None)) -> Ended:
        """Return what is counted of some requests."""
        requests = self.requests
        group = np.zeros(len(requests), np.int32) if requests.group is None else requests.group
        series = {
            "ttft": self.ttft_s, "tpot": self.tpot_s, "latency": self.latency_s, "queueing": self.queueing_s,
        }  # fmt: skip
        return Ended(
            group=group[rows],
            outcome=self.outcome[rows],
            finished=self.finished[rows],
            good=self.meets(limits)[rows],
            output=requests.output[rows],
            prompt=requests.prompt[rows],
            reused=self.reused[rows],
            series={name: values[rows] for name, values in series.items()},
        )

    def totals(self, limits: Limits) -> Totals:
        """Return what all requests came to."""
        return self.ended(limits).totals()

    def by_group(self, limits: Limits) -> dict[str, Totals]:
        """Return what the requests of each group came to."""
        ended = self.ended(limits)
        return {name: ended.totals(i) for i, name in enumerate(self.requests.groups or ("all",))}

    def meets(self, limits: Limits) -> npt.NDArray[np.bool_]:
        """Return whether each request finished inside every limit."""
        good = self.finished.copy()
        for values, limit in (
            (self.ttft_s, limits.ttft_s),
            (self.tpot_s, limits.tpot_s),
            (self.latency_s, limits.latency_s),
        ):
            if limit is not None:
                good &= values <= limit
        return good


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Where the state of a run is kept, so that it can be stopped and goes on later.

    Attributes:
        path: the file; if it is there, the run goes on from it.
        key: names the question; a state of another one is refused.
        due: asked at every look whether to save now.
    """

    path: Path
    key: str
    due: Callable[[], bool]


def serve(
    requests: Requests,
    service: Service,
    *,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
    kept: Kept | None = None,
) -> Served:
    """Play the requests through the service to their end.

    Raises:
        InputError: settings that contradict each other or the requests, or a kept state of another run.
    """
    passed = pass_front(requests, service.front, Streams(seed)["front"])
    order = passed.order()
    run = FleetRun(_thinking(chosen(requests, order, passed), service), service.pools, rules_of(service), seed=seed)
    scaled = ScaledRun(run, scaling_of(service), service.events, horizon_s=passed.last_s())
    attainment = attainment_of(service)
    timeline = scaled.play(attainment, progress, None if kept is None else _keep(scaled, attainment, kept))
    return seen_by_client(requests, service, passed, order, run, timeline)


def _thinking(inside: Requests, service: Service) -> Requests:
    """Return requests whose users think after the answer is with them, and whose next one is on its way after that.

    Raises:
        InputError: a request that others follow did not get through, so that those would never come.
    """
    if inside.successor is None:
        return inside
    if np.isfinite(inside.arrival_s).sum() + (inside.successor >= 0).sum() < len(inside):
        raise InputError(
            "requests that others follow are turned away or answered in front of the replicas; leave out the rate "
            "limit, the gateway's room, the interception and the cache, or give arrivals of their own."
        )
    away = service.front.rtt_s + service.frontend_s + service.post_s
    return replace(inside, think_s=away + (np.zeros(len(inside)) if inside.think_s is None else inside.think_s))


def _keep(scaled: ScaledRun, attainment: Attainment, kept: Kept) -> Callable[[ScaledRun], None]:
    """Go on from a kept state if there is one, and return what keeps the run from now on."""
    if kept.path.exists():
        scaled.load(kept.path, attainment, kept.key)

    def after_look(run: ScaledRun) -> None:
        if kept.due():
            run.save(kept.path, attainment, kept.key)

    return after_look


def rules_of(service: Service) -> Rules:
    """Return the rules of a service's fleet."""
    changes = service.scaling.policy != "fixed" or bool(service.events)
    return replace(service.rules, elastic=service.rules.elastic or changes)


def scaling_of(service: Service) -> Scaling:
    """Return the autoscaler, which looks as often as the time series where it decides nothing."""
    if service.scaling.policy == "fixed":
        return replace(service.scaling, look_every_s=service.look_every_s)
    return service.scaling


def attainment_of(service: Service) -> Attainment:
    """Return what tells an autoscaler the share of requests inside the service's limits."""
    return Attainment(met=lambda run, ended: _attainment(run, ended, service.limits))


def _attainment(run: FleetRun, ended: npt.NDArray[np.int64], limits: Limits) -> float:
    result = FleetOutcome(run.fleet)
    good = np.isfinite(result.latency_s[ended])
    if limits.ttft_s is not None:
        good &= result.ttft_s[ended] <= limits.ttft_s
    if limits.tpot_s is not None:
        good &= result.tpot_s[ended] <= limits.tpot_s
    if limits.latency_s is not None:
        good &= result.latency_s[ended] <= limits.latency_s
    return float(good.mean())


def chosen(requests: Requests, order: npt.NDArray[np.int64], passed: Passed) -> Requests:
    """Return the requests that reach the router, in the order in which they do."""
    successor = None
    if requests.successor is not None:
        place = np.full(len(requests) + 1, -1, np.int64)
        place[order] = np.arange(len(order))
        successor = place[requests.successor[order]].astype(np.int32)
    return requests.rows(order, arrival_s=passed.reaches_s[order], successor=successor)


def seen_by_client(
    requests: Requests,
    service: Service,
    passed: Passed,
    order: npt.NDArray[np.int64],
    run: FleetRun,
    timeline: Timeline,
) -> Served:
    """Return the columns of all requests as their clients see them, from a run that has ended or stands."""
    result = run.result()
    n = len(requests)
    names = (*OUTCOMES, *REASONS[1:])
    outcome = (passed.reason + len(OUTCOMES) - 1).astype(np.int16)
    outcome[order] = result.outcome

    def spread(values: npt.NDArray[np.generic], missing: float) -> Floats:
        found = np.full(n, missing)
        found[order] = values
        return found

    arrival = requests.arrival_s.copy()
    followers = order[~np.isfinite(requests.arrival_s[order])]
    arrival[followers] = spread(result.arrival_s, np.nan)[followers] - service.front.rtt_s / 2
    way = np.full(n, service.front.rtt_s / 2)
    given = np.isfinite(requests.arrival_s)
    way[given] = passed.reaches_s[given] - requests.arrival_s[given]
    extra = way + passed.back_s + service.frontend_s
    ttft = spread(result.ttft_s, np.nan) + extra
    latency = spread(result.latency_s, np.nan) + extra + service.post_s
    cached = passed.reason == CACHED
    network = way + passed.back_s
    ttft[cached] = latency[cached] = network[cached]
    if service.front.outages:
        network += np.nan_to_num(service.front.waits(arrival + latency - passed.back_s))
        ttft, latency = (values + service.front.waits(arrival + values - passed.back_s) for values in (ttft, latency))
    return Served(
        requests=requests,
        outcome=outcome,
        outcomes=names,
        queueing_s=spread(result.queueing_s, np.nan),
        ttft_s=ttft,
        tpot_s=np.where(cached, 0.0, spread(result.tpot_s, np.nan)),
        latency_s=latency,
        network_s=network,
        arrival_s=arrival,
        replica=spread(result.replica, -1).astype(np.int32),
        preemptions=spread(result.preemptions, 0).astype(np.int32),
        retries=spread(result.retries, 0).astype(np.int32),
        reused=spread(result.reused, 0).astype(np.int32),
        fleet=result,
        timeline=timeline,
        span_s=max(result.span_s, 1e-9),
    )
