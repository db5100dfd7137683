"""Who works and who waits: a bar for each stage of each class of replicas, on the machines under it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from simulator.results.lanes import Lane
from simulator.results.style import color_of, cycle_color, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST: Final = 24  # bars that are drawn


def plot_lanes(lanes: Sequence[Lane], step_s: float, *, title: str = "Who works, and who waits") -> tuple[Figure, Any]:
    """Draw the share of a step that each stage of each class of replicas works; the rest it waits or exchanges.

    Args:
        lanes: of one result, at least one; of more than 24 the first are drawn, and how many are not is said.
        step_s: seconds of the step.
        title: above the bars.
    """
    assert lanes, "nobody works"
    shown, machines = lanes[:_MOST], list(dict.fromkeys(lane.machine for lane in lanes))
    names = [f"stage {lane.stage}, {lane.replicas} replicas from {lane.first}" if lane.replicas > 1
             else f"stage {lane.stage}, replica {lane.first}" for lane in shown]  # fmt: skip
    with styled():
        figure, axes = new_figure(9.5, 1.2 + 0.34 * len(shown))
        for place, lane in enumerate(shown):
            share = lane.passes_s / step_s
            axes.barh(place, share, color=cycle_color(machines.index(lane.machine)), height=0.7)
            axes.barh(place, 1.0 - share, left=share, color=color_of("bubble"), height=0.7)
            axes.text(0.01, place, f"{lane.micro_batches} x {lane.layers:g} layers", va="center", fontsize=7.5,
                      color="white")  # fmt: skip
        axes.set_yticks(range(len(shown)), names)
        axes.invert_yaxis()
        axes.set_xlim(0.0, 1.0)
        hidden = len(lanes) - len(shown)
        axes.set_xlabel("share of the step" + (f"; {hidden} more are not drawn" if hidden else ""))
        axes.set_title(title)
        _legend(axes, machines)
    return figure, axes


def _legend(axes: Any, machines: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    entries = [Patch(facecolor=cycle_color(number), label=f"works, on {name}") for number, name in enumerate(machines)]
    entries.append(Patch(facecolor=color_of("bubble"), label="waits or exchanges"))
    axes.legend(handles=entries, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)
