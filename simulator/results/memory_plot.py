"""Memory bars: what fills a device, part by part, against what it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.foundation.units import GIGA
from simulator.results.style import ALARM, GRID, INK, cycle_color, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBar:
    """What one device (or the worst rank of one stage) holds at its peak.

    Attributes:
        name: of the bar: a stage, a layout.
        parts: bytes by part, such as weights, gradients, optimizer, activations; drawn in this order.
        capacity: bytes that a program can get on this device.
    """

    name: str
    parts: Mapping[str, float]
    capacity: float

    @property
    def total(self) -> float:
        """Bytes of all parts."""
        return sum(self.parts.values())


def plot_memory(bars: Sequence[MemoryBar], *, title: str = "Memory of a device by part") -> tuple[Figure, Any]:
    """Draw one horizontal bar per entry, the first on top, its parts in colours, and the capacity as a line.

    A bar that does not fit is named in red. One part has one colour in all bars.
    """
    assert bars, "a memory plot needs bars"
    names = list(dict.fromkeys(part for bar in bars for part in bar.parts))
    widest = max(max(bar.total, bar.capacity) for bar in bars) / GIGA
    with styled():
        figure, axes = new_figure(9.0, min(14.0, 1.7 + 0.48 * len(bars)))
        for number, bar in enumerate(bars):
            _bar(axes, bar, len(bars) - 1 - number, names, widest)
        axes.set(xlim=(0.0, widest * 1.14), ylim=(-0.6, len(bars) - 0.4), xlabel="memory (GB)")
        axes.set_yticks(range(len(bars)), [bar.name for bar in reversed(bars)])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(visible=True, axis="x")
        axes.set_title(title, pad=24)
        _legend(axes, names)
    return figure, axes


def _bar(axes: Any, bar: MemoryBar, row: int, names: Sequence[str], widest: float) -> None:
    left = 0.0
    for part, size in bar.parts.items():
        color = cycle_color(names.index(part))
        axes.barh(row, size / GIGA, left=left, height=0.62, color=color, edgecolor="white", linewidth=0.6)
        left += size / GIGA
    limit = bar.capacity / GIGA
    axes.plot([limit, limit], [row - 0.42, row + 0.42], color=ALARM, linewidth=1.8, solid_capstyle="butt")
    fits = bar.total <= bar.capacity
    after = limit if left <= limit < left + 0.09 * widest else left  # the label does not cross the capacity's line
    axes.text(after + 0.012 * widest, row, f"{left:.1f} GB" if fits else f"{left:.1f} GB: too much", va="center",
              fontsize=8, color=INK if fits else ALARM, weight="normal" if fits else "bold")  # fmt: skip


def _legend(axes: Any, names: Sequence[str]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[Any] = [
        Patch(facecolor=cycle_color(number), edgecolor=GRID, label=name) for number, name in enumerate(names)
    ]
    entries.append(Line2D([], [], color=ALARM, linewidth=1.8, label="capacity"))
    axes.legend(handles=entries, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=min(7, len(entries)),
                borderaxespad=0.2, columnspacing=1.2, handlelength=1.4)  # fmt: skip
