"""What ways of cutting cost: the shares of one cut, and the expected price by number of workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.mapping.sharding.expectation import EXPECTED
from simulator.results.style import ALARM, INK, MUTED, PALETTE, cycle_color, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_shard_shares(loads: Mapping[str, Sequence[float]]) -> tuple[Figure, Any]:
    """Draw each worker's share of the data as a multiple of the fair one, one row of bars for each way of cutting.

    Args:
        loads: way of cutting -> bytes or records of each worker; all of one length.
    """
    with styled():
        figure, axes = new_figure(8.0, 0.9 + 1.0 * len(loads))
        for row, amounts in enumerate(loads.values()):
            share = np.asarray(amounts, dtype=np.float64)
            share = share / share.mean()
            left = np.concatenate([[0.0], np.cumsum(share)[:-1]])
            colors = [ALARM if value == share.max() and value > 1.1 else PALETTE[4] for value in share]
            axes.barh([row] * len(share), share, left=left, height=0.8, color=colors, edgecolor="white", linewidth=1.0)
            place = int(share.argmax())
            inside = share[place] > 0.08 * len(share)
            axes.text(left[place] + share[place] / 2 if inside else len(share), row, f"{share[place]:.2f}x",
                      ha="center" if inside else "left", va="center", fontsize=8.0,
                      color="white" if inside and colors[place] == ALARM else INK)  # fmt: skip
        axes.set_yticks(range(len(loads)), list(loads))
        axes.invert_yaxis()
        axes.set_xlabel("shards side by side, in fair shares; the largest is marked: every step waits for it")
        axes.set_title("Who gets how much")
    return figure, axes


def plot_imbalance(methods: Sequence[str], workers: Sequence[int]) -> tuple[Figure, Any]:
    """Draw the expected largest shard over the mean by number of workers, both on logarithmic scales.

    Args:
        methods: names with a closed form (see :data:`simulator.mapping.sharding.expectation.EXPECTED`).
        workers: ascending.
    """
    with styled():
        figure, axes = new_figure(7.0, 4.2)
        for position, method in enumerate(methods):
            values = [EXPECTED[method](count) for count in workers]
            axes.plot(workers, values, marker="o", markersize=3.5, color=cycle_color(position))
            axes.annotate(f" {method}", (workers[-1], values[-1]), color=cycle_color(position), va="center")
        axes.plot(workers, workers, linestyle=":", color=MUTED)
        axes.annotate(" one worker has all", (workers[-1], workers[-1]), color=MUTED, va="bottom")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
        axes.set_xticks(workers, [str(count) for count in workers])
        axes.set_yticks(workers, [f"{count}x" for count in workers])
        axes.minorticks_off()
        axes.set_xlim(workers[0], workers[-1] * (workers[-1] / workers[0]) ** 0.25)
        axes.set_xlabel("workers")
        axes.set_ylabel("largest shard / mean shard = slowdown of a step")
        axes.set_title("What the cut costs a synchronous step")
        axes.grid(visible=True)
    return figure, axes
