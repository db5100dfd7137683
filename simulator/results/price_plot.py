"""Pictures of what a service may cost: deployments by price and requests inside the limits; fleets side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.results.style import ALARM, INK, MUTED, PALETTE, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A deployment that was played: its name, price, the worst share of requests inside the limits, and if it does."""

    name: str
    price: float
    attainment: float
    keeps: bool


def plot_prices(
    chosen: Played, named: Sequence[Played], played: Sequence[Played], wanted: float, unit: str
) -> tuple[Figure, Any]:
    """Draw who keeps the limits over price; ``named`` carry a letter and are explained at the side."""
    with styled():
        figure, axes = new_figure(9.0, 4.6)
        for keeps, color, label in ((False, MUTED, "misses the limits"), (True, PALETTE[0], "keeps the limits")):
            some = [one for one in played if one.keeps == keeps]
            axes.scatter(
                [one.price for one in some],
                [100.0 * one.attainment for one in some],
                s=20,
                color=color,
                alpha=0.75,
                linewidths=0,
                label=label,
                zorder=2,
            )
        axes.scatter(
            [chosen.price], [100.0 * chosen.attainment], s=170, marker="*", color=ALARM, label="chosen", zorder=4
        )
        axes.axhline(100.0 * wanted, color=MUTED, linestyle="--", linewidth=1.0, label="wanted")
        told: list[str] = []
        at: list[float] = []
        for letter, one in zip("abcdefgh", named, strict=False):
            axes.annotate(
                letter,
                (one.price, 100.0 * one.attainment),
                xytext=(5, -12 - 10 * at.count(one.price)),
                textcoords="offset points",
                weight="bold",
                color=INK,
            )
            at.append(one.price)
            told.append(f"{letter}: {one.name}")
        axes.text(
            0.995,
            0.03,
            "\n".join(told),
            transform=axes.transAxes,
            ha="right",
            va="bottom",
            fontsize=8,
            color=INK,
            bbox={"facecolor": "white", "alpha": 0.85, "edgecolor": "none"},
        )
        axes.set(
            xlabel=f"price ({unit})",
            ylabel="requests inside the limits, worst draw (%)",
            title="What cheaper deployments miss",
        )
        axes.set_ylim(min(0.0, *(100.0 * one.attainment for one in played)), 104.0)
        axes.grid(visible=True)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure, axes


def plot_fleets(names: Sequence[str], prices: Sequence[float], unit: str) -> tuple[Figure, Any]:
    """Draw a bar per fleet, the chosen one first."""
    with styled():
        figure, axes = new_figure(8.0, 0.9 + 0.42 * len(names))
        axes.barh(list(names), list(prices), color=[ALARM, *[PALETTE[0]] * (len(names) - 1)])
        for position, price in enumerate(prices):
            axes.text(price, position, f" {price:,.2f}", va="center", fontsize=8.5)
        axes.invert_yaxis()
        axes.set_xlim(0.0, 1.15 * max(prices))
        axes.set(xlabel=f"price ({unit})", title="The mix beside each kind alone")
    return figure, axes
