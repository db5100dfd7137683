"""``rackcast plan`` of many jobs on one cluster: where each stands, what is left out, what binds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.cli.decision import Decision, Shown

if TYPE_CHECKING:
    from simulator.planner.placing.placement_plan import PlacementPlan
    from simulator.results.placement_plot import MappedNode

COLUMNS = ("job", "node", "leaf", "device", "tasks", "devices")


def decision(found: PlacementPlan) -> Decision:
    """Return a placement as it is shown."""
    rows = [(*list(row.values())[:-1], " ".join(map(str, row["devices"]))) for row in found.rows()]
    headings = ("job", "tasks", "nodes", "leaves", "all-reduce", "left out because")
    return Decision(
        facts=found.facts(),
        sentences=list(_sentences(found)),
        columns=COLUMNS,
        rows=rows,
        shown=[Shown(columns=headings, rows=list(_jobs(found)), title="jobs")],
    )


def draw(found: PlacementPlan, folder: Path) -> list[Path]:
    """Draw the map into the folder."""
    from simulator.results.placement_plot import plot_placement
    from simulator.results.style import save

    nodes, names = list(_nodes(found)), [job.name for job in found.jobs]
    return [save(plot_placement(nodes, names, title="Where the jobs stand")[0], folder / "placement.png")]


def _sentences(found: PlacementPlan) -> Iterator[str]:
    placed, jobs = found.placed, found.jobs
    whole = sum(placed.tasks[job.name] == job.tasks for job in jobs)
    nodes = sum(room.nodes for room in found.rooms)
    yield (
        f"Place {whole} of {len(jobs)} jobs on {placed.nodes} of {nodes} nodes: {placed.value:g} of {found.wanted:g} "
        f"in value, and {placed.exchange_s:.3g} device-seconds of all-reduce per step of each."
    )
    if placed.proved:
        yield "No placement is better: by value, then by all-reduce, then by leaves touched, then by nodes left empty."
    else:
        yield f"The search was cut off: the value may be {placed.gap:g} better still."
    if found.binding:
        told = "; ".join(f"{name} (value {gain:g} more)" for name, gain in found.binding)
        yield f"Binding: more could be placed without: {told}."
    elif found.rejected:
        yield "Binding: no single constraint, nor one more node of a kind, would let more be placed."
    else:
        yield "Binding constraint: none; everything is placed."


def _jobs(found: PlacementPlan) -> Iterator[tuple[object, ...]]:
    from simulator.foundation.units import show
    from simulator.planner.placing.placement_plan import number_ranges

    for job in found.jobs:
        mine = [stand for stand in found.placed.stands if stand.job == job.name]
        spent, placed = found.exchange(job), found.placed.tasks[job.name]
        yield (job.name, f"{placed} of {job.tasks} x {job.devices}", number_ranges([stand.node for stand in mine]),
               number_ranges([stand.leaf for stand in mine]), show(spent, "time") if spent else "",
               found.rejected.get(job.name, ""))  # fmt: skip


def _nodes(found: PlacementPlan) -> Iterator[MappedNode]:
    from simulator.results.placement_plot import MappedNode

    jobs: dict[int, dict[int, str]] = {}
    for stand in found.placed.stands:
        jobs.setdefault(stand.node, {}).update(dict.fromkeys(stand.slots, stand.job))
    for room in sorted(found.rooms, key=lambda room: room.first):
        for node in range(room.first, room.first + room.nodes):
            yield MappedNode(node=node, leaf=room.leaf, devices=room.devices, jobs=jobs.get(node, {}))
