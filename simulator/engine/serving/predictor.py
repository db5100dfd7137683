"""A service that predicts in one pass, not token by token: clients, front, stages of batching devices, and back.

A request passes one stage per model, joined by a graph; or a catalogue of many models on few devices; or one model on
replicas of a fleet, which has queues with bounds, deadlines, routers, autoscalers and events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.engine.serving.fleet.build import Replicas, Rules
from simulator.engine.serving.fleet.from_batches import batching_class
from simulator.engine.serving.fleet.outcome import OUTCOMES as OF_FLEET
from simulator.engine.serving.fleet.outcome import FleetOutcome
from simulator.engine.serving.fleet.run import FleetRun
from simulator.engine.serving.front import CACHED, REASONS, Front, pass_front
from simulator.engine.serving.scaling.loop import Timeline
from simulator.engine.serving.service import Kept, Service, serve
from simulator.engine.serving.stations.batching import batched
from simulator.engine.serving.stations.catalogue import CatalogueRun, serve_catalogue
from simulator.engine.serving.stations.graph import play_graph
from simulator.engine.serving.stations.shared import processor_sharing
from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.workload.requests import Requests

Floats = npt.NDArray[np.float64]
OUTCOMES: Final = (*OF_FLEET, *REASONS[1:])
_FINISHED: Final = OUTCOMES.index("finished")
_LOOK_EVERY_S: Final = 5.0  # of the time series
#: one queue without bounds or deadlines, from which whoever is free takes
BARE: Final = Rules(router="one-queue", keep_gaps=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One model on equal devices with one queue.

    Attributes:
        latency_s, occupied_s: of a batch of 1, 2, ... requests, as :func:`batched` takes them.
        servers: devices, or slices of devices.
        delay_s: how long the first of a batch waits for others; None: until the batch is full.
        shared: requests are not batched; those on a device run at once, each at an equal share of its time, and each
            device takes every so-many-th request.
        before: stages that must be done first.
    """

    name: str
    latency_s: tuple[float, ...]
    occupied_s: tuple[float, ...]
    servers: int
    delay_s: float | None = 0.0
    shared: bool = False
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Many models on few devices: by model, what a request takes and what its weights are."""

    service_s: tuple[float, ...]
    size_bytes: tuple[float, ...]
    popularity: tuple[float, ...]
    devices: int
    memory_bytes: float
    load_bandwidth: float
    policy: str = "lru"


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorService:
    """Stages, or a store of models instead of them: everything about a service but its requests.

    ``rules`` are those of the queue before each stage that batches; who is turned away there tries that stage again.
    """

    stages: tuple[Stage, ...]
    rules: Rules = BARE
    store: Store | None = None
    front: Front = field(default_factory=Front)
    post_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRun:
    """What requests met at one stage, by those that reached it, in order of their arrival at the service.

    Attributes:
        left_s: when each left the queue: with its batch, or because it was turned away or gave up.
        end_s: NaN of those that were not served.
        batches: that devices took.
        busy_s: device time of all batches together.
        up_s: device time that was paid for; None: all of it, from the first arrival to the last answer.
    """

    reached_s: Floats
    left_s: Floats
    end_s: Floats
    batches: float
    busy_s: float
    servers: int
    up_s: float | None = None

    @property
    def mean_batch(self) -> float:
        """Requests over batches."""
        return float(np.isfinite(self.end_s).sum()) / self.batches if self.batches else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """Columns by request, as the client sees them; NaN where there was no answer.

    ``timeline`` is empty where a store holds the models.
    """

    requests: Requests
    outcome: npt.NDArray[np.int16]  # index into OUTCOMES
    arrival_s: Floats
    queueing_s: Floats  # reaching the first device's queue to the start of its batch; NaN with a store
    latency_s: Floats
    network_s: Floats  # of the latency: on the wire, connecting, and in the gateway
    replica: npt.NDArray[np.int32]  # that answered; -1 where devices of a stage are not told apart
    retries: npt.NDArray[np.int32]  # attempts after the first
    hit: npt.NDArray[np.int8]  # whether its model was on the device: 1 yes, 0 it was loaded, -1 no store
    stages: Mapping[str, StageRun]
    store: CatalogueRun | None
    timeline: Timeline
    span_s: float

    @property
    def finished(self) -> npt.NDArray[np.bool_]:
        """Whether the client got an answer."""
        done: npt.NDArray[np.bool_] = np.isfinite(self.latency_s)
        return done

    def counts(self) -> dict[str, int]:
        """Return requests by outcome; they add up to all."""
        numbers = np.bincount(self.outcome, minlength=len(OUTCOMES))
        return {name: int(count) for name, count in zip(OUTCOMES, numbers, strict=True)}

    def within(self, limit_s: float | None) -> npt.NDArray[np.bool_]:
        """Return whether each request was answered inside a limit."""
        return self.finished if limit_s is None else self.finished & (self.latency_s <= limit_s)


def predict_by_fleet(
    requests: Requests,
    service: Service,
    name: str,
    *,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
    kept: Kept | None = None,
) -> Predicted:
    """Play the requests through one model, ``name``, on the replicas of a fleet to their end.

    Raises:
        InputError: as :func:`~simulator.engine.serving.service.serve`.
    """
    served = serve(requests, service, seed=seed, progress=progress, kept=kept)
    changes = service.scaling.policy != "fixed" or bool(service.events)
    up_s = served.timeline.replica_seconds if changes else None
    ends = served.arrival_s + served.latency_s
    return Predicted(
        requests=requests,
        outcome=served.outcome,
        arrival_s=served.arrival_s,
        queueing_s=served.queueing_s,
        latency_s=served.latency_s,
        network_s=served.network_s,
        replica=served.replica,
        retries=served.retries,
        hit=np.full(len(requests), -1, np.int8),
        stages={name: _stage_run(served.fleet, up_s)},
        store=None,
        timeline=served.timeline,
        span_s=_span(served.arrival_s, ends),
    )


def predict(requests: Requests, service: PredictorService, *, seed: int = 0) -> Predicted:
    """Play the requests through the stages of a service to their end.

    Raises:
        InputError: requests that wait for the answers of others, stages that wait for each other in a circle.
        Infeasible: a model of the store is larger than a device's memory.
    """
    if requests.successor is not None:
        raise InputError("users who wait for answers need one model on devices of its own; give groups or a trace.")
    streams = Streams(seed)
    passed = pass_front(requests, service.front, streams["front"])
    order = passed.order()
    reached = passed.reaches_s[order]
    stages: dict[str, StageRun] = {}
    outcome = np.where(passed.reason == 0, _FINISHED, passed.reason + len(OF_FLEET) - 1).astype(np.int16)
    retries = np.zeros(len(requests), np.int32)
    hit = np.full(len(requests), -1, np.int8)
    queueing = np.full(len(requests), np.nan)
    store = None
    if service.store is None:
        way = _Way(requests.rows(order), service.rules, seed, stages)
        done = way.through(reached, service.stages)
        outcome[order], retries[order], queueing[order] = way.outcome, way.retries, way.waited_s(reached)
    else:
        store = _from_store(reached, service.store, streams)
        done = reached + store.latency_s
        hit[order] = store.hit
    back = passed.back_s
    latency = np.full(len(requests), np.nan)
    latency[order] = done - requests.arrival_s[order] + service.post_s + back
    network = passed.reaches_s - requests.arrival_s + back
    cached = passed.reason == CACHED
    latency[cached] = network[cached]
    if service.front.outages:
        waited = service.front.waits(requests.arrival_s + latency - back)
        latency, network = latency + waited, network + np.nan_to_num(waited)
    return Predicted(
        requests=requests,
        outcome=outcome,
        arrival_s=requests.arrival_s,
        queueing_s=queueing,
        latency_s=latency,
        network_s=network,
        replica=np.full(len(requests), -1, np.int32),
        retries=retries,
        hit=hit,
        stages=stages,
        store=store,
        timeline=_looked_at(stages, done),
        span_s=_span(requests.arrival_s, requests.arrival_s + latency),
    )


def _span(arrival_s: Floats, end_s: Floats) -> float:
    """Return the seconds from the first arrival to the last answer."""
    first = np.min(arrival_s, initial=np.inf, where=np.isfinite(arrival_s))
    return max(float(np.max(end_s, initial=0.0, where=np.isfinite(end_s)) - first), 1e-9)


def _looked_at(stages: Mapping[str, StageRun], done_s: Floats) -> Timeline:
    """Return the time series of stages whose devices are always there, as the loop around a fleet takes it."""
    line = Timeline()
    lefts = [stage.left_s for stage in stages.values()]
    if not stages or not len(done_s):
        return line
    last = max(float(np.max(times, initial=0.0, where=np.isfinite(times))) for times in (done_s, *lefts))
    instants = _LOOK_EVERY_S * np.arange(1, max(int(np.ceil(last / _LOOK_EVERY_S)), 1) + 1)
    servers = sum(stage.servers for stage in stages.values())

    def until(events: Floats) -> npt.NDArray[np.int64]:
        return np.searchsorted(np.sort(events), instants, side="right")

    waiting, running = np.zeros(len(instants), np.int64), np.zeros(len(instants), np.int64)
    for stage in stages.values():
        waiting += until(stage.reached_s) - until(stage.left_s)
        running += until(np.where(np.isfinite(stage.end_s), stage.left_s, np.nan)) - until(stage.end_s)
    line.time_s = instants.tolist()
    line.ready = line.wanted = [servers] * len(instants)
    line.waiting, line.running = waiting.tolist(), running.tolist()
    line.replica_seconds = servers * float(instants[-1])
    return line


def _stage_run(run: FleetOutcome, up_s: float | None) -> StageRun:
    """Return what requests met at the replicas of a fleet."""
    columns = run.replica_columns()
    return StageRun(
        reached_s=run.arrival_s,
        left_s=np.where(run.finished, run.arrival_s + run.queueing_s, run.ended_s),
        end_s=run.arrival_s + run.latency_s,
        batches=float(columns["iterations"].sum()),
        busy_s=float(columns["busy_s"].sum()),
        servers=len(columns["busy_s"]),
        up_s=up_s,
    )


class _Way:
    """The requests on their way through the stages: who was turned away where, and what each stage did."""

    def __init__(self, requests: Requests, rules: Rules, seed: int, found: dict[str, StageRun]) -> None:
        self._requests, self._rules, self._seed, self._found = requests, rules, seed, found
        self.outcome = np.full(len(requests), _FINISHED, np.int16)
        self.retries = np.zeros(len(requests), np.int32)
        self._first_s = np.full(len(requests), np.inf)  # left the queue of its first stage

    def through(self, reached: Floats, stages: tuple[Stage, ...]) -> Floats:
        """Play every stage; return when each request has left all of them, NaN for who was turned away."""
        ends = play_graph(
            reached,
            {stage.name: partial(self._play, stage) for stage in stages},
            {stage.name: stage.before for stage in stages},
        )
        done = reached
        for left in ends.values():
            done = np.maximum(done, left)
        return done

    def waited_s(self, reached: Floats) -> Floats:
        """Return how long each request that was served waited for its first batch."""
        return np.where(self.outcome == _FINISHED, self._first_s - reached, np.nan)

    def _play(self, stage: Stage, arrival: Floats, whose: npt.NDArray[np.int64]) -> Floats:
        here = np.isfinite(arrival)
        come, mine = arrival[here], whose[here]
        if stage.shared:
            run = _shared(come, stage)
        elif self._rules == BARE and (self._requests.priority is None or not self._requests.priority.any()):
            run = _batches(come, stage)
        else:
            run = self._from_queue(come, mine, stage)
        self._found[stage.name] = run
        self._first_s[mine] = np.minimum(self._first_s[mine], run.left_s)
        ends = np.full(len(arrival), np.nan)
        ends[here] = run.end_s
        return ends

    def _from_queue(self, arrival: Floats, whose: npt.NDArray[np.int64], stage: Stage) -> StageRun:
        """Play a stage whose queue has rules, as replicas of a fleet."""
        engine = batching_class(latency_s=stage.latency_s, occupied_s=stage.occupied_s, delay_s=stage.delay_s)
        ones = np.ones(len(whose), np.int32)
        priority = None if self._requests.priority is None else self._requests.priority[whose]
        requests = Requests(arrival_s=arrival, prompt=ones, output=ones, priority=priority)
        run = FleetRun(requests, (Replicas(engine=engine, count=stage.servers),), self._rules, seed=self._seed)
        run.finish()
        found = run.result()
        turned_away = (self.outcome[whose] == _FINISHED) & ~found.finished
        self.outcome[whose[turned_away]] = found.outcome[turned_away]
        self.retries[whose] += found.retries
        return _stage_run(found, None)


def _batches(arrival: Floats, stage: Stage) -> StageRun:
    visits, batch = batched(
        arrival, latency_s=stage.latency_s, occupied_s=stage.occupied_s, servers=stage.servers, delay_s=stage.delay_s
    )
    busy = (np.array(stage.occupied_s)[batch - 1] / batch).sum()
    return StageRun(reached_s=arrival, left_s=visits.start_s, end_s=visits.end_s, batches=float((1.0 / batch).sum()),
                    busy_s=float(busy), servers=stage.servers)  # fmt: skip


def _shared(arrival: Floats, stage: Stage) -> StageRun:
    end = np.empty_like(arrival)
    for device in range(stage.servers):
        mine = slice(device, None, stage.servers)
        end[mine] = processor_sharing(arrival[mine], np.full(len(arrival[mine]), stage.latency_s[0]))
    busy = stage.latency_s[0] * len(arrival)
    return StageRun(reached_s=arrival, left_s=arrival, end_s=end, batches=float(len(arrival)), busy_s=busy,
                    servers=stage.servers)  # fmt: skip


def _from_store(reached: Floats, store: Store, streams: Streams) -> CatalogueRun:
    asked = np.searchsorted(np.cumsum(store.popularity), streams["models"].random(len(reached)))
    return serve_catalogue(
        reached,
        np.minimum(asked, len(store.popularity) - 1),
        service_s=np.array(store.service_s),
        size_bytes=np.array(store.size_bytes),
        devices=store.devices,
        memory_bytes=store.memory_bytes,
        load_bandwidth=store.load_bandwidth,
        policy=store.policy,
    )
