"""Plays a service of models that answer in one pass on the machines of a scenario."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from simulator.costs.caching import zipf
from simulator.costs.serving.batches import BatchTimes, Pipeline, batch_times, stored_bytes
from simulator.costs.serving.forward import Runner, activation_bytes
from simulator.costs.serving.numerics import rate_of
from simulator.costs.serving.traits import kernels_of
from simulator.engine.serving.fleet.build import Replicas
from simulator.engine.serving.fleet.from_batches import batching_class
from simulator.engine.serving.predictor import (
    BARE,
    Predicted,
    PredictorService,
    Stage,
    Store,
    predict,
    predict_by_fleet,
)
from simulator.engine.serving.service import Kept, Limits, Service
from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.randomness import Streams
from simulator.foundation.units import show
from simulator.profiles.device import Device
from simulator.profiles.efficiency import efficiency_of
from simulator.profiles.error_bands import ErrorBand, error_band
from simulator.profiles.slices import check_partition, slice_of
from simulator.profiles.throttled import throttled
from simulator.results.parquet import write_table
from simulator.results.predicting import PredictionResult, prediction_frame
from simulator.scenario import Scenario
from simulator.scenario.serve_life import scaling_of
from simulator.scenario.serve_predict import CatalogueWish, PredictWorkload, StageWish
from simulator.simulation.serving import group_power, group_rent, opened, parts_of, refuse_missing, replicas_by_group
from simulator.simulation.serving_conditions import conditions_of, runs_of
from simulator.workload.requests import Requests

#: share of a device's memory that models of a catalogue may fill where the scenario says nothing
_FOR_MODELS: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Devices for one stage: which, and how many (slices count one by one)."""

    device: Device
    count: int


def simulate_predicting(
    scenario: Scenario,
    workload: PredictWorkload,
    *,
    progress: Callable[[int, int], None] | None = None,
    kept: Kept | None = None,
    records: Path | None = None,
) -> PredictionResult:
    """Play a service to its end.

    Args:
        scenario: the machines.
        workload: the service.
        progress: is told now and then how many requests are settled, of how many.
        kept: where the state is kept, so that an interrupted run can go on.
        records: a folder for one row per request.

    Raises:
        InputError: the traffic cannot be drawn, or a device lacks a figure, or the kept state is another run's.
        Infeasible: stages ask for more devices than there are, or models do not fit them.
    """
    requests = workload.traffic.draw(Streams(scenario.run.seed))
    store: Store | None = None
    seed = scenario.run.seed
    told = None if progress is None else lambda settled: progress(settled, len(requests))
    if workload.has_replicas:
        parts, service = fleet_of(scenario, workload)
        if kept is None and is_plain(requests, service):
            stage = _stage(workload.stages[0], Part(device=parts[0].device, count=service.pools[0].count), workload)
            plain = PredictorService(stages=(stage,), front=workload.front, post_s=workload.post_s)
            predicted = predict(requests, plain, seed=seed)
        else:
            name = workload.stages[0].name
            predicted = predict_by_fleet(_alike(requests), service, name, seed=seed, progress=told, kept=kept)
    else:
        if kept is not None:
            raise InputError("stages, catalogues and sliced time are over too soon to be kept; leave --resume out.")
        parts = _parts(scenario, workload)
        predicted, store = _by_stations(requests, workload, parts, seed)
    used = sum(part.count for part in parts) / workload.slices
    share = used / max(1, scenario.devices)
    rent, power = group_rent(scenario), group_power(scenario)
    if records is not None:
        write_table(prediction_frame(predicted), records / "requests-00000")
    return PredictionResult(
        scenario=scenario.name,
        scenario_sha256=scenario.sha256,
        workload=workload.id,
        models=tuple(stage.model.name for stage in workload.stages),
        engine=workload.traits.name,
        devices=_devices(parts, workload.slices),
        slices=workload.slices,
        replicas=sum(part.count for part in parts),
        predicted=predicted,
        store=store,
        limit_s=workload.limit_s,
        wanted_attainment=workload.attainment,
        usd_per_s=None if rent is None else rent * share,
        watts=None if power is None else power * share,
        label=_label(parts, workload),
        band=_band(parts, workload),
    )


def is_plain(requests: Requests, service: Service) -> bool:
    """Return whether equal devices with one queue and nothing else serve requests that are all alike.

    Then the station of batching servers gives the instants of the fleet, at some twenty times its speed.
    """
    alike = requests.successor is None and (requests.priority is None or not requests.priority.any())
    bare = service.rules == BARE and not service.events
    return alike and bare and len(service.pools) == 1 and service.scaling.policy == "fixed" and not _few_open(service)


def _few_open(service: Service) -> bool:
    return any(pool.open is not None for pool in service.pools)


def _alike(requests: Requests) -> Requests:
    """Return the requests without tokens, each one pass."""
    ones = np.ones(len(requests), np.int32)
    return replace(requests, prompt=ones, output=ones, chains=None)


def fleet_of(scenario: Scenario, workload: PredictWorkload) -> tuple[tuple[Part, ...], Service]:
    """Return the devices of a service of one model, and the service: a replica on each device or part of one.

    Raises:
        Infeasible: more replicas are wanted than there are devices, or the model does not fit.
    """
    counts = replicas_by_group(scenario, workload)
    refuse_missing(scenario, workload, counts)
    stage, parts, found = workload.stages[0], [], []
    for index, (group, count) in enumerate(zip(scenario.groups, counts, strict=True)):
        if workload.partition:
            check_partition(workload.partition, group.device)
        for device, slices, _ in parts_of(workload, group.device):
            mine = group.devices * slices if workload.partition else count
            if mine < 1:
                continue
            parts.append(Part(device=device, count=mine))
            for condition, n in runs_of(conditions_of(scenario, workload, index, mine, slices=slices)):
                found.append((_stage(stage, Part(device=device, count=n), workload, speed=condition.speed), n))
    slowest = max(one.occupied_s[-1] for one, _ in found)
    pools = tuple(
        Replicas(
            engine=batching_class(latency_s=one.latency_s, occupied_s=one.occupied_s, delay_s=one.delay_s),
            count=n,
            weight=slowest / one.occupied_s[-1],
        )
        for one, n in found
    )
    if workload.scale is not None and workload.scale.start is not None:
        pools = opened(pools, workload.scale.start)
    return tuple(parts), Service(
        pools=pools,
        rules=replace(workload.rules, keep_gaps=False),
        front=workload.front,
        scaling=scaling_of(workload.scale, _load_bytes(stage, parts[0], workload)),
        events=workload.events,
        limits=Limits(latency_s=workload.limit_s),
        post_s=workload.post_s,
    )


def _load_bytes(stage: StageWish, part: Part, workload: PredictWorkload) -> float:
    """Return what a replica loads when it starts: the weights; how large a design is, nobody says: nothing."""
    if workload.scale is None or workload.scale.start_up.weights is not None or _laid_out(part, workload):
        return 0.0
    return stored_bytes(stage.model, _runner(stage, part, workload).rate.weight_bytes)


def _by_stations(
    requests: Requests, workload: PredictWorkload, parts: tuple[Part, ...], seed: int
) -> tuple[Predicted, Store | None]:
    """Play a graph of stages, devices that share their time, or a store of models."""
    stages: tuple[Stage, ...] = ()
    store = None
    if workload.catalogue is None:
        stages = tuple(_stage(stage, part, workload) for stage, part in zip(workload.stages, parts, strict=True))
    else:
        store = _store(workload.catalogue, workload.stages[0], parts[0], workload)
    rules = replace(workload.rules, keep_gaps=False)
    service = PredictorService(stages=stages, rules=rules, store=store, front=workload.front, post_s=workload.post_s)
    return predict(requests, service, seed=seed), store


def _parts(scenario: Scenario, workload: PredictWorkload) -> tuple[Part, ...]:
    """Give each stage its devices, in the order of the file; a stage stands on devices of one kind."""
    free = [group.devices * workload.slices for group in scenario.groups]
    found = []
    for stage in workload.stages:
        wanted = stage.devices or free[0]
        place = next((i for i, count in enumerate(free) if count >= wanted), None)
        if place is None:
            raise Infeasible(
                f"stage {stage.name} wants {wanted} devices; the groups of machines have {free} left.",
                binding="devices",
                account={"devices": float(scenario.devices * workload.slices), "wanted": float(wanted)},
                relaxation=f"give {stage.name} at most {max(free)} devices, or add nodes",
            )
        free[place] -= wanted
        found.append(Part(device=slice_of(scenario.groups[place].device, 1 / workload.slices), count=wanted))
    return tuple(found)


def _devices(parts: tuple[Part, ...], slices: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in parts:
        found[part.device.name] = found.get(part.device.name, 0.0) + part.count / slices
    return found


def _laid_out(part: Part, workload: PredictWorkload) -> Pipeline | None:
    return workload.pipeline if part.device.kind == "fpga" else None


def _label(parts: tuple[Part, ...], workload: PredictWorkload) -> str:
    """Return the weakest origin of the constants behind the stages; a design's own figures are ``given``."""
    origins = {kernels_of(part.device).origin for part in parts if _laid_out(part, workload) is None}
    return next((name for name in ("assumed", "calibrated", "measured") if name in origins), "given")


def _band(parts: tuple[Part, ...], workload: PredictWorkload) -> ErrorBand | None:
    """Return the widest band of the stages; None where one rests on no measurement, or on a design's own figures."""
    bands = [
        None if _laid_out(part, workload) else error_band("predict", efficiency_of(part.device).name) for part in parts
    ]
    known = [band for band in bands if band is not None]
    return max(known, key=lambda band: band.median) if len(known) == len(bands) else None


def _runner(stage: StageWish, part: Part, workload: PredictWorkload) -> Runner:
    rate = rate_of(stage.precision, part.device)
    return Runner(
        device=part.device,
        kernels=kernels_of(part.device),
        engine=workload.traits,
        rate=rate,
        activation_bytes=activation_bytes(rate),
    )


def _stage(stage: StageWish, part: Part, workload: PredictWorkload, *, speed: float = 1.0) -> Stage:
    """Return a stage on devices that run at ``speed`` of theirs."""
    batching = stage.batching
    largest = 1 if batching.policy == "none" or workload.shared else batching.max_batch
    times = _times(stage, part, workload, largest, speed)
    delay = {"none": 0.0, "static": None, "dynamic": batching.max_delay}[batching.policy]
    return Stage(
        name=stage.name,
        latency_s=times.latency_s,
        occupied_s=times.occupied_s,
        servers=part.count,
        delay_s=delay,
        shared=workload.shared,
        before=stage.after,
    )


def _times(stage: StageWish, part: Part, workload: PredictWorkload, largest: int, speed: float) -> BatchTimes:
    design = _laid_out(part, workload)
    if design is not None:
        return Pipeline(depth_s=design.depth_s / speed, interval_s=design.interval_s / speed).times(largest)
    runner = _runner(stage, part, workload)
    if speed < 1.0:
        runner = replace(runner, device=throttled(part.device, speed))
    room = part.device.memory_limit_bytes
    weights = stored_bytes(stage.model, runner.rate.weight_bytes) if room is not None else 0.0
    if room is not None and weights > room:
        raise Infeasible(
            f"{show(weights, 'bytes')} of {stage.model.name} do not fit {show(room, 'bytes')} of a {part.device.name}.",
            binding="device memory",
            account={"weights": weights, "available": room},
            relaxation="use devices with more memory, fewer bits per weight, or fewer slices",
        )
    return batch_times(
        stage.model, runner, largest=largest, samples=stage.samples, tokens=stage.tokens, input_bytes=stage.input_bytes
    )


def _store(wish: CatalogueWish, stage: StageWish, part: Part, workload: PredictWorkload) -> Store:
    file, device, runner = wish.file, part.device, _runner(stage, part, workload)
    bandwidth = file.load_bandwidth or device.host_bandwidth
    if bandwidth is None:
        raise InputError(f"how fast {device.name} is loaded is not known; give catalogue.load_bandwidth.")
    seconds = [
        batch_times(
            model, runner, largest=1, samples=stage.samples, tokens=stage.tokens, input_bytes=stage.input_bytes
        ).latency_s[0]
        for model in wish.models
    ]
    sizes = [stored_bytes(model, runner.rate.weight_bytes) for model in wish.models]
    kinds = [name % len(wish.models) for name in range(file.count)]
    return Store(
        service_s=tuple(seconds[kind] for kind in kinds),
        size_bytes=tuple(sizes[kind] for kind in kinds),
        popularity=tuple(zipf(file.count, file.skew).tolist()),
        devices=part.count,
        memory_bytes=file.memory or _FOR_MODELS * (device.memory_limit_bytes or device.require("memory_bytes")),
        load_bandwidth=bandwidth,
        policy=file.policy,
    )
