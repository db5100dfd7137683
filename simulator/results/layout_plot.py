"""The layout map: which rank sits on which device of which node, coloured by pipeline stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.results.style import INK, MUTED, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_NODES: Final = 32
_MOST_SLOTS: Final = 80
_LABELLED_SLOTS: Final = 18  # devices of a node up to which coordinates are written into the boxes


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Where one rank sits and which part of the model it holds (all counted from 0)."""

    rank: int
    node: int
    slot: int  # device within the node
    tensor: int
    pipeline: int
    data: int


def plot_layout(seats: Sequence[Seat], *, title: str = "Where the ranks sit") -> tuple[Figure, Any]:
    """Draw a row per node and a box per device; colour is the pipeline stage, the text ``t`` and ``d`` coordinates.

    Up to 32 nodes are drawn, those of the first replicas, so that every stage shows; how many more there are is said
    below.
    """
    assert seats, "a layout map needs seats"
    first_replica: dict[int, int] = {}
    for seat in seats:
        first_replica[seat.node] = min(seat.data, first_replica.get(seat.node, seat.data))
    nodes = sorted(first_replica, key=lambda node: (first_replica[node], node))
    shown = {node: row for row, node in enumerate(sorted(nodes[:_MOST_NODES]))}
    slots = min(_MOST_SLOTS, 1 + max(seat.slot for seat in seats))
    stages = 1 + max(seat.pipeline for seat in seats)
    with styled():
        figure, axes = new_figure(min(13.0, 2.4 + 0.62 * slots), min(12.0, 1.3 + 0.27 * len(shown)))
        for seat in seats:
            if seat.node in shown and seat.slot < slots:
                _box(axes, seat, len(shown) - 1 - shown[seat.node], stages, labelled=slots <= _LABELLED_SLOTS)
        axes.set(xlim=(0.0, slots), ylim=(0.0, len(shown)))
        axes.set_yticks([len(shown) - 0.5 - row for row in shown.values()], [f"node {node}" for node in shown])
        step = 1 if slots <= _LABELLED_SLOTS else 8
        axes.set_xticks([slot + 0.5 for slot in range(0, slots, step)], [str(slot) for slot in range(0, slots, step)])
        axes.set_xlabel(_caption(len(nodes) - len(shown), labelled=slots <= _LABELLED_SLOTS))
        axes.tick_params(length=0)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.set_title(title)
        _legend(axes, stages)
    return figure, axes


def _stage_color(stage: int, stages: int) -> tuple[float, float, float, float]:
    import matplotlib as mpl

    share = stage / max(1, stages - 1)
    red, green, blue, alpha = mpl.colormaps["viridis"](0.12 + 0.8 * share)
    return (float(red), float(green), float(blue), float(alpha))


def _box(axes: Any, seat: Seat, row: int, stages: int, *, labelled: bool) -> None:
    from matplotlib.patches import Rectangle

    color = _stage_color(seat.pipeline, stages)
    axes.add_patch(Rectangle((seat.slot + 0.04, row + 0.08), 0.92, 0.84, facecolor=color, linewidth=0))
    if labelled:
        bright = float(np.dot(color[:3], (0.299, 0.587, 0.114))) > 0.55  # luma, ITU-R BT.601
        axes.text(seat.slot + 0.5, row + 0.48, f"t{seat.tensor} d{seat.data}", ha="center", va="center", fontsize=6.5,
                  color=INK if bright else "white")  # fmt: skip


def _caption(hidden: int, *, labelled: bool) -> str:
    words = "device of the node" + ("; t: tensor rank, d: data-parallel replica" if labelled else "")
    return words + (f"\n{hidden} more nodes, of further replicas, are not drawn" if hidden else "")


def _legend(axes: Any, stages: int) -> None:
    from matplotlib.patches import Patch

    marks = range(stages) if stages <= 12 else np.unique(np.linspace(0, stages - 1, 9).astype(int)).tolist()
    entries = [Patch(facecolor=_stage_color(stage, stages), edgecolor=MUTED, linewidth=0.2, label=f"stage {stage}")
               for stage in marks]  # fmt: skip
    axes.legend(handles=entries, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)
