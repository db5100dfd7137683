"""The page of regions and ways to pay."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.foundation.units import MEGA, YEAR, show
from simulator.planner.capacity.capacity_plan import CapacityPlan
from simulator.planner.capacity.capacity_report import EVEN, OTHERS, even, others, sentences
from simulator.planner.pages import parts
from simulator.planner.sensitivity import sensitivity
from simulator.results.capacity_plot import plot_capacity, plot_cost_and_carbon
from simulator.results.report import Grid, Reason, Report, Section, Tile, picture


def capacity_report(found: CapacityPlan) -> Report:
    """Return the page of regions and ways to pay."""
    told = list(sentences(found))
    places = len({region for _, region in found.chosen.parts})
    return Report(
        title=f"{found.scenario.name}: capacity",
        kicker=parts.kicker(found.scenario),
        decision=" ".join(told[:places]),
        detail=told[places],
        tiles=tuple(_tiles(found)),
        reasons=(
            Reason(
                head="Why this one", text=f"No other choice has a smaller {found.objective}: the programme is exact."
            ),
            Reason(head="What binds", text=told[places + 1]),
            Reason(
                head="How sure", text="Prices are the catalogue's or the scenario's; demands are taken as they stand."
            ),
        ),
        sections=tuple(_sections(found)),
        footer=parts.foot(found.scenario),
    )


def _tiles(found: CapacityPlan) -> Iterator[Tile]:
    yield Tile(label="cost", value=f"{found.chosen.usd:,.0f} USD", note=f"in {found.workload.horizon_s / YEAR:.3g} y")
    if found.chosen.joules:
        yield Tile(label="energy", value=show(found.chosen.joules, "energy"), note="at full load, building included")
    if found.chosen.grams:
        yield Tile(label="carbon", value=f"{found.chosen.grams / MEGA:,.4g} t CO2e", note="of use")


def _sections(found: CapacityPlan) -> Iterator[Section]:
    rows = found.rows()
    yield Section(
        title="The decision",
        grids=(Grid.of(tuple(name.replace("_", " ") for name in rows[0]), [tuple(row.values()) for row in rows]),),
        pictures=(picture(plot_capacity(rows), "Nodes of each way over the day, and what is asked"),),
    )
    yield Section(title="What else was close", grids=(Grid.of(OTHERS, list(others(found))),))
    yield Section(title="From which use on a committed node pays", grids=(Grid.of(EVEN, list(even(found))),))
    if len(found.front) > 1:
        points = [(one.usd, one.grams) for one in found.front]
        yield Section(
            title="Cost against carbon",
            pictures=(picture(plot_cost_and_carbon(points), "What nothing beats in both cost and carbon"),),
        )
    if found.refused:
        grid = Grid.of(("demand", "region", "left out because"), found.refused)
        yield Section(title="What is left out", grids=(grid,))
    yield parts.flips(sensitivity(found), text="The programme was solved again with one price, or the demand, changed.")
    yield parts.asked(found.scenario)
