"""How devices are fed: what each stage can bring against what a step needs, and the epochs of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.costs.input import StallAccount
from simulator.engine.data.run import DataRun
from simulator.results.style import ALARM, INK, PALETTE, color_of, cycle_color, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_stages(account: StallAccount) -> tuple[Figure, Any]:
    """Draw the samples/s that each stage can bring to a device and what it needs; unlimited stages are left out."""
    rates = {stage: rate for stage, rate in account.rates.items() if np.isfinite(rate)}
    with styled():
        figure, axes = new_figure(7.0, 0.9 + 0.45 * max(1, len(rates)))
        colors = [ALARM if stage == account.bottleneck else PALETTE[4] for stage in rates]
        axes.barh(list(rates), list(rates.values()), color=colors, height=0.6)
        axes.axvline(account.needed, color=INK, linewidth=1.2, linestyle="--")
        axes.annotate(f" needed: {account.needed:.4g}", (account.needed, 1.0), xycoords=("data", "axes fraction"),
                      va="bottom", ha="center", fontsize=8.5, annotation_clip=False)  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlim(left=min([*rates.values(), account.needed]) / 5)
        axes.invert_yaxis()
        axes.set_xlabel("samples/s for each device")
        axes.set_title("What each stage can bring", pad=18)
    return figure, axes


def plot_epochs(run: DataRun) -> tuple[Figure, Any]:
    """Draw the time of each epoch: computing, waiting for the largest shard, waiting for data."""
    with styled():
        figure, axes = new_figure(6.5, 3.8)
        names = [str(epoch.number) for epoch in run.epochs]
        wait = np.array([epoch.wait_s for epoch in run.epochs])
        uneven = np.array([epoch.imbalance_s for epoch in run.epochs])
        compute = np.array([epoch.time_s for epoch in run.epochs]) - wait - uneven
        parts = (
            ("computing", compute, color_of("forward")),
            ("waiting for the largest shard", uneven, color_of("bubble")),
            ("waiting for data", wait, color_of("data")),
        )
        below = np.zeros(len(names))
        for label, amounts, color in parts:
            if amounts.max() > 0.005 * (compute + wait + uneven).max():
                axes.bar(names, amounts, bottom=below, label=label, color=color, width=0.6)
            below += amounts
        for position, epoch in enumerate(run.epochs):
            axes.text(position, below[position], f"hits {epoch.hit_rate:.0%}", ha="center", va="bottom", fontsize=8.5)
        axes.set_ylim(0.0, float(below.max()) * 1.25)
        axes.legend(loc="upper right", ncols=3)
        axes.set_xlabel("epoch")
        axes.set_ylabel("seconds")
        axes.set_title("Where the time of an epoch goes")
    return figure, axes


def plot_hit_rates(
    policies: Mapping[str, Callable[[ArrayLike], NDArray[np.float64]]],
    measured: Mapping[str, Sequence[tuple[float, float]]] | None = None,
) -> tuple[Figure, Any]:
    """Draw hit rates against the cached share of the data set.

    Args:
        policies: name -> closed form.
        measured: name -> points (cached share, hit rate) to be drawn beside the lines.
    """
    with styled():
        figure, axes = new_figure(6.0, 4.2)
        cached = np.linspace(0.0, 1.0, 201)
        for position, (name, rate) in enumerate(policies.items()):
            axes.plot(cached, rate(cached), color=cycle_color(position), label=name)
            for x, y in (measured or {}).get(name, ()):
                axes.plot([x], [y], marker="o", color=cycle_color(position), markeredgecolor=INK)
        axes.set_xlim(0.0, 1.0)
        axes.set_ylim(0.0, 1.02)
        axes.set_xlabel("share of the data set that fits into the cache")
        axes.set_ylabel("hit rate of an epoch")
        axes.set_title("A cache that replaces hits less than it holds")
        axes.legend(loc="upper left")
        axes.grid(visible=True)
    return figure, axes
