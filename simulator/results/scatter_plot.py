"""Predicted over measured, both logarithmic: the picture of a validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.results.style import GRID, INK, MUTED, cycle_color, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS: Final = ("o", "^", "s", "D", "v", "P", "X", "*")
_COLORS: Final = 8
_CLOSE: Final = 0.20
_COLUMNS_AFTER: Final = 24  # entries of the legend that fit one column


def plot_scatter(
    measured: Sequence[float],
    predicted: Sequence[float],
    groups: Sequence[str],
    *,
    title: str = "Predicted over measured",
    unit: str = "",
) -> tuple[Figure, Any]:
    """Draw one point per row on logarithmic axes, by group, with the diagonal and the band of 20 % around it.

    Args:
        measured, predicted: positive, shape (n,), in the same unit.
        groups: shape (n,), one name per point; each gets a colour and a marker, and a line in the legend with its
            number of points and its median absolute relative error.
        unit: for the axis labels; leave it empty where units are mixed.

    Returns:
        The figure and its axes; an empty input gives empty axes that say so.
    """
    x, y = np.asarray(measured, dtype=float), np.asarray(predicted, dtype=float)
    assert x.shape == y.shape == (len(groups),), "one group per point"
    with styled():
        figure, axes = new_figure(9.0, 6.0)
        axes.set_title(title)
        suffix = f" ({unit})" if unit else ""
        axes.set_xlabel(f"measured{suffix}")
        axes.set_ylabel(f"predicted{suffix}")
        if not x.size:
            axes.text(0.5, 0.5, "no row was predicted", transform=axes.transAxes, ha="center", color=MUTED)
            return figure, axes
        _diagonal(axes, x, y)
        names = sorted(set(groups))
        for position, name in enumerate(names):
            chosen = np.array([group == name for group in groups])
            _points(axes, x[chosen], y[chosen], name, position)
        columns = 1 + (len(names) - 1) // _COLUMNS_AFTER
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=7, ncols=columns, handletextpad=0.3)
    return figure, axes


def _diagonal(axes: Any, x: np.ndarray, y: np.ndarray) -> None:
    low = float(min(x.min(), y.min())) / 2.0
    high = float(max(x.max(), y.max())) * 2.0
    ends = np.array([low, high])
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.grid(visible=True, which="major")
    axes.fill_between(ends, ends * (1 - _CLOSE), ends * (1 + _CLOSE), color=GRID, zorder=0.6, linewidth=0)
    axes.plot(ends, ends, color=INK, linewidth=0.8, zorder=0.8)
    axes.annotate("within 20 %", (high, high), xytext=(-8, -46), textcoords="offset points", ha="right", fontsize=7,
                  color=MUTED)  # fmt: skip


def _points(axes: Any, x: np.ndarray, y: np.ndarray, name: str, position: int) -> None:
    median = float(np.median(np.abs(y / x - 1.0)))
    marker = _MARKERS[(position // _COLORS) % len(_MARKERS)]
    axes.scatter(
        x, y, s=14, marker=marker, color=cycle_color(position), alpha=0.65, linewidths=0,
        label=f"{name} ({x.size}): {median:.1%}",
    )  # fmt: skip
