"""``rackcast plan`` of many jobs on one cluster: where each stands, what is left out, what binds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from simulator.cli.decision import Decision, Shown

if TYPE_CHECKING:
    from simulator.planner.placing.placement_plan import PlacementPlan


def decision(found: PlacementPlan) -> Decision:
    """Return a placement as it is shown."""
    from simulator.planner.placing.placement_report import COLUMNS, SHOWN, rows, sentences, shown

    return Decision(
        facts=found.facts(),
        sentences=list(sentences(found)),
        columns=COLUMNS,
        rows=rows(found),
        shown=[Shown(columns=SHOWN, rows=list(shown(found)), title="jobs")],
    )


def draw(found: PlacementPlan, folder: Path) -> list[Path]:
    """Draw the map into the folder."""
    from simulator.planner.placing.placement_report import mapped
    from simulator.results.placement_plot import plot_placement
    from simulator.results.style import save

    names = [job.name for job in found.jobs]
    return [save(plot_placement(list(mapped(found)), names, title="Where the jobs stand")[0], folder / "placement.png")]
