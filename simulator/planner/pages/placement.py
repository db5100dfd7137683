"""The page of many jobs on one cluster."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.planner.pages import parts
from simulator.planner.placing.placement_plan import PlacementPlan
from simulator.planner.placing.placement_report import COLUMNS, SHOWN, mapped, rows, sentences, shown
from simulator.planner.sensitivity import sensitivity
from simulator.results.placement_plot import plot_placement
from simulator.results.report import Grid, Reason, Report, Section, Tile, picture


def placement_report(found: PlacementPlan) -> Report:
    """Return the page of a placement."""
    decision, proof, binding = sentences(found)
    return Report(
        title=f"{found.scenario.name}: placement",
        kicker=parts.kicker(found.scenario),
        decision=decision,
        detail="",
        tiles=tuple(_tiles(found)),
        reasons=(
            Reason(head="Why this one", text=proof),
            Reason(head="What binds", text=binding),
            Reason(head="How sure", text="Where jobs fit is exact. What an all-reduce takes is modelled."),
        ),
        sections=tuple(_sections(found)),
        footer=parts.foot(found.scenario),
    )


def _tiles(found: PlacementPlan) -> Iterator[Tile]:
    whole = sum(found.placed.tasks[job.name] == job.tasks for job in found.jobs)
    yield Tile(label="jobs placed", value=f"{whole} of {len(found.jobs)}")
    yield Tile(label="value placed", value=f"{found.placed.value:g}", note=f"of {found.wanted:g}")
    yield Tile(label="nodes taken", value=f"{found.placed.nodes}", note=f"of {sum(one.nodes for one in found.rooms)}")


def _sections(found: PlacementPlan) -> Iterator[Section]:
    drawn = plot_placement(list(mapped(found)), [job.name for job in found.jobs], title="Where the jobs stand")
    yield Section(
        title="The decision",
        grids=(Grid.of(SHOWN, list(shown(found))),),
        pictures=(picture(drawn, "A row per node, a cell per device, a line between two leaves"),),
    )
    yield Section(title="Node by node", grids=(Grid.of(COLUMNS, rows(found)),))
    yield parts.flips(sensitivity(found), text="The programme was solved again without one limit, or with a node more.")
    yield parts.asked(found.scenario)
