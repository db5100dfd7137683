"""The waterfall of a step: where its time goes, part after part, down to the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.foundation.units import MICRO, MILLI, show
from simulator.results.style import INK, MUTED, color_of, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a step: its name, the seconds it adds, and what kind of time that is (a key of ``style.KINDS``)."""

    name: str
    seconds: float
    kind: str = "other"


def plot_waterfall(
    parts: Sequence[Part], *, title: str = "Where the step goes", widest: float | None = None
) -> tuple[Figure, Any]:
    """Draw each part after the one before it, with its length and its share; the last bar is the sum of all.

    Args:
        parts: in the order of drawing; seconds of at least 0, with a sum above 0.
        title: above the picture.
        widest: seconds of the longest step beside this one, so that both have one scale; None: its own.
    """
    total = sum(part.seconds for part in parts)
    longest = max(total, widest or 0.0)
    assert total > 0.0, "a waterfall needs time"
    assert min(part.seconds for part in parts) >= 0.0, "parts of a step are no shorter than nothing"
    unit, scale = ("s", 1.0) if longest >= 1.0 else ("ms", MILLI) if longest >= MILLI else ("us", MICRO)
    with styled():
        figure, axes = new_figure(9.0, min(14.0, 1.3 + 0.36 * (len(parts) + 1)))
        before = 0.0
        for number, part in enumerate(parts):
            row = len(parts) - number
            axes.barh(row, part.seconds / scale, left=before / scale, height=0.66, color=color_of(part.kind),
                      edgecolor=MUTED if part.kind == "bubble" else "none", linewidth=0.5)  # fmt: skip
            before += part.seconds
            axes.plot([before / scale] * 2, [row - 0.33, row - 1 + 0.33], color=MUTED, linewidth=0.6)
            _label(axes, before / scale, row, f"{show(part.seconds, 'time', 3)}  ({part.seconds / total:.1%})")
        axes.barh(0, total / scale, height=0.66, color=INK)
        _label(axes, total / scale, 0, show(total, "time"))
        axes.set_yticks(range(len(parts), -1, -1), [*(part.name for part in parts), "whole step"])
        axes.set(xlim=(0.0, 1.2 * longest / scale), ylim=(-0.6, len(parts) + 0.6), xlabel=f"time ({unit})", title=title)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(visible=True, axis="x")
    return figure, axes


def _label(axes: Any, x: float, row: int, text: str) -> None:
    axes.annotate(text, (x, row), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8, color=INK)
