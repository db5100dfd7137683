"""Pictures of a played service: latency curves, time lines, the knee, attainment by rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.foundation.units import KILO, MINUTE
from simulator.results.style import ALARM, MUTED, PALETTE, few_decades, new_figure, new_panels, save, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from simulator.engine.serving.scaling.loop import Timeline
    from simulator.results.serving import ServingResult


def plot_latency(result: ServingResult) -> tuple[Figure, Any]:
    """Draw the cumulative distributions of TTFT, TPOT and latency, with their limits."""
    with styled():
        fig, axes = new_panels(9.5, 3.0, ratios=(1.0, 1.0, 1.0))
        limits = {"ttft": result.limits.ttft_s, "tpot": result.limits.tpot_s, "latency": result.limits.latency_s}
        series = result.series()
        names = {"ttft": "time to first token", "tpot": "time per output token", "latency": "whole answer"}
        for ax, (key, title), color in zip(axes, names.items(), PALETTE, strict=False):
            values, share = series[key].curve()
            if len(values):
                ax.plot(values * KILO, share, color=color, linewidth=1.6)
                ax.set_xscale("log")
            limit = limits[key]
            if limit is not None:
                ax.axvline(limit * KILO, color=ALARM, linestyle="--", linewidth=1.0)
            if len(values):
                few_decades(ax)
            ax.set_title(title)
            ax.set_xlabel("ms")
            ax.set_ylim(0, 1.02)
            ax.grid(visible=True, which="major")
        axes[0].set_ylabel("share of requests")
        return fig, axes


def plot_timeline(line: Timeline, workload: str, *, cache: bool) -> tuple[Figure, Any]:
    """Draw replicas and requests inside over time, and the share of the cache in use where there is one."""
    minutes = np.array(line.time_s) / MINUTE
    with styled():
        fig, first = new_figure(8.0, 5.2 if cache else 3.8)
        first.remove()
        axes = fig.subplots(3 if cache else 2, 1, sharex=True)
        axes[0].step(minutes, line.wanted, where="post", color=MUTED, linewidth=1.0, label="wanted")
        axes[0].step(minutes, line.ready, where="post", color=PALETTE[0], linewidth=1.6, label="ready")
        axes[0].set_ylabel("replicas")
        axes[0].set_ylim(bottom=0)
        axes[0].legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=2)
        axes[1].plot(minutes, line.running, color=PALETTE[2], linewidth=1.3, label="running")
        axes[1].plot(minutes, line.waiting, color=PALETTE[5], linewidth=1.3, label="waiting")
        axes[1].set_ylabel("requests")
        axes[1].set_ylim(bottom=0)
        axes[1].legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=2)
        if cache:
            axes[2].plot(minutes, np.array(line.cache_used) * 100, color=PALETTE[3], linewidth=1.3)
            axes[2].set_ylabel("cache used, %")
            axes[2].set_ylim(0, 102)
        axes[-1].set_xlabel("minutes")
        axes[0].set_title(f"{workload}: replicas and load over time")
        for ax in axes:
            ax.grid(visible=True)
        return fig, axes


def plot_service_timeline(result: ServingResult) -> tuple[Figure, Any]:
    """Draw replicas, requests inside and cache of a service that generates over time."""
    return plot_timeline(result.served.timeline, result.workload, cache=True)


def plot_knee(rows: Sequence[Mapping[str, float]], *, title: str) -> tuple[Figure, Any]:
    """Draw throughput against latency, and attainment, over a sweep of the rate."""
    rate = [row["rate_per_s"] for row in rows]
    with styled():
        fig, axes = new_panels(9.0, 3.4, ratios=(1.0, 1.0))
        axes[0].plot([row["output_tokens_per_s"] for row in rows], [row["ttft_p95_ms"] for row in rows], marker="o",
                     color=PALETTE[0], label="TTFT p95")  # fmt: skip
        axes[0].plot([row["output_tokens_per_s"] for row in rows], [row["tpot_p95_ms"] for row in rows], marker="s",
                     color=PALETTE[1], label="TPOT p95")  # fmt: skip
        axes[0].set_yscale("log")
        axes[0].set_xlabel("generated tokens/s")
        axes[0].set_ylabel("ms")
        axes[0].legend(loc="upper left")
        axes[0].set_title(title)
        axes[1].plot(rate, [100 * row["attainment"] for row in rows], marker="o", color=PALETTE[2])
        axes[1].set_xlabel("requests/s offered")
        axes[1].set_ylabel("inside the limits, %")
        axes[1].set_ylim(-2, 103)
        axes[1].set_title("Attainment by rate")
        for ax in axes:
            ax.grid(visible=True)
        return fig, axes


def save_all(result: ServingResult, folder: Path) -> list[Path]:
    """Write the pictures of one run as PNG; return the paths."""
    return [
        save(plot_latency(result)[0], folder / "latency.png"),
        save(plot_service_timeline(result)[0], folder / "timeline.png"),
    ]
