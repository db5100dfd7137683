"""The roofline plot: what operators reach against what arithmetic and memory allow.

Source: Williams, Waterman, Patterson 2009, doi:10.1145/1498765.1498785.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.foundation.units import TERA, show
from simulator.results.style import INK, MUTED, cycle_color, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorPoint:
    """One operator on the plot.

    Attributes:
        intensity: FLOP per byte moved to and from memory.
        flop_per_s: reached.
        share: of the step's time, 0 to 1; it gives the dot its area.
    """

    name: str
    intensity: float
    flop_per_s: float
    share: float


def plot_roofline(
    points: Sequence[OperatorPoint], *, peak: float, bandwidth: float, title: str = "Roofline"
) -> tuple[Figure, Any]:
    """Draw the roof of a device and the operators under it, on logarithmic axes.

    Args:
        points: at least one; a dot's area is its share of time.
        peak: dense FLOP/s of the precision used.
        bandwidth: bytes/s of the device's memory.
    """
    assert points, "a roofline plot needs operators"
    ridge = peak / bandwidth
    intensities = np.array([point.intensity for point in points])
    low, high = min(intensities.min(), ridge) / 4.0, max(intensities.max(), ridge) * 4.0
    with styled():
        figure, axes = new_figure(9.0, 5.2)
        grid = np.geomspace(low, high, 200)
        axes.plot(grid, np.minimum(peak, grid * bandwidth) / TERA, color=INK, linewidth=1.6)
        axes.plot([ridge, ridge], [1e-9, peak / TERA], color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
        for number, point in enumerate(sorted(points, key=lambda one: (-one.share, one.name))):
            label = f"{point.name} ({point.share:.1%})"
            axes.scatter(point.intensity, point.flop_per_s / TERA, s=24 + 900 * point.share, color=cycle_color(number),
                         alpha=0.8, edgecolor="white", linewidth=0.6, label=label)  # fmt: skip
        lowest = min(min(point.flop_per_s for point in points), low * bandwidth) / TERA
        axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(lowest / 2.0, 3.0 * peak / TERA), title=title)
        axes.set(xlabel="arithmetic intensity (FLOP/B)", ylabel="reached (TFLOP/s)")
        axes.grid(visible=True, which="major")
        _captions(axes, low, ridge, peak, bandwidth)
        entries = axes.legend(title="operator (share of time)", loc="center left", bbox_to_anchor=(1.01, 0.5))
        for handle in entries.legend_handles:
            handle.set_sizes([30.0])
    return figure, axes


def _captions(axes: Any, low: float, ridge: float, peak: float, bandwidth: float) -> None:
    axes.annotate(f"peak {show(peak, 'flop_rate')}", (ridge, peak / TERA), xytext=(6, 5), textcoords="offset points",
                  fontsize=8, color=INK)  # fmt: skip
    middle = float(np.sqrt(low * ridge))
    axes.annotate(f"memory {show(bandwidth, 'bandwidth')}", (middle, middle * bandwidth / TERA), xytext=(-6, 4),
                  textcoords="offset points", ha="right", fontsize=8, color=INK)  # fmt: skip
    axes.annotate(f"ridge at {ridge:.0f} FLOP/B", (ridge, 0.02), xycoords=("data", "axes fraction"), xytext=(4, 0),
                  textcoords="offset points", fontsize=7, color=MUTED)  # fmt: skip
