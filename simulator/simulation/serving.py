"""Plays a service of a scenario on its machines: replicas from the cluster, requests from the traffic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.costs.rent import power_w, rent_usd_per_s
from simulator.costs.serving.capacity import Memory, memory_of, weight_bytes
from simulator.costs.serving.iteration import Replica
from simulator.costs.serving.numerics import Numerics
from simulator.engine.serving.fleet.build import Replicas
from simulator.engine.serving.fleet.engine_class import EngineClass
from simulator.engine.serving.fleet.from_replica import PoolBytes, engine_class_of
from simulator.engine.serving.service import Kept, Served, Service, serve
from simulator.engine.serving.windows import Sink, Streamed, serve_in_windows
from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.randomness import Streams
from simulator.profiles.device import Device
from simulator.profiles.efficiency import efficiency_of
from simulator.profiles.error_bands import error_band
from simulator.profiles.slices import check_partition, slice_of
from simulator.results.parquet import write_table
from simulator.results.serving import ServingResult, requests_frame
from simulator.scenario import Scenario
from simulator.scenario.serve import ServeWorkload
from simulator.scenario.serve_cache import CacheTierFile
from simulator.scenario.serve_predict import PredictWorkload
from simulator.simulation.serving_conditions import conditions_of, runs_of, touched
from simulator.workload.request_stream import RequestStream, in_slices
from simulator.workload.requests import Requests

#: requests of which every one is held, at about 300 B each; more of them are played in windows and counted
MOST_HELD: Final = 10_000_000
_WINDOW: Final = 1_000_000  # requests of a window where nothing else cuts the traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A service ready to be played."""

    requests: Requests
    service: Service
    replica: Replica
    memory: Memory
    devices: int


def prepare(
    scenario: Scenario, workload: ServeWorkload, *, seed: int | None = None, requests: Requests | None = None
) -> Prepared:
    """Return the requests and the service of a workload on the scenario's machines.

    ``requests``: what was drawn before, so that many services meet the same.

    Raises:
        InputError: the traffic cannot be drawn, or the replicas ask for more devices than there are.
        Infeasible: a replica does not fit its devices' memory.
    """
    if requests is None:
        requests = workload.traffic.draw(Streams(scenario.run.seed if seed is None else seed))
    pools, first, devices = _pools(scenario, workload, requests)
    scaling = workload.scaling(weight_bytes(first))
    if workload.scale is not None and workload.scale.start is not None:
        pools = opened(pools, workload.scale.start)
    service = Service(
        pools=pools,
        rules=workload.rules,
        front=workload.front,
        scaling=scaling,
        events=workload.events,
        limits=workload.limits,
        frontend_s=workload.traits.frontend_s,
        post_s=workload.post_s,
    )
    memory = memory_of(first, memory_fraction=workload.engine.memory_fraction)
    return Prepared(requests=requests, service=service, replica=first, memory=memory, devices=devices)


def simulate_serving(
    scenario: Scenario,
    workload: ServeWorkload,
    *,
    seed: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    kept: Kept | None = None,
    records: Path | None = None,
) -> ServingResult:
    """Play a service to its end: with every request in memory, or a long traffic in windows.

    Args:
        scenario: the machines.
        workload: the service.
        seed: instead of the scenario's.
        progress: is told now and then how many requests are settled, of how many.
        kept: where the state is kept, so that an interrupted run can go on.
        records: a folder for one row per request; a file for each window.

    Raises:
        InputError, Infeasible: as :func:`prepare`, or the kept state is another run's.
    """
    seed = scenario.run.seed if seed is None else seed
    traffic = traffic_of(scenario, workload, seed)
    outline = traffic.draw(0) if isinstance(traffic, RequestStream) else traffic
    prepared = prepare(scenario, workload, seed=seed, requests=outline)
    total = round(traffic.expected) if isinstance(traffic, RequestStream) else len(traffic)
    told = None if progress is None else lambda settled: progress(settled, total)
    served: Served | Streamed
    if isinstance(traffic, RequestStream):
        sink = None if records is None else _writing(records)
        served = serve_in_windows(traffic, prepared.service, seed=seed, progress=told, kept=kept, sink=sink)
    else:
        served = serve(traffic, prepared.service, seed=seed, progress=told, kept=kept)
        if records is not None:
            _writing(records)(0, served, np.ones(len(traffic), bool))
    return result_of(scenario, workload, prepared, served)


def traffic_of(scenario: Scenario, workload: ServeWorkload, seed: int) -> Requests | RequestStream:
    """Return all requests, or windows of them where ``run.window`` asks for it or there are too many to hold."""
    wanted = scenario.run.window
    windows = workload.traffic.windows(Streams(seed))
    if windows is not None:
        return windows.whole() if wanted is None and windows.expected <= MOST_HELD else windows
    requests = workload.traffic.draw(Streams(seed))
    if wanted is None and (len(requests) <= MOST_HELD or requests.successor is not None):
        return requests
    return in_slices(requests, wanted or _WINDOW)


def _writing(folder: Path) -> Sink:
    """Return what writes the requests that ended as tables into a folder, numbered."""

    def write(batch: int, served: Served, ended: npt.NDArray[np.bool_]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        write_table(requests_frame(served, ended), folder / f"requests-{batch:05d}")

    return write


def result_of(
    scenario: Scenario, workload: ServeWorkload, prepared: Prepared, served: Served | Streamed
) -> ServingResult:
    """Return a run's figures with what the machines cost and draw."""
    replicas = sum(pool.count for pool in prepared.service.pools)
    share = prepared.devices / workload.slices / max(1, scenario.devices)
    return ServingResult(
        scenario=scenario.name,
        scenario_sha256=scenario.sha256,
        workload=workload.id,
        model=workload.model.name,
        engine=workload.traits.name,
        device=prepared.replica.device.name,
        devices_per_replica=workload.layout.devices,
        replicas=replicas,
        served=served,
        limits=workload.limits,
        wanted_attainment=workload.attainment,
        usd_per_replica_s=_per_replica(group_rent(scenario), share, replicas),
        watts_per_replica=_per_replica(group_power(scenario), share, replicas),
        memory={"weights": prepared.memory.weights, "working": prepared.memory.working, "cache": prepared.memory.cache},
        label=prepared.replica.kernels.origin,
        tiers=tuple(tier.name for tier in workload.engine.cache_tiers if tier.shared is None),
        pool=next((tier.name for tier in workload.engine.cache_tiers if tier.shared is not None), None),
        band=error_band("serve", efficiency_of(prepared.replica.device).name),
    )


def _pools(
    scenario: Scenario, workload: ServeWorkload, requests: Requests
) -> tuple[tuple[Replicas, ...], Replica, int]:
    """Return a pool per group of machines (or per role), the first replica, and the devices in use."""
    counts = replicas_by_group(scenario, workload)
    pools: list[Replicas] = []
    first: Replica | None = None
    devices = 0
    for index, (group, count) in enumerate(zip(scenario.groups, counts, strict=True)):
        if count < 1:
            continue
        devices += count * workload.layout.devices
        if workload.partition:
            check_partition(workload.partition, group.device)
        for part, slices, share in parts_of(workload, group.device):
            replica = _replica(scenario, workload, part, index)
            first = first or replica
            mine = group.devices * slices if workload.partition else count
            roles = _roles(mine, workload.prefill if not pools else None)
            amiss = conditions_of(scenario, workload, index, mine, slices=slices)
            beside = max(1, group.node.device_count * slices // workload.layout.devices)
            engines = {
                one: _engine(scenario, workload, touched(replica, one), requests, beside)
                for one in dict.fromkeys(amiss)
            }
            for role, begin, end in roles:
                for one, n in runs_of(amiss[begin:end]):
                    pools.append(Replicas(engine=engines[one], count=n, role=role, weight=share, first=begin))
                    begin += n
    if first is None:
        raise InputError(f"a replica takes {workload.layout.devices} devices; no group of machines has so many.")
    refuse_missing(scenario, workload, counts)
    return tuple(pools), first, devices


def refuse_missing(scenario: Scenario, workload: ServeWorkload | PredictWorkload, counts: list[int]) -> None:
    """Raise :class:`Infeasible` where more replicas are wanted than the groups have room for."""
    wanted = (workload.count or 0) - sum(counts)
    if wanted > 0:
        raise Infeasible(
            f"{workload.count} replicas of {workload.layout.devices} devices are wanted; {wanted} find no room.",
            binding="devices",
            account={
                "devices": float(scenario.devices),
                "wanted": float((workload.count or 0) * workload.layout.devices),
            },
            relaxation=f"ask for {(workload.count or 0) - wanted} replicas, or add nodes",
        )


def replicas_by_group(scenario: Scenario, workload: ServeWorkload | PredictWorkload) -> list[int]:
    """Return how many replicas stand on each group of machines: as many as fit, or as are wanted, group by group."""
    found, left = [], workload.count
    for group in scenario.groups:
        room = group.devices * workload.slices // workload.layout.devices
        found.append(room if left is None else min(room, left))
        left = None if left is None else left - found[-1]
    return found


def parts_of(workload: ServeWorkload | PredictWorkload, device: Device) -> Iterator[tuple[Device, int, float]]:
    """Yield the parts of a device with a replica each: the part, how many of it, and its weight for routers."""
    if not workload.partition:
        yield slice_of(device, 1 / workload.slices), workload.slices, 1.0
    for profile, members in groupby(workload.partition):
        yield profile.of(device), len(list(members)), float(profile.sevenths)


def _replica(scenario: Scenario, workload: ServeWorkload, device: Device, index: int) -> Replica:
    numerics = Numerics.of(device, workload.precision, cache=workload.cache_precision)
    traits = replace(
        workload.traits,
        max_num_seqs=workload.engine.max_num_seqs or workload.traits.max_num_seqs,
        max_num_batched_tokens=workload.engine.max_num_batched_tokens or workload.traits.max_num_batched_tokens,
    )
    tiers = scenario.cluster.tiers_of(index)
    replica = Replica.of(workload.model, device, layout=workload.layout, numerics=numerics, engine=traits, tiers=tiers)
    return replace(
        replica,
        speculation=workload.speculation,
        adapters=workload.adapters,
        offloaded=workload.engine.cpu_offload or 0.0,
    )


def _engine(
    scenario: Scenario, workload: ServeWorkload, replica: Replica, requests: Requests, beside: int
) -> EngineClass:
    """Return the engine of a replica that stands ``beside`` others on its node, itself counted."""
    settings = workload.engine
    tiers = settings.cache_tiers if requests.chains is not None else []
    shared = next((tier for tier in tiers if tier.shared is not None), None)
    swap = replica.device.host_bandwidth if settings.swap_bandwidth is None else settings.swap_bandwidth
    outer = replica.tiers[-1] if replica.tiers else None
    return engine_class_of(
        replica,
        typical_prompt=requests.typical[0],
        typical_output=requests.typical[1],
        block_size=settings.block_size,
        cache_tokens=settings.cache_tokens,
        prefix_block_tokens=requests.chains.block_tokens
        if requests.chains is not None and settings.prefix_cache
        else 0,
        preemption=settings.preemption,
        decode_first=None if settings.order is None else settings.order == "decode-first",
        chunked_prefill=settings.chunked_prefill,
        memory_fraction=settings.memory_fraction,
        link_bandwidth=None if outer is None else outer.port_bandwidth * workload.layout.devices,
        link_latency=outer.latency if outer is not None else 0.0,
        swap_bandwidth=swap,
        lower_tiers=[(tier.size, _bandwidth_of(scenario, tier, replica)) for tier in tiers if tier is not shared],
        pool=None if shared is None else _pool(scenario, shared, replica, beside),
        load_pieces=workload.model.layers if settings.cache_loading == "by-layer" else 1,
    )


def _pool(scenario: Scenario, tier: CacheTierFile, replica: Replica, beside: int) -> PoolBytes:
    """Return the pool that a tier is which replicas share; a storage is read at one rate by all of them together.

    What comes from other nodes comes over the network, at most as fast as the ports of the replica's devices.
    """
    whole = None if tier.storage is None else scenario.catalogue.storage[tier.storage].read_bandwidth
    own = _bandwidth_of(scenario, tier, replica)
    if tier.bandwidth is None and tier.shared == "cluster" and sum(group.count for group in scenario.groups) > 1:
        own = min(own, replica.tiers[-1].port_bandwidth * replica.layout.devices)
    return PoolBytes(
        size=float(tier.size),
        bandwidth=own,
        pool_bandwidth=whole,
        replicas=beside if tier.shared == "node" else None,
    )


def _bandwidth_of(scenario: Scenario, tier: CacheTierFile, replica: Replica) -> float:
    """Return the bytes per second from a tier to a replica's devices."""
    if tier.bandwidth is not None:
        return float(tier.bandwidth)
    link: float | None = replica.device.host_bandwidth
    if link is None:
        raise InputError(f"how fast {replica.device.name} reads host memory is not known; give {tier.name}.bandwidth.")
    link *= replica.layout.devices
    if tier.storage is None:
        return link
    read: float | None = scenario.catalogue.storage[tier.storage].read_bandwidth
    if read is None:
        raise InputError(f"no source gives how fast {tier.storage} is read; give {tier.name}.bandwidth.")
    return min(link, read)


def _roles(count: int, prefill: int | None) -> list[tuple[str, int, int]]:
    """Return the roles of replicas, each with the first and one beyond the last that has it."""
    if prefill is None:
        return [("both", 0, count)]
    if prefill >= count:
        raise InputError(f"{prefill} replicas for prompts of {count} in all leave none to decode.")
    return [("prefill", 0, prefill), ("decode", prefill, count)]


def opened(pools: tuple[Replicas, ...], start: int) -> tuple[Replicas, ...]:
    """Return pools of which only so many replicas are open at the start, those of the first pools."""
    found, left = [], start
    for pool in pools:
        opened = min(pool.count, left)
        left -= opened
        found.append(replace(pool, open=opened))
    return tuple(found)


def group_rent(scenario: Scenario) -> float | None:
    """Return USD per second of all machines; None where a price is not known."""
    total = 0.0
    for group in scenario.groups:
        rate = group.usd_per_s
        if rate is None:
            rate = rent_usd_per_s(scenario.catalogue, group.node, group.price_kind or scenario.prices.kind,
                                  provider=scenario.prices.provider, region=scenario.prices.region)  # fmt: skip
        if rate is None:
            return None
        total += rate * group.count
    return total


def group_power(scenario: Scenario) -> float | None:
    """Return watts of all machines at full load; None where a figure is not known."""
    powers = [power_w(group.node, group.device) for group in scenario.groups]
    known = [watts * group.count for watts, group in zip(powers, scenario.groups, strict=True) if watts is not None]
    return sum(known) if len(known) == len(powers) else None


def _per_replica(total: float | None, share: float, replicas: int) -> float | None:
    return None if total is None else total * share / replicas
