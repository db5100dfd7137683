"""Pictures of capacity: nodes of each way over the periods of a day, and cost against carbon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from simulator.foundation.units import MEGA
from simulator.results.style import ALARM, INK, PALETTE, cycle_color, new_figure, new_panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WAYS: Final = ("owned", "reserved-3y", "reserved-1y", "on-demand", "spot")


_DAY_HOURS: Final = 24


def plot_capacity(rows: Sequence[Mapping[str, Any]]) -> tuple[Figure, Any]:
    """Draw stacked nodes by way over the day, a panel per region; a line says what is asked.

    Args:
        rows: as :meth:`simulator.planner.capacity.capacity_plan.CapacityPlan.rows` gives them.
    """
    regions = list(dict.fromkeys(str(row["region"]) for row in rows))
    with styled():
        figure, panels = new_panels(max(5.0, 4.2 * len(regions)), 4.0, ratios=[1.0] * len(regions))
        highest = max(max(row["asked_nodes"], sum(row[way] for way in _WAYS)) for row in rows)
        ways = [way for way in _WAYS if any(row[way] for row in rows)]
        for axes, region in zip(panels, regions, strict=True):
            _panel(axes, region, [row for row in rows if row["region"] == region], ways)
            axes.set_ylim(0.0, 1.08 * highest)
        panels[0].set_ylabel("nodes")
        panels[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure, panels


def _panel(axes: Any, region: str, rows: Sequence[Mapping[str, Any]], ways: Sequence[str]) -> None:
    widths = [row["hours_per_day"] for row in rows]
    lefts = [sum(widths[:number]) for number in range(len(widths))]
    bottoms = [0.0] * len(rows)
    for way in ways:
        heights = [float(row[way]) for row in rows]
        axes.bar(lefts, heights, widths, bottom=bottoms, align="edge", color=cycle_color(_WAYS.index(way)), label=way,
                 linewidth=0)  # fmt: skip
        bottoms = [below + height for below, height in zip(bottoms, heights, strict=True)]
    asked = [float(row["asked_nodes"]) for row in rows]
    axes.step(
        [*lefts, lefts[-1] + widths[-1]], [*asked, asked[-1]], where="post", color=INK, linewidth=1.4, label="asked"
    )
    axes.set(xlabel="hour of the day", title=region, xlim=(0.0, sum(widths)))
    if sum(widths) == _DAY_HOURS:
        axes.set_xticks(range(0, _DAY_HOURS + 1, 6))


def plot_cost_and_carbon(points: Sequence[tuple[float, float]]) -> tuple[Figure, Any]:
    """Draw (USD, g CO2e) of answers that nothing beats in both, the cheapest marked; at least one."""
    with styled():
        figure, axes = new_figure(6.0, 4.2)
        cost, carbon = [usd / MEGA for usd, _ in points], [grams / MEGA for _, grams in points]
        axes.plot(cost, carbon, color=PALETTE[0], marker="o", linestyle=":", label="none is both cheaper and cleaner")
        axes.scatter(cost[:1], carbon[:1], color=ALARM, marker="*", s=150, label="least cost", zorder=3)
        axes.set(xlabel="cost (million USD)", ylabel="emissions of use (t CO2e)", title="Cost against carbon")
        axes.set_ylim(0.0, 1.15 * max(carbon))
        axes.grid(visible=True)
        axes.legend()
    return figure, axes
