"""The page of a training cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from simulator.foundation.units import show
from simulator.planner.pages import layout, parts
from simulator.planner.sensitivity import sensitivity
from simulator.planner.training_cluster import ClusterPlan, Offer
from simulator.results.cluster_plot import ClusterPoint, plot_clusters
from simulator.results.report import Grid, Reason, Report, Section, picture

_SHOWN = 12  # clusters in the table of those that came next


def cluster_report(found: ClusterPlan) -> Report:
    """Return the page of a cluster: machines first, then the layout on them."""
    one = found.chosen
    inner = layout.report_with(found.plan)
    return replace(
        inner,
        title=f"{found.plan.scenario.name}: cluster for a training run",
        decision=f"Take {one.nodes} x {one.machine.node.name}: {show(one.seconds, 'time', 3)} and {one.usd:,.0f} USD.",
        detail=f"The best by {found.objective} of {len(found.offers)} clusters. Layout: {layout.in_short(found.plan)}. "
        f"{inner.detail}",
        reasons=(*_reasons(found), *(one for one in inner.reasons if one.head not in ("Why this one", "What binds"))),
        sections=(*_sections(found), *inner.sections),
    )


def _reasons(found: ClusterPlan) -> Iterator[Reason]:
    slo = found.plan.scenario.slo
    limits = [f"ends within {show(slo.finish_s, 'time')}"] if slo.finish_s is not None else []
    limits += [f"costs at most {slo.cost_usd:,.0f} USD"] if slo.cost_usd is not None else []
    kept = sum(one.keeps(slo) for one in found.offers)
    next_best = "" if found.margin is None else f"; the next best is {found.margin:.1%} worse"
    yield Reason(
        head="Why this one",
        text=f"{kept} of {len(found.offers)} clusters keep the limits "
        f"({' and '.join(limits) or 'none set'}){next_best}.",
    )
    yield Reason(head="What binds", text=f"{found.binding}.")


def _sections(found: ClusterPlan) -> Iterator[Section]:
    deadline = found.plan.scenario.slo.finish_s
    drawn = plot_clusters(
        point(found.chosen), [point(one) for one in found.offers], [point(one) for one in found.front], deadline
    )
    slo = found.plan.scenario.slo
    ranked = sorted(found.offers, key=lambda one: (not one.keeps(slo), found.worse(one)))[:_SHOWN]
    rows = [
        (
            f"{one.nodes} x {one.machine.node.name}",
            show(one.seconds, "time", 3),
            f"{one.usd:,.0f}",
            f"{found.worse(one):+.1%}",
            "yes" if one.keeps(slo) else "no",
        )
        for one in ranked
    ]
    mine = f"{found.chosen.nodes} x {found.chosen.machine.node.name}"
    marked = next((number for number, row in enumerate(rows) if row[0] == mine), None)
    grids = [Grid.of(("cluster", "time", "USD", "against the chosen", "within limits"), rows, marked=marked)]
    if found.refused:
        grids.append(Grid.of(("cluster", "put out because"), found.refused, title="Clusters that cannot run it"))
    yield Section(
        title="Which cluster",
        grids=tuple(grids),
        text=("Each cluster with its own fastest layout, by the closed form.",),
        pictures=(picture(drawn, "Cost against time of every cluster; nothing beats the line in both"),),
    )
    yield parts.flips(
        sensitivity(found), text="Prices at which another machine would win, and the layout on another machine."
    )


def point(one: Offer) -> ClusterPoint:
    """Return an offer as it is drawn."""
    return ClusterPoint(name=f"{one.nodes} x {one.machine.node.name}", seconds=one.seconds, usd=one.usd)
