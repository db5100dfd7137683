"""Plays a service of models that answer in one pass on the machines of a scenario."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simulator.costs.caching import zipf
from simulator.costs.serving.batches import BatchTimes, Pipeline, batch_times, stored_bytes
from simulator.costs.serving.forward import Runner, activation_bytes
from simulator.costs.serving.numerics import rate_of
from simulator.costs.serving.traits import kernels_of
from simulator.engine.serving.predictor import PredictorService, Stage, Store, predict
from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.randomness import Streams
from simulator.foundation.units import show
from simulator.profiles.device import Device
from simulator.profiles.efficiency import efficiency_of
from simulator.profiles.error_bands import ErrorBand, error_band
from simulator.profiles.slices import slice_of
from simulator.results.predicting import PredictionResult
from simulator.scenario import Scenario
from simulator.scenario.serve_predict import CatalogueWish, PredictWorkload, StageWish
from simulator.simulation.serving import group_power, group_rent

#: share of a device's memory that models of a catalogue may fill where the scenario says nothing
_FOR_MODELS: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Devices for one stage: which, and how many (slices count one by one)."""

    device: Device
    count: int


def simulate_predicting(scenario: Scenario, workload: PredictWorkload) -> PredictionResult:
    """Play a service to its end.

    Raises:
        InputError: the traffic cannot be drawn, or a device lacks a figure.
        Infeasible: stages ask for more devices than there are, or models do not fit them.
    """
    requests = workload.traffic.draw(Streams(scenario.run.seed))
    parts = _parts(scenario, workload)
    store: Store | None = None
    stages: tuple[Stage, ...] = ()
    if workload.catalogue is None:
        stages = tuple(_stage(stage, part, workload) for stage, part in zip(workload.stages, parts, strict=True))
    else:
        store = _store(workload.catalogue, workload.stages[0], parts[0], workload)
    service = PredictorService(stages=stages, store=store, front=workload.front, post_s=workload.post_s)
    predicted = predict(requests, service, seed=scenario.run.seed)
    used = sum(part.count for part in parts) / workload.slices
    share = used / max(1, scenario.devices)
    rent, power = group_rent(scenario), group_power(scenario)
    return PredictionResult(
        scenario=scenario.name,
        scenario_sha256=scenario.sha256,
        workload=workload.id,
        models=tuple(stage.model.name for stage in workload.stages),
        engine=workload.traits.name,
        devices=_devices(parts, workload.slices),
        slices=workload.slices,
        predicted=predicted,
        store=store,
        limit_s=workload.limit_s,
        wanted_attainment=workload.attainment,
        usd_per_s=None if rent is None else rent * share,
        watts=None if power is None else power * share,
        label=_label(parts, workload),
        band=_band(parts, workload),
    )


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


def _stage(stage: StageWish, part: Part, workload: PredictWorkload) -> Stage:
    batching = stage.batching
    largest = 1 if batching.policy == "none" or workload.shared else batching.max_batch
    times = _times(stage, part, workload, largest)
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


def _times(stage: StageWish, part: Part, workload: PredictWorkload, largest: int) -> BatchTimes:
    design = _laid_out(part, workload)
    if design is not None:
        return design.times(largest)
    runner = _runner(stage, part, workload)
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
