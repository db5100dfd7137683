"""``rackcast plan`` of demands that come and go: regions, what to own, to reserve and to rent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from simulator.cli.decision import Decision, Shown

if TYPE_CHECKING:
    from simulator.planner.capacity.capacity_plan import CapacityPlan


def decision(found: CapacityPlan) -> Decision:
    """Return what to take as it is shown."""
    from simulator.planner.capacity.capacity_report import EVEN, FLIPS, OTHERS, even, flip_row, others, sentences

    rows = found.rows()
    columns, table = tuple(rows[0]), [tuple(row.values()) for row in rows]
    flips = [flip_row(one) for one in found.flips]
    return Decision(
        facts=found.facts(),
        sentences=list(sentences(found)),
        columns=columns,
        rows=table,
        shown=[
            Shown(columns=columns, rows=table, title="nodes by region and period of the day"),
            Shown(columns=OTHERS, rows=list(others(found)), title="instead"),
            Shown(columns=EVEN, rows=list(even(found)), title="break-even"),
            Shown(columns=FLIPS, rows=flips, title="what would change the choice"),
        ],
    )


def draw(found: CapacityPlan, folder: Path) -> list[Path]:
    """Draw nodes over the day, and cost against carbon where that is known."""
    from simulator.results.capacity_plot import plot_capacity, plot_cost_and_carbon
    from simulator.results.style import save

    written = [save(plot_capacity(found.rows())[0], folder / "nodes-by-period.png")]
    if len(found.front) > 1:
        points = [(one.usd, one.grams) for one in found.front]
        written.append(save(plot_cost_and_carbon(points)[0], folder / "cost-against-carbon.png"))
    return written
