"""``rackcast plan`` of a training run whose machines are open: the cheapest or fastest cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from simulator.cli import output

if TYPE_CHECKING:
    from simulator.planner.training_cluster import ClusterPlan, Offer
    from simulator.results.cluster_plot import ClusterPoint

COLUMNS = ("node", "nodes", "devices", "time_to_train_s", "cost_usd", "on_front", "chosen")


def sentences(found: ClusterPlan) -> list[str]:
    """Return the decision in sentences, the cluster first."""
    from simulator.foundation.units import show
    from simulator.planner import report

    one, slo = found.chosen, found.plan.scenario.slo
    limits = [f"{show(slo.finish_s, 'time')}"] if slo.finish_s is not None else []
    limits += [f"{slo.cost_usd:,.0f} USD"] if slo.cost_usd is not None else []
    inside = f" (limits: {', '.join(limits)})" if limits else ""
    word = "cheapest" if found.objective == "cost" else "fastest"
    head = (
        f"Take {one.nodes} x {one.machine.node.name}: {show(one.seconds, 'time')} and {one.usd:,.0f} USD{inside}, "
        f"the {word} of {len(found.offers)} clusters."
    )
    refused = [f"The run fits on none of: {', '.join(name for name, _ in found.refused)}."] if found.refused else []
    return [head, *report.sentences(found.plan), *refused]


def rows(found: ClusterPlan) -> list[tuple[object, ...]]:
    """Return every cluster as a row of :data:`COLUMNS`, the best first."""
    return [(*one.facts().values(), one in found.front, _same(one, found.chosen)) for one in found.offers]


def _same(one: Offer, other: Offer) -> bool:
    return (one.machine, one.nodes) == (other.machine, other.nodes)


def show(found: ClusterPlan, *, as_json: bool, as_csv: bool) -> None:
    """Print which cluster to take, its layout, and the front."""
    if as_json:
        output.json_document({**found.facts(), "explanation": sentences(found)})
        return
    if as_csv:
        output.csv(COLUMNS, rows(found))
        return
    from simulator.foundation.units import show as spoken

    for text in sentences(found):
        output.line(text)
    table = [
        (f"{one.nodes} x {one.machine.node.name}", spoken(one.seconds, "time"), f"{one.usd:,.0f} USD",
         "chosen" if _same(one, found.chosen) else "")
        for one in found.front
    ]  # fmt: skip
    output.table(("cluster", "time", "cost", ""), table, title="clusters that none beats in both time and money")


def write(found: ClusterPlan, folder: Path) -> None:
    """Write plan.json, clusters.csv and the picture of money over time."""
    from simulator.foundation.files import canonical_json, write_atomic
    from simulator.results.cluster_plot import plot_clusters
    from simulator.results.style import save

    document = output.envelope({**found.facts(), "explanation": sentences(found)})
    deadline = found.plan.scenario.slo.finish_s
    figure = plot_clusters(_point(found.chosen), [_point(one) for one in found.offers],
                           [_point(one) for one in found.front], deadline)[0]  # fmt: skip
    written = [
        write_atomic(folder / "plan.json", canonical_json(document)),
        write_atomic(folder / "clusters.csv", output.csv_text(COLUMNS, rows(found))),
        save(figure, folder / "cost-against-time.png"),
    ]
    output.note(f"wrote {', '.join(path.name for path in written)} to {folder}")


def _point(one: Offer) -> ClusterPoint:
    from simulator.results.cluster_plot import ClusterPoint

    return ClusterPoint(name=f"{one.nodes} x {one.machine.node.name}", seconds=one.seconds, usd=one.usd)
