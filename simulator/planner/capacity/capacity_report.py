"""What to own, to reserve and to rent, in sentences and rows."""

from __future__ import annotations

import math
from collections.abc import Iterator

from simulator.foundation.units import MEGA, YEAR, show
from simulator.planner.capacity.capacity_plan import CapacityPlan
from simulator.planner.capacity.programme import AND
from simulator.planner.flips import Flip

OTHERS = ("rule", "cost (USD)", "dearer by", "t CO2e")
EVEN = ("region", "way", "on demand in", "pays from")
FLIPS = ("assumption", "changes at", "then")


def flip_row(one: Flip) -> tuple[str, str, str]:
    """Return a flip as a row of :data:`FLIPS`."""
    if one.factor is None:
        return one.assumption, "nowhere from a third to thrice", one.becomes
    return one.assumption, f"{one.factor - 1.0:+.0%}", one.becomes


def sentences(found: CapacityPlan) -> Iterator[str]:
    """Yield the answer in sentences, the decision first."""
    chosen, years = found.chosen, found.workload.horizon_s / YEAR
    places: dict[str, list[str]] = {}
    for demand, region in chosen.parts:
        part = f"{demand} (a part)" if AND in chosen.regions[demand] else demand
        places.setdefault(region, []).append(part)
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


def others(found: CapacityPlan) -> Iterator[tuple[object, ...]]:
    """Yield a row of :data:`OTHERS` per further rule."""
    for name, one in found.others.items():
        if one is None:
            yield name, "cannot", "", ""
        else:
            more = found.measure(one) / found.measure(found.chosen) - 1.0
            yield name, f"{one.usd:,.0f}", f"{more:.1%}", f"{one.grams / MEGA:,.4g}" if one.grams else ""


def even(found: CapacityPlan) -> Iterator[tuple[object, ...]]:
    """Yield a row of :data:`EVEN` per region and committed way."""
    for one in found.even:
        never = not math.isfinite(one.share) or one.share > 1.0
        yield one.region, one.way, one.against, "never" if never else f"{one.share:.0%} busy hours"
