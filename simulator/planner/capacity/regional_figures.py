"""A scenario's regions and demands as figures of the programme: prices, power, carbon, and who may run where.

What the scenario leaves out is the catalogue's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from simulator.costs.carbon import grid_of
from simulator.costs.rent import power_w, rent_usd_per_s
from simulator.costs.tenure import committed_usd, owned_usd_per_s
from simulator.foundation.errors import InputError
from simulator.foundation.units import DAY, YEAR
from simulator.planner.capacity.programme import COMMITTED, HOURLY, Demand, Region, Split
from simulator.scenario import Scenario
from simulator.scenario.capacity import CapacityRegion, CapacityWorkload, DemandFile, Way
from simulator.scenario.hardware import PriceKind

#: what a reservation commits to
_TERMS: Final[Mapping[Way, float]] = {"reserved-1y": YEAR, "reserved-3y": 3 * YEAR}


def region_of(scenario: Scenario, workload: CapacityWorkload, one: CapacityRegion, *, needed: bool) -> Region:
    """Return a region's figures; power and carbon are asked for only where they are ``needed``."""
    file, node, horizon = one.file, one.node, workload.horizon_s
    rates = {way: rate for way in ("reserved-3y", "reserved-1y", "on-demand", "spot")
             if (rate := _rate(scenario, one, way)) is not None}  # fmt: skip
    committed: dict[Way, float] = {way: committed_usd(rates[way], term, horizon)
                                   for way, term in _TERMS.items() if way in rates}  # fmt: skip
    hourly: dict[Way, float] = {way: rates[way] for way in HOURLY if way in rates}
    watts = power_w(node, one.device)
    pue, grams = _building(scenario, one, needed=needed)
    running = 0.0
    if file.own is not None:
        committed["owned"] = (
            float(owned_usd_per_s(_purchase(scenario, one), file.own.lifetime, file.own.hosting)) * horizon
        )
        if watts is None or math.isnan(pue):
            raise InputError(f"what an owned {node.name} draws in {file.name} is not known; write pue, and its power.")
        price = file.electricity
        if price is None:
            price = scenario.catalogue.prices["electricity-us"].offer().energy_usd_per_j
        assert price is not None, "the catalogue's electricity has a price"
        running = watts * pue * price
    if needed and watts is None:
        raise InputError(f"what {node.name} draws is not known; give the node or its device a power in your own file.")
    allowed = set(file.ways or (*COMMITTED, *HOURLY))
    if not allowed & {*committed, *hourly}:
        raise InputError(f"{file.name}: no price of {node.name} is known there; write rates, or own.")
    return Region(
        name=file.name, committed={way: usd for way, usd in committed.items() if way in allowed},
        hourly={way: rate for way, rate in hourly.items() if way in allowed}, running=running, most=dict(file.most),
        again=1.0 + file.again, watts=0.0 if watts is None or math.isnan(pue) else watts * pue,
        grams=0.0 if watts is None or math.isnan(grams) else watts * grams,
    )  # fmt: skip


def _rate(scenario: Scenario, one: CapacityRegion, way: PriceKind) -> float | None:
    written: float | None = one.file.rates.get(way)
    if written is not None:
        return written
    if one.file.provider is None and one.file.region is None and one.file.node is None and one.file.rates:
        return None  # a place of ones own, whose prices are all written
    return rent_usd_per_s(scenario.catalogue, one.node, way, provider=one.file.provider, region=one.file.region)


def _purchase(scenario: Scenario, one: CapacityRegion) -> float:
    assert one.file.own is not None, "asked for what is owned only"
    given: float | None = one.file.own.purchase
    if given is not None:
        return given
    price = scenario.catalogue.prices.get(one.device.name)
    usd = None if price is None else price.offer().purchase_usd
    if usd is None:
        raise InputError(f"what {one.node.name} costs to buy is not known; write own.purchase.")
    return usd * one.node.device_count


def _building(scenario: Scenario, one: CapacityRegion, *, needed: bool) -> tuple[float, float]:
    """Return PUE and g CO2e per joule that a node draws; not a number where they are neither known nor needed."""
    file = one.file
    try:
        grid = grid_of(scenario.catalogue, one.node, provider=file.provider, region=file.region, grid=file.grid,
                       intensity=file.carbon, pue=file.pue)  # fmt: skip
    except InputError:
        if needed:
            raise
        return (math.nan if file.pue is None else file.pue), math.nan
    return grid.pue, grid.grams_per_joule


def refused_of(workload: CapacityWorkload) -> Iterator[tuple[str, str, str]]:
    """Yield each demand and region that it may not use, and why."""
    for demand in workload.demands:
        for region in workload.regions:
            name = region.file.name
            if demand.allowed and name not in demand.allowed:
                yield demand.name, name, "its data may not be there"
            elif demand.latency is not None and demand.rtt[name] > demand.latency:
                yield demand.name, name, "too far from its clients"


def demand_of(workload: CapacityWorkload, file: DemandFile, refused: Sequence[tuple[str, str, str]]) -> Demand:
    """Return a demand with what it costs to bring its data to each region and to send its answers from there."""
    out = {(demand, region) for demand, region, _ in refused}
    egress = {one.file.name: one.file.egress for one in workload.regions}
    moved, sent = {}, {}
    for name, price in egress.items():
        if (file.name, name) in out:
            continue
        sent[name] = (file.sends or 0.0) * workload.horizon_s / DAY * price
        moved[name] = 0.0
        if file.data is not None and file.data.at != name:
            moved[name] = file.data.size * egress[file.data.at]
    split = None if file.split is None else Split(regions=file.split.regions, share=file.split.share)
    return Demand(name=file.name, nodes=tuple(file.nodes), interruptible=file.interruptible, moved=moved, sent=sent,
                  split=split)  # fmt: skip
