"""``rackcast plan`` of a training run whose machines are open: the cheapest or fastest cluster."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.cli.decision import Decision, Shown

if TYPE_CHECKING:
    from simulator.planner.training_cluster import ClusterPlan

COLUMNS = ("node", "nodes", "devices", "time_to_train_s", "cost_usd", "energy_j", "carbon_g", "on_front", "chosen")


def sentences(found: ClusterPlan) -> list[str]:
    """Return the decision in sentences, the cluster first."""
    from simulator.foundation.units import MEGA, show
    from simulator.planner import report

    one, slo = found.chosen, found.plan.scenario.slo
    limits = [f"{show(slo.finish_s, 'time')}"] if slo.finish_s is not None else []
    limits += [f"{slo.cost_usd:,.0f} USD"] if slo.cost_usd is not None else []
    inside = f" (limits: {', '.join(limits)})" if limits else ""
    drawn = "" if math.isnan(one.joules) else f", {show(one.joules, 'energy')} at full load"
    emitted = "" if math.isnan(one.grams) else f", {one.grams / MEGA:,.3g} t CO2e"
    head = (
        f"Take {one.nodes} x {one.machine.node.name}: {show(one.seconds, 'time')} and {one.usd:,.0f} USD{inside}"
        f"{drawn}{emitted}; the least {found.objective} of {len(found.offers)} clusters."
    )
    refused = [f"The run fits on none of: {', '.join(name for name, _ in found.refused)}."] if found.refused else []
    close = [] if found.margin is None else [f"The next best cluster inside the limits is {found.margin:.1%} worse."]
    bound = f"What keeps a better cluster away: {found.binding}."
    return [head, *close, bound, *report.sentences(found.plan), *refused]


def rows(found: ClusterPlan) -> list[tuple[object, ...]]:
    """Return every cluster as a row of :data:`COLUMNS`, the best first."""
    return [(*one.facts().values(), one in found.front, found.takes(one)) for one in found.offers]


def decision(found: ClusterPlan) -> Decision:
    """Return which cluster to take, its layout, and the front, as they are shown."""
    from simulator.foundation.units import show

    front = [
        (f"{one.nodes} x {one.machine.node.name}", show(one.seconds, "time"), f"{one.usd:,.0f} USD",
         "chosen" if found.takes(one) else "")
        for one in found.front
    ]  # fmt: skip
    title = "clusters that none beats in both time and money"
    return Decision(
        facts=found.facts(),
        sentences=sentences(found),
        columns=COLUMNS,
        rows=rows(found),
        shown=[Shown(columns=("cluster", "time", "cost", ""), rows=front, title=title)],
    )


def draw(found: ClusterPlan, folder: Path) -> list[Path]:
    """Write the picture of money over time."""
    from simulator.planner.pages.cluster import point
    from simulator.results.cluster_plot import plot_clusters
    from simulator.results.style import save

    deadline = found.plan.scenario.slo.finish_s
    figure = plot_clusters(point(found.chosen), [point(one) for one in found.offers],
                           [point(one) for one in found.front], deadline)[0]  # fmt: skip
    return [save(figure, folder / "cost-against-time.png")]
