"""A placement in sentences, rows and a map."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.foundation.units import show
from simulator.planner.placing.placement_plan import PlacementPlan, number_ranges
from simulator.results.placement_plot import MappedNode

#: columns of the table of stands
COLUMNS = ("job", "node", "leaf", "device", "tasks", "devices")
#: columns for people
SHOWN = ("job", "tasks", "nodes", "leaves", "all-reduce", "left out because")


def rows(found: PlacementPlan) -> list[tuple[object, ...]]:
    """Return what stands where as rows of :data:`COLUMNS`."""
    return [(*list(row.values())[:-1], " ".join(map(str, row["devices"]))) for row in found.rows()]


def sentences(found: PlacementPlan) -> Iterator[str]:
    """Yield the placement in sentences, the decision first."""
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


def shown(found: PlacementPlan) -> Iterator[tuple[object, ...]]:
    """Yield a row of :data:`SHOWN` per job."""
    for job in found.jobs:
        mine = [stand for stand in found.placed.stands if stand.job == job.name]
        spent, placed = found.exchange(job), found.placed.tasks[job.name]
        yield (job.name, f"{placed} of {job.tasks} x {job.devices}", number_ranges([stand.node for stand in mine]),
               number_ranges([stand.leaf for stand in mine]), show(spent, "time") if spent else "",
               found.rejected.get(job.name, ""))  # fmt: skip


def mapped(found: PlacementPlan) -> Iterator[MappedNode]:
    """Yield every node as it is drawn."""
    jobs: dict[int, dict[int, str]] = {}
    for stand in found.placed.stands:
        jobs.setdefault(stand.node, {}).update(dict.fromkeys(stand.slots, stand.job))
    for room in sorted(found.rooms, key=lambda room: room.first):
        for node in range(room.first, room.first + room.nodes):
            yield MappedNode(node=node, leaf=room.leaf, devices=room.devices, jobs=jobs.get(node, {}))
