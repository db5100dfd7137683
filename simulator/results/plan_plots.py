"""Pictures of a recommendation: memory of the best plans, and step time against memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from simulator.foundation.units import GIGA
from simulator.results.memory_plot import MemoryBar, plot_memory
from simulator.results.style import ALARM, INK, MUTED, PALETTE, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMED: Final = 8  # plans of the front that carry their names
_APART: Final = 0.11  # least distance of two of them, as a share of the front's width
_SLOWEST: Final = 3.0  # times the chosen plan's step


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A plan as it is drawn: its short name, seconds of a step and bytes on the fullest device by part."""

    name: str
    step_s: float
    memory: Mapping[str, float]

    @property
    def total(self) -> float:
        """Bytes of all parts."""
        return sum(self.memory.values())


def plot_candidates(best: Sequence[Candidate], capacity: float) -> tuple[Figure, Any]:
    """Draw a memory bar per plan, the best on top; ``capacity`` in bytes."""
    bars = [MemoryBar(name=one.name, parts=one.memory, capacity=capacity) for one in best]
    return plot_memory(bars, title="Memory of the best plans")


def plot_front(
    chosen: Candidate, others: Sequence[Candidate], front: Sequence[Candidate], capacity: float
) -> tuple[Figure, Any]:
    """Draw step time over memory: the plans that none beats in both as a line, the others, and the chosen one.

    Plans more than three times as slow as the chosen one are left out; some of the front carry a letter and are named.

    Args:
        chosen: the recommended plan.
        others: further plans worth showing, such as the runner-ups.
        front: the plans that none beats in both, fastest first (at least one).
        capacity: bytes that tensors can take on a device.
    """
    shown = [one for one in front if one.step_s <= _SLOWEST * chosen.step_s]
    assert shown, "a front holds at least one plan as fast as the chosen one"
    with styled():
        figure, axes = new_figure(9.0, 5.2)
        memory, steps = [one.total / GIGA for one in shown], [one.step_s for one in shown]
        axes.plot(memory, steps, color=PALETTE[0], marker="o", markersize=4, drawstyle="steps-pre", linewidth=1.2,
                  label="fastest for its memory")  # fmt: skip
        if others:
            axes.scatter([one.total / GIGA for one in others], [one.step_s for one in others], s=26, color=PALETTE[1],
                         label="runner-ups", zorder=3)  # fmt: skip
        axes.scatter([chosen.total / GIGA], [chosen.step_s], s=150, marker="*", color=ALARM, label="chosen", zorder=4)
        axes.axvline(capacity / GIGA, color=MUTED, linestyle="--", linewidth=1.0, label="memory of a device")
        axes.set(xlabel="memory of the fullest device (GB)", ylabel="step time (s)", title="Step time against memory")
        axes.set_xlim(0.0, 1.06 * max(capacity / GIGA, *memory))
        axes.set_ylim(0.0, 1.15 * max(*steps, *(one.step_s for one in others), chosen.step_s))
        axes.grid(visible=True)
        names = _letter(axes, shown)
        axes.text(0.42, 0.97, "\n".join(names), transform=axes.transAxes, va="top", fontsize=8, color=INK)
        axes.legend(loc="lower left")
    return figure, axes


def _letter(axes: Any, front: Sequence[Candidate]) -> list[str]:
    """Write letters beside plans of the front that are far enough apart, from the left; return what they stand for."""
    span = max(one.total for one in front) - min(one.total for one in front)
    last = float("-inf")
    names: list[str] = []
    for one in reversed(front):
        if len(names) < _NAMED and one.total - last >= _APART * span:
            letter = chr(ord("a") + len(names))
            axes.annotate(letter, (one.total / GIGA, one.step_s), xytext=(3, 5), textcoords="offset points", fontsize=9,
                          color=INK, weight="bold")  # fmt: skip
            names.append(f"{letter}: {one.name}, {one.step_s:.3g} s")
            last = one.total
    return names
