"""A placement as a map: a row per node, a cell per device, a colour per job, leaf by leaf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from simulator.results.style import GRID, INK, MUTED, PALETTE, cycle_color, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_ROWS: Final = 48  # of one column of nodes
_MOST_COLUMNS: Final = 6
_CELL: Final = 0.26  # inches
_GAP: Final = 2.6  # cells between two columns, for the numbers of nodes
_NAMED: Final = 24  # jobs that stand in the legend
_HATCHES: Final = ("", "///", "...", "xxx")  # one for each time that the colours begin again


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedNode:
    """One node: its number, leaf, devices, and the job on each device that is taken."""

    node: int
    leaf: int
    devices: int
    jobs: Mapping[int, str]


def plot_placement(nodes: Sequence[MappedNode], jobs: Sequence[str], *, title: str) -> tuple[Figure, Any]:
    """Draw which job is on which device, a line between two leaves; nodes beyond the first 288 are only counted.

    Args:
        nodes: in the order of their numbers, at least one.
        jobs: names in the order of their colours.
    """
    shown = nodes[: _MOST_ROWS * _MOST_COLUMNS]
    looks = {name: _look(position) for position, name in enumerate(jobs)}
    rows = min(len(shown), _MOST_ROWS)
    width = max(one.devices for one in shown) + _GAP
    columns = -(-len(shown) // rows)
    with styled():
        figure, axes = new_figure(max(5.0, _CELL * width * columns + 2.4), max(2.2, _CELL * rows + 0.9))
        for number, one in enumerate(shown):
            _draw(axes, one, (number // rows) * width, rows - 1 - number % rows, looks,
                  parted=number % rows > 0 and shown[number - 1].leaf != one.leaf)  # fmt: skip
        _legend(axes, [name for name in jobs if any(name in one.jobs.values() for one in shown)], looks)
        axes.text(-0.25, rows + 0.1, "node", ha="right", va="center", fontsize=6, color=MUTED)
        hidden = len(nodes) - len(shown)
        axes.set_title(title + (f" (and {hidden} more nodes)" if hidden else ""))
        axes.set(xlim=(-_GAP, width * columns), ylim=(-0.6, rows + 0.2))
        axes.axis("off")
    return figure, axes


def _look(position: int) -> dict[str, Any]:
    """Return colour and hatching of the n-th job."""
    hatch = _HATCHES[position // len(PALETTE) % len(_HATCHES)]
    return {"facecolor": cycle_color(position), "hatch": hatch, "edgecolor": "white" if hatch else GRID}


def _draw(
    axes: Any, one: MappedNode, left: float, bottom: float, looks: Mapping[str, dict[str, Any]], *, parted: bool
) -> None:  # fmt: skip
    from matplotlib.patches import Rectangle

    axes.text(left - 0.25, bottom + 0.4, f"{one.node}", ha="right", va="center", fontsize=6, color=MUTED)
    for slot in range(one.devices):
        job = one.jobs.get(slot)
        look = {"facecolor": "white", "edgecolor": GRID} if job is None else looks[job]
        axes.add_patch(Rectangle((left + slot, bottom), 0.92, 0.82, linewidth=0.6, **look))
    if parted:
        axes.plot([left - _GAP + 1.0, left + one.devices], [bottom + 0.91] * 2, color=INK, linewidth=1.0)


def _legend(axes: Any, names: Sequence[str], looks: Mapping[str, dict[str, Any]]) -> None:
    from matplotlib.patches import Patch

    if names:
        handles = [Patch(label=name, **looks[name]) for name in names[:_NAMED]]
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=7)
