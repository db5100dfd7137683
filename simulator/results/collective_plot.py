"""Time and bus bandwidth of a collective over its size, with measurements beside; and jobs that share a fabric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.foundation.units import GIBI, GIGA, KIBI, MEBI, MICRO, MILLI
from simulator.results.style import GRID, INK, MUTED, cycle_color, new_figure, new_panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIZES: Final = ((GIBI, "GiB"), (MEBI, "MiB"), (KIBI, "KiB"), (1.0, "B"))


def plot_collective(
    sizes: Sequence[float],
    seconds: Sequence[float],
    bus_bandwidth: Sequence[float],
    algorithms: Sequence[str],
    *,
    measured: Sequence[tuple[float, float, float, str]] = (),
    title: str = "",
) -> tuple[Figure, Any]:
    """Draw time (left) and bus bandwidth (right) over message size; colour tells the algorithm.

    Args:
        sizes, seconds, bus_bandwidth, algorithms: one of each per point, in B, s, B/s.
        measured: (B, s, B/s of bus bandwidth, source) of published or own measurements.
    """
    with styled():
        figure, (left, right) = new_panels(11.0, 4.4, ratios=(1.0, 1.0))
        left.set(title=title, xlabel="message size", ylabel="time (us)")
        right.set(xlabel="message size", ylabel="bus bandwidth (GB/s)")
        _lines(left, sizes, np.asarray(seconds) / MICRO, algorithms)
        _lines(right, sizes, np.asarray(bus_bandwidth) / GIGA, algorithms)
        for position, source in enumerate(sorted({one[3] for one in measured})):
            mine = [one for one in measured if one[3] == source]
            marker = "osD^v"[position % 5]
            times, rates = [one[1] / MICRO for one in mine], [one[2] / GIGA for one in mine]
            for axes, values in ((left, times), (right, rates)):
                axes.scatter([one[0] for one in mine], values, s=22, marker=marker, facecolors="none", edgecolors=INK,
                             linewidths=0.9, zorder=3, label=f"measured ({source})")  # fmt: skip
        left.set_yscale("log")
        right.set_ylim(bottom=0)
        for axes in (left, right):
            _size_axis(axes, [*sizes, *(one[0] for one in measured)])
        left.legend(loc="upper left")
    return figure, (left, right)


def _lines(axes: Any, sizes: Sequence[float], values: Any, algorithms: Sequence[str]) -> None:
    """Draw one line whose pieces take the colour of the algorithm at their start."""
    names = sorted(set(algorithms))
    axes.plot(sizes, values, color=GRID, linewidth=1.0, zorder=1)
    for position, name in enumerate(names):
        here = np.array([one == name for one in algorithms])
        shown = np.where(here, values, np.nan)
        axes.plot(sizes, shown, color=cycle_color(position), linewidth=2.0, marker=".", label=name, zorder=2)


def _size_axis(axes: Any, sizes: Sequence[float]) -> None:
    axes.set_xscale("log", base=2)
    low, high = np.floor(np.log2(min(sizes))), np.ceil(np.log2(max(sizes)))
    step = max(1, int(np.ceil((high - low) / 7)))
    ticks = 2.0 ** np.arange(low, high + 1, step)
    axes.set_xticks(ticks, [_size(tick) for tick in ticks])
    axes.minorticks_off()
    axes.grid(axis="y")


def _size(value: float) -> str:
    factor, unit = next((one for one in _SIZES if value >= one[0]), _SIZES[-1])
    return f"{value / factor:g} {unit}"


def plot_sharing(
    alone: dict[str, float], together: dict[str, float], without: dict[tuple[str, str], float], *, title: str = ""
) -> tuple[Figure, Any]:
    """Draw, for each job, a step alone, together, and with one other job taken away (s)."""
    jobs = list(together)
    rows = [(job, "alone", alone[job]) for job in jobs] + [(job, "together", together[job]) for job in jobs]
    rows += [(job, f"without {other}", seconds) for (job, other), seconds in without.items() if job in together]
    rows.sort(key=lambda row: (jobs.index(row[0]), row[1] == "together", row[1]))
    kinds = {"alone": MUTED, "together": cycle_color(5)}
    with styled():
        figure, axes = new_figure(8.0, 0.9 + 0.36 * len(rows))
        for position, (_, kind, seconds) in enumerate(rows):
            axes.barh(position, seconds / MILLI, height=0.7, color=kinds.get(kind, cycle_color(4)))
            axes.text(seconds / MILLI, position, f" {seconds / MILLI:.4g} ms", va="center", ha="left", fontsize=8)
        axes.set_yticks(range(len(rows)), [f"{job}: {kind}" for job, kind, _ in rows])
        axes.invert_yaxis()
        axes.set(title=title, xlabel="mean step (ms)")
        axes.set_xlim(0, max(row[2] for row in rows) / MILLI * 1.15)
        axes.grid(axis="x")
    return figure, axes
