"""The page of a mixed fleet."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from simulator.planner.pages import parts
from simulator.planner.sensitivity import sensitivity
from simulator.planner.serving.deployments import Deployment
from simulator.planner.serving.service_mix import FleetMix
from simulator.profiles.efficiency import efficiency_of
from simulator.profiles.error_bands import error_band
from simulator.results.price_plot import plot_fleets
from simulator.results.report import Grid, Reason, Report, Section, Tile, picture


def mix_report(found: FleetMix) -> Report:
    """Return the page of a mixed fleet."""
    taken = [f"{nodes} x {one.machine.node.name}" for one, nodes in _taken(found)]
    return Report(
        title=f"{found.scenario.name}: mixed fleet",
        kicker=parts.kicker(found.scenario),
        decision=f"Take {' and '.join(taken)}: {found.mix.price:,.2f} USD/h.",
        detail=f"Together they serve {', '.join(found.groups)}.",
        tiles=tuple(_tiles(found)),
        reasons=tuple(_reasons(found)),
        sections=tuple(_sections(found)),
        footer=parts.foot(found.scenario),
    )


def _tiles(found: FleetMix) -> Iterator[Tile]:
    yield Tile(
        label="price",
        value=f"{found.mix.price:,.2f} USD/h",
        note=f"{found.mix.price * parts.MONTH_HOURS:,.0f} USD in 30 days",
    )
    yield Tile(label="nodes", value=f"{sum(found.mix.nodes)}", note=f"of {sum(n > 0 for n in found.mix.nodes)} kinds")
    yield Tile(
        label="requests inside the limits",
        value=f"{min(found.attainments):.1%}",
        note=f"worst of {len(found.attainments)} draws",
    )
    yield Tile(label="requests per second", value=f"{found.mix.rates.sum():.4g}", note=f"{len(found.groups)} groups")


def _reasons(found: FleetMix) -> Iterator[Reason]:
    alone = sorted((price, name) for name, price in found.alone() if price is not None)
    if alone:
        price, name = alone[0]
        yield Reason(
            head="Why this one",
            text=f"By the same rates the cheapest single kind ({name}) costs {price:,.2f} "
            f"USD/h, {price / found.mix.price - 1.0:.1%} more; the integer programme is solved exactly.",
        )
    lowered = f"; rates were lowered {found.lowered} times to get there" if found.lowered else ""
    yield Reason(
        head="Does it hold",
        text=f"Played on {len(found.attainments)} draws, each kind on its own share of every "
        f"group: {min(found.attainments):.1%} or more keep the limits{lowered}.",
    )

    yield Reason(
        head="What binds",
        text=f"whole nodes and their capacity: the fleet is loaded to {_load(found):.1%} of the steady rates.",
    )
    devices = {one.machine.device.name: one.machine.device for one, _ in _taken(found)}
    for device in devices.values():
        efficiency = efficiency_of(device)
        told = parts.trust(efficiency.origin, error_band("serve", efficiency.name))
        yield Reason(head="How sure", text=f"{device.name}: {told}")


def _taken(found: FleetMix) -> list[tuple[Deployment, int]]:
    return [(one, nodes) for one, nodes in zip(found.deployments, found.mix.nodes, strict=True) if nodes]


def _load(found: FleetMix) -> float:
    """Return the share of the nodes' time that the rates take, by the capacities of the programme."""
    use = np.divide(found.mix.rates, found.capacity, out=np.zeros_like(found.capacity), where=found.capacity > 0.0)
    return float(use.sum()) / sum(found.mix.nodes)


def _sections(found: FleetMix) -> Iterator[Section]:
    rows = found.rows()
    yield Section(
        title="The decision",
        text=("The fleet, and the requests per second of each group that it serves.",),
        grids=(Grid.of(tuple(name.replace("_", " ") for name in rows[0]), [tuple(row.values()) for row in rows]),),
    )
    alone = list(found.alone())
    can = [(name, price) for name, price in alone if price is not None]
    drawn = plot_fleets(
        ["this mix", *(f"{name} alone" for name, _ in can)], [found.mix.price, *(price for _, price in can)], "USD/h"
    )
    yield Section(
        title="What else was close",
        grids=(
            Grid.of(("kind alone", "USD/h"), [(name, "cannot" if price is None else price) for name, price in alone]),
        ),
        pictures=(picture(drawn, "Price of the mix and of each kind alone, by the same rates"),),
    )
    capacity = [
        (one.machine.node.name, one.machine.price, *rates)
        for one, rates in zip(found.deployments, found.capacity.tolist(), strict=True)
    ]
    yield Section(
        title="What a node takes",
        text=("Requests per second of one node that serves one group alone.",),
        grids=(Grid.of(("kind", "USD/h", *found.groups), capacity),),
    )
    yield parts.flips(sensitivity(found), text="The programme was solved again with another price or other rates.")
    yield Section(title="What it costs", grids=(_ledger(found),))
    yield parts.asked(found.scenario)


def _ledger(found: FleetMix) -> Grid:
    rows = [
        (name, f"{usd:,.2f}", f"{usd * parts.MONTH_HOURS:,.0f}")
        for name, usd in ((str(row["node"]), float(str(row["usd_per_hour"]))) for row in found.rows())
    ]
    rows.append(("together", f"{found.mix.price:,.2f}", f"{found.mix.price * parts.MONTH_HOURS:,.0f}"))
    return Grid.of(("kind", "USD an hour", "USD in 30 days"), rows, marked=len(rows) - 1)
