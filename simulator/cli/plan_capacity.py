"""``rackcast plan`` of demands that come and go: regions, what to own, to reserve and to rent."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.cli.decision import Decision, Shown

if TYPE_CHECKING:
    from simulator.planner.capacity.capacity_plan import CapacityPlan
    from simulator.planner.flips import Flip


def decision(found: CapacityPlan) -> Decision:
    """Return what to take as it is shown."""
    rows = found.rows()
    columns, table = tuple(rows[0]), [tuple(row.values()) for row in rows]
    return Decision(
        facts=found.facts(),
        sentences=list(_sentences(found)),
        columns=columns,
        rows=table,
        shown=[
            Shown(columns=columns, rows=table, title="nodes by region and period of the day"),
            Shown(columns=("rule", "cost (USD)", "dearer by", "t CO2e"), rows=list(_others(found)), title="instead"),
            Shown(columns=("region", "way", "on demand in", "pays from"), rows=list(_even(found)), title="break-even"),
            Shown(columns=("assumption", "changes at", "then"), rows=[flip_row(one) for one in found.flips],
                  title="what would change the choice"),
        ],
    )  # fmt: skip


def draw(found: CapacityPlan, folder: Path) -> list[Path]:
    """Draw nodes over the day, and cost against carbon where that is known."""
    from simulator.results.capacity_plot import plot_capacity, plot_cost_and_carbon
    from simulator.results.style import save

    written = [save(plot_capacity(found.rows())[0], folder / "nodes-by-period.png")]
    if len(found.front) > 1:
        points = [(one.usd, one.grams) for one in found.front]
        written.append(save(plot_cost_and_carbon(points)[0], folder / "cost-against-carbon.png"))
    return written


def flip_row(one: Flip) -> tuple[str, str, str]:
    """Return a flip as a row for people."""
    if one.factor is None:
        return one.assumption, "nowhere from a third to thrice", one.becomes
    return one.assumption, f"{one.factor - 1.0:+.0%}", one.becomes


def _sentences(found: CapacityPlan) -> Iterator[str]:
    from simulator.foundation.units import MEGA, YEAR, show

    chosen, years = found.chosen, found.workload.horizon_s / YEAR
    places: dict[str, list[str]] = {}
    for demand, region in chosen.regions.items():
        places.setdefault(region, []).append(demand)
    for region, demands in places.items():
        ways = [f"{count} {way}" for way, count in found.decision.get(region, {}).items()]
        yield f"Run {', '.join(demands)} in {region} on {', '.join(ways) or 'no'} nodes (by the hour: at most)."
    emitted = f", {chosen.grams / MEGA:,.4g} t CO2e of use" if chosen.grams else ""
    drawn = f", {show(chosen.joules, 'energy')}" if chosen.joules else ""
    yield f"That takes {chosen.usd:,.0f} USD over {years:.3g} y{drawn}{emitted}: the least {found.objective} there is."
    if found.binding:
        told = "; ".join(f"{name} (saves {saved:,.0f} USD)" for name, saved in found.binding)
        yield f"Binding: it would cost less without: {told}."
    else:
        yield "Binding constraint: none; prices and demands alone decide."
    if found.refused:
        yield f"Left out: {'; '.join(f'{demand} in {region}: {why}' for demand, region, why in found.refused)}."


def _others(found: CapacityPlan) -> Iterator[tuple[object, ...]]:
    from simulator.foundation.units import MEGA

    for name, one in found.others.items():
        if one is None:
            yield name, "cannot", "", ""
        else:
            more = found.measure(one) / found.measure(found.chosen) - 1.0
            yield name, f"{one.usd:,.0f}", f"{more:.1%}", f"{one.grams / MEGA:,.4g}" if one.grams else ""


def _even(found: CapacityPlan) -> Iterator[tuple[object, ...]]:
    for one in found.even:
        never = not math.isfinite(one.share) or one.share > 1.0
        yield one.region, one.way, one.against, "never" if never else f"{one.share:.0%} busy hours"
