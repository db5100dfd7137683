"""Picture of clusters for one training run: money over time, and the front of those that none beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from simulator.foundation.units import DAY
from simulator.results.style import ALARM, MUTED, PALETTE, few_decades, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: least ratio of the times of two clusters that both carry their names
_APART: Final = 1.08


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPoint:
    """A cluster as it is drawn: its name, seconds and USD of the run."""

    name: str
    seconds: float
    usd: float


def plot_clusters(
    chosen: ClusterPoint, offers: Sequence[ClusterPoint], front: Sequence[ClusterPoint], deadline_s: float | None
) -> tuple[Figure, Any]:
    """Draw what the run costs over how long it takes; the front as a line, the chosen one as a star."""
    with styled():
        figure, axes = new_figure(9.0, 5.2)
        axes.scatter([one.seconds / DAY for one in offers], [one.usd for one in offers], s=22, color=PALETTE[1],
                     label="clusters", zorder=2)  # fmt: skip
        axes.plot([one.seconds / DAY for one in front], [one.usd for one in front], color=PALETTE[0], marker="o",
                  markersize=4, drawstyle="steps-post", linewidth=1.2, label="none cheaper and faster")  # fmt: skip
        axes.scatter([chosen.seconds / DAY], [chosen.usd], s=150, marker="*", color=ALARM, label="chosen", zorder=4)
        if deadline_s is not None:
            axes.axvline(deadline_s / DAY, color=MUTED, linestyle="--", linewidth=1.0, label="deadline")
        for one in _apart(front):
            axes.annotate(one.name, (one.seconds / DAY, one.usd), xytext=(0, -8), textcoords="offset points",
                          fontsize=8, rotation=90, ha="center", va="top",
                          bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})  # fmt: skip
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        few_decades(axes)
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.set(xlabel="time of the run (days)", ylabel="cost of the run (USD)", title="Cost against time")
        axes.set_ylim(0.0, 1.1 * max(one.usd for one in offers))
        axes.grid(visible=True)
        axes.legend(loc="lower right")
    return figure, axes


def _apart(front: Sequence[ClusterPoint]) -> list[ClusterPoint]:
    """Return those of a front, fastest first, whose names do not stand on one another."""
    kept: list[ClusterPoint] = []
    for one in front:
        if not kept or one.seconds > _APART * kept[-1].seconds:
            kept.append(one)
    return kept
