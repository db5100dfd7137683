"""Predicted over measured, both logarithmic, and the spread of every source: the picture of a validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.results.style import GRID, INK, MUTED, cycle_color, new_panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CLOSE: Final = 0.20
_RATIO_LIMITS: Final = (0.25, 4.0)  # points beyond are drawn on the edge
_HEIGHT: Final = 0.7  # of a source's strip
_GOLDEN: Final = 0.6180339887498949  # spreads any number of points evenly: the fractional parts of its multiples


def plot_scatter(
    measured: Sequence[float],
    predicted: Sequence[float],
    groups: Sequence[str],
    *,
    title: str = "Predicted over measured",
) -> tuple[Figure, Any]:
    """Draw one point per row: predicted over measured on the left, predicted / measured by source on the right.

    Both show the band of 20 %. The right panel names each group with its number of points and its median absolute
    relative error, and marks the median ratio.

    Args:
        measured, predicted: positive, shape (n,), in the same unit row by row.
        groups: shape (n,), one name per point.

    Returns:
        The figure and its two axes; an empty input gives empty axes that say so.
    """
    x, y = np.asarray(measured, dtype=float), np.asarray(predicted, dtype=float)
    assert x.shape == y.shape == (len(groups),), "one group per point"
    names = sorted(set(groups), reverse=True)
    with styled():
        figure, (left, right) = new_panels(13.0, max(6.0, 1.4 + 0.24 * len(names)), ratios=(1.0, 1.0))
        left.set(title=title, xlabel="measured", ylabel="predicted")
        if not x.size:
            right.set_visible(False)
            left.text(0.5, 0.5, "no row was predicted", transform=left.transAxes, ha="center", color=MUTED)
            return figure, (left, right)
        _diagonal(left, x, y)
        for position, name in enumerate(names):
            chosen = np.array([group == name for group in groups])
            color = cycle_color(len(names) - 1 - position)
            left.scatter(x[chosen], y[chosen], s=12, color=color, alpha=0.55, linewidths=0)
            _strip(right, y[chosen] / x[chosen], position, color)
        _ratio_axes(right, [_name(name, x, y, groups) for name in names])
    return figure, (left, right)


def _diagonal(axes: Any, x: np.ndarray, y: np.ndarray) -> None:
    low = float(min(x.min(), y.min())) / 2.0
    high = float(max(x.max(), y.max())) * 2.0
    ends = np.array([low, high])
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
    axes.grid(visible=True, which="major")
    axes.fill_between(ends, ends * (1 - _CLOSE), ends * (1 + _CLOSE), color=GRID, zorder=0.6, linewidth=0)
    axes.plot(ends, ends, color=INK, linewidth=0.8, zorder=0.8)


def _strip(axes: Any, ratio: np.ndarray, row: int, color: str) -> None:
    spread = (np.arange(ratio.size) * _GOLDEN) % 1.0 - 0.5
    inside = np.clip(ratio, *_RATIO_LIMITS)
    axes.scatter(inside, row + _HEIGHT * spread, s=7, color=color, alpha=0.5, linewidths=0)
    middle = float(np.clip(np.median(ratio), *_RATIO_LIMITS))
    axes.plot([middle, middle], [row - 0.42, row + 0.42], color=INK, linewidth=1.6, solid_capstyle="butt")


def _name(name: str, x: np.ndarray, y: np.ndarray, groups: Sequence[str]) -> str:
    chosen = np.array([group == name for group in groups])
    return f"{name} ({chosen.sum()}): {np.median(np.abs(y[chosen] / x[chosen] - 1.0)):.1%}"


def _ratio_axes(axes: Any, names: Sequence[str]) -> None:
    ticks = [0.25, 0.5, 0.8, 1.0, 1.2, 2.0, 4.0]
    axes.set(xscale="log", xlim=(_RATIO_LIMITS[0] / 1.05, _RATIO_LIMITS[1] * 1.05), ylim=(-0.6, len(names) - 0.4))
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.axvspan(1 - _CLOSE, 1 + _CLOSE, color=GRID, zorder=0.5, linewidth=0)
    axes.axvline(1.0, color=INK, linewidth=0.8, zorder=0.8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set(title="By source: rows and median error", xlabel="predicted / measured; a bar marks the median")
