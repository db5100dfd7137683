"""The picture of a service that answers in one pass: its latency, the network's part, and its limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.foundation.units import KILO
from simulator.results.style import ALARM, PALETTE, few_decades, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from simulator.results.predicting import PredictionResult


def plot_prediction(result: PredictionResult) -> tuple[Figure, Any]:
    """Draw the cumulative distributions of the whole latency and of what the service takes of it."""
    run = result.predicted
    parts = {"whole": run.latency_s, "inside the service": run.latency_s - run.network_s}
    with styled():
        fig, axes = new_figure(6.4, 3.6)
        for (name, values), color in zip(parts.items(), PALETTE, strict=False):
            known = np.sort(values[np.isfinite(values)])
            if len(known):
                axes.plot(known * KILO, np.arange(1, len(known) + 1) / len(known), color=color, label=name)
        if result.limit_s is not None:
            axes.axvline(result.limit_s * KILO, color=ALARM, linestyle="--", linewidth=1.0, label="limit")
        axes.set_xscale("log")
        few_decades(axes)
        axes.set_xlabel("latency, ms")
        axes.set_ylabel("share of requests")
        axes.set_ylim(0, 1.02)
        axes.set_title(f"{result.workload}: latency")
        axes.grid(visible=True, which="major")
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=3)
        return fig, axes
