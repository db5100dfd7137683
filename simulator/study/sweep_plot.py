"""The picture of a sweep: one figure over the first key, a line for each combination of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from simulator.foundation.errors import UnknownName
from simulator.results.style import ALARM, MUTED, cycle_color, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMED: Final = 12  # lines that carry a name; more are drawn without a legend
_TICKS: Final = 8  # values that each have a mark on the axis
_UNITS: Final = {"s": "s", "ms": "ms", "bytes": "B", "j": "J", "w": "W", "usd": "USD"}
_WIDE: Final = 10.0  # largest over smallest value from which an axis is logarithmic


def plot_sweep(frame: pd.DataFrame, keys: Sequence[str], metric: str) -> tuple[Figure, Any]:
    """Draw ``metric`` over ``keys[0]``; points that do not fit are crosses on the axis.

    Raises:
        UnknownName: no such figure.
    """
    figures = [str(name) for name in frame.columns if name not in ("point", "status", "reason", *keys)]
    if metric not in figures:
        raise UnknownName("figure", metric, figures)
    first, *others = keys
    numeric = pd.api.types.is_numeric_dtype(frame[first])
    places = frame[first] if numeric else pd.Series(pd.factorize(frame[first])[0], index=frame.index)
    with styled():
        figure, axes = new_figure(8.0, 4.6)
        groups = list(frame.groupby(others, sort=False)) if others else [((), frame)]
        for position, (values, group) in enumerate(groups):
            name = ", ".join(f"{_short(key)} {value}" for key, value in zip(others, values, strict=True))
            rows = group[group["status"] == "ok"]
            axes.plot(places[rows.index], rows[metric].astype(float), marker="o", markersize=4, linewidth=1.2,
                      color=cycle_color(position), label=name if position < _NAMED else None)  # fmt: skip
        _mark_failures(axes, places[frame["status"] != "ok"])
        axes.set(title=f"{_called(metric)} over {_short(first)}", xlabel=first, ylabel=_called(metric))
        axes.grid(visible=True)
        if not numeric:
            named = list(dict.fromkeys(frame[first].astype(str)))
            axes.set_xticks(range(len(named)), named)
        elif frame[first].min() > 0 and frame[first].max() >= _WIDE * frame[first].min():
            axes.set_xscale("log")
        elif frame[first].nunique() <= _TICKS:
            axes.set_xticks(sorted(frame[first].unique()))
        if axes.get_legend_handles_labels()[1]:
            axes.legend(loc="best")
    return figure, axes


def _mark_failures(axes: Any, places: pd.Series) -> None:
    if len(places):
        axes.scatter(places, [0.02] * len(places), transform=axes.get_xaxis_transform(), marker="x", color=ALARM,
                     s=28, linewidths=1.2, label="does not fit", clip_on=False)  # fmt: skip
        return
    axes.margins(x=0.04)
    axes.tick_params(color=MUTED)


def _called(metric: str) -> str:
    """Return a figure's name as a label, the unit that ends it in brackets.

    >>> _called("step_time_s"), _called("tokens_per_s"), _called("mfu")
    ('step time (s)', 'tokens per s', 'mfu')
    """
    name, _, unit = metric.rpartition("_")
    if unit in _UNITS and not name.endswith("_per"):
        return f"{name.replace('_', ' ')} ({_UNITS[unit]})"
    return metric.replace("_", " ")


def _short(key: str) -> str:
    """Return the last part of a key: ``count`` of ``cluster.nodes[0].count``."""
    return key.rpartition(".")[2]
