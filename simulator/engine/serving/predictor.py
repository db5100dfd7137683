"""A service that predicts in one pass, not token by token: clients, front, stages of batching devices, and back.

A request passes one stage per model, joined by a graph; or a catalogue of many models on few devices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt

from simulator.engine.serving.front import CACHED, REASONS, Front, pass_front
from simulator.engine.serving.stations.batching import batched
from simulator.engine.serving.stations.catalogue import CatalogueRun, serve_catalogue
from simulator.engine.serving.stations.graph import play_graph
from simulator.engine.serving.stations.shared import processor_sharing
from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.workload.requests import Requests

Floats = npt.NDArray[np.float64]
OUTCOMES = ("finished", *REASONS[1:])


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
    """Everything about a service but its requests: stages, or a store of models instead of them."""

    stages: tuple[Stage, ...]
    store: Store | None = None
    front: Front = field(default_factory=Front)
    post_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRun:
    """What requests met at one stage, by those that reached it, in order of their arrival at the service.

    ``busy_s`` is the device time of all batches together.
    """

    reached_s: Floats
    end_s: Floats
    batch: npt.NDArray[np.int64]
    busy_s: float
    servers: int

    @property
    def mean_batch(self) -> float:
        """Requests over batches."""
        return len(self.batch) / float((1.0 / self.batch).sum()) if len(self.batch) else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """Columns by request, as the client sees them; NaN where there was no answer."""

    requests: Requests
    outcome: npt.NDArray[np.int16]  # index into OUTCOMES
    latency_s: Floats
    network_s: Floats  # of the latency: on the wire, connecting, and in the gateway
    hit: npt.NDArray[np.int8]  # whether its model was on the device: 1 yes, 0 it was loaded, -1 no store
    stages: Mapping[str, StageRun]
    store: CatalogueRun | None
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


def predict(requests: Requests, service: PredictorService, *, seed: int = 0) -> Predicted:
    """Play the requests through the service to their end.

    Raises:
        InputError: requests that wait for the answers of others, stages that wait for each other in a circle.
        Infeasible: a model of the store is larger than a device's memory.
    """
    if requests.successor is not None:
        raise InputError("users who wait for answers need a model that generates; here give groups or a trace.")
    streams = Streams(seed)
    passed = pass_front(requests, service.front, streams["front"])
    order = passed.order()
    reached = passed.reaches_s[order]
    stages: dict[str, StageRun] = {}
    hit = np.full(len(requests), -1, np.int8)
    store = None
    if service.store is None:
        done = _through(reached, service.stages, stages)
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
    ends = requests.arrival_s + latency
    return Predicted(
        requests=requests,
        outcome=np.where(cached, REASONS.index("cached"), passed.reason).astype(np.int16),
        latency_s=latency,
        network_s=network,
        hit=hit,
        stages=stages,
        store=store,
        span_s=max(float(np.nanmax(ends, initial=0.0) - requests.arrival_s.min(initial=np.inf)), 1e-9),
    )


def _through(reached: Floats, stages: tuple[Stage, ...], found: dict[str, StageRun]) -> Floats:
    """Fill ``found`` by stage; return when each request has left every stage."""

    def play(stage: Stage, arrival: Floats) -> Floats:
        visits = _shared(arrival, stage) if stage.shared else _batches(arrival, stage)
        found[stage.name] = visits
        return visits.end_s

    ends = play_graph(
        reached,
        {stage.name: partial(play, stage) for stage in stages},
        {stage.name: stage.before for stage in stages},
    )
    done = reached
    for left in ends.values():
        done = np.maximum(done, left)
    return done


def _batches(arrival: Floats, stage: Stage) -> StageRun:
    visits, batch = batched(
        arrival, latency_s=stage.latency_s, occupied_s=stage.occupied_s, servers=stage.servers, delay_s=stage.delay_s
    )
    busy = (np.array(stage.occupied_s)[batch - 1] / batch).sum()
    return StageRun(reached_s=arrival, end_s=visits.end_s, batch=batch, busy_s=float(busy), servers=stage.servers)


def _shared(arrival: Floats, stage: Stage) -> StageRun:
    end = np.empty_like(arrival)
    for device in range(stage.servers):
        mine = slice(device, None, stage.servers)
        end[mine] = processor_sharing(arrival[mine], np.full(len(arrival[mine]), stage.latency_s[0]))
    ones = np.ones(len(arrival), np.int64)
    busy = stage.latency_s[0] * len(arrival)
    return StageRun(reached_s=arrival, end_s=end, batch=ones, busy_s=busy, servers=stage.servers)


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
