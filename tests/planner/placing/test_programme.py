"""The placement held against trying every way to stand, on small random clusters and jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from simulator.planner.placing.crossing import Crossing
from simulator.planner.placing.jobs import Job, Room, Spares
from simulator.planner.placing.programme import Placed, place_jobs

#: a way for one job to stand: tasks by node, and where they start if they are aligned
Way = tuple[tuple[int, ...], int]


def _room(first: int, nodes: int, leaf: int, *, device: str = "a", devices: int = 4, memory: float = 80.0) -> Room:
    return Room(site=0, leaf=leaf, device=device, first=first, nodes=nodes, devices=devices, memory=memory,
                host_memory=10.0)  # fmt: skip


def _problem(seed: int) -> tuple[list[Job], list[Room], list[Crossing], Spares]:
    draw = np.random.default_rng(seed)
    rooms, first = [], 0
    for leaf in range(int(draw.integers(1, 3))):
        for device in ["a", "b"] if draw.random() < 0.25 else ["a"]:
            nodes = int(draw.integers(1, 3))
            rooms.append(_room(first, nodes, leaf, device=device, memory=80.0 if device == "a" else 40.0))
            first += nodes
    names = [f"job{number}" for number in range(int(draw.integers(2, 4)))]
    jobs = []
    for name in names:
        others = [other for other in names if other != name]
        tasks, width = int(draw.integers(1, 4)), int(draw.choice([1, 2, 3, 4]))
        jobs.append(Job(
            name=name, tasks=tasks, devices=width, value=float(draw.integers(1, 9)), gang=bool(draw.random() < 0.7),
            memory=float(draw.choice([10.0, 60.0])), host_memory=float(draw.choice([0.0, 3.0, 6.0])),
            within=str(draw.choice(["site", "site", "leaf", "node"])),  # type: ignore[arg-type]
            at_most={"node": 1} if draw.random() < 0.2 else {"leaf": 2} if draw.random() < 0.2 else None,
            apart={str(draw.choice(["node", "leaf"])): (str(draw.choice(others)),)} if draw.random() < 0.3 else None,  # type: ignore[dict-item]
            near=(str(draw.choice(others)),) if draw.random() < 0.15 else (), aligned=bool(draw.random() < 0.3),
        ))  # fmt: skip
    crossings = []
    for _ in jobs:
        node, leaf, leaves = np.cumsum(draw.integers(0, 4, 3)).tolist()
        crossings.append(Crossing(node=float(node), leaf=float(leaf), leaves=float(leaves)))
    spares = Spares(nodes=int(draw.random() < 0.2), per="leaf" if draw.random() < 0.5 else "cluster")
    return jobs, rooms, crossings, spares


def _ways(job: Job, nodes: list[Room]) -> Iterator[Way]:
    """Yield every way for one job to stand by itself."""
    small = job.aligned and any(job.devices < room.devices for room in nodes)
    for tasks in product(*(range(min(job.tasks, room.devices // job.devices) + 1) for room in nodes)):
        here = [room for room, count in zip(nodes, tasks, strict=True) if count]
        total = sum(tasks)
        leaves = Counter()  # type: ignore[var-annotated]
        for room, count in zip(nodes, tasks, strict=True):
            leaves[room.leaf] += count
        touched = [leaf for leaf, count in leaves.items() if count]
        if (
            not all(room.suits(job) for room in here)
            or total > job.tasks
            or (job.gang and total not in (0, job.tasks))
            or len({room.home for room in here}) > 1
            or (job.within == "node" and len(here) > 1)
            or (job.within in ("node", "leaf") and len(touched) > 1)
            or max(tasks) > job.most("node")
            or any(leaves[leaf] > job.most("leaf") for leaf in touched)
            or (small and any(count > 1 for room, count in zip(nodes, tasks, strict=True)))
        ):
            continue
        starts = range(0, nodes[0].devices - job.devices + 1, job.devices) if small and total else [0]
        yield from ((tasks, start) for start in starts)


def _stand_together(jobs: list[Job], nodes: list[Room], ways: tuple[Way, ...]) -> bool:
    by_name = dict(zip([job.name for job in jobs], [way[0] for way in ways], strict=True))
    for k, room in enumerate(nodes):
        here = [(job, way) for job, way in zip(jobs, ways, strict=True) if way[0][k]]
        if sum(job.devices * way[0][k] for job, way in here) > room.devices:
            return False
        if sum(job.host_memory * way[0][k] for job, way in here if job.devices < room.devices) > room.host_memory:
            return False
        slots = Counter(slot for job, way in here if job.aligned and job.devices < room.devices
                        for slot in range(way[1], way[1] + job.devices))  # fmt: skip
        if max(slots.values(), default=0) > 1:
            return False
    for job in jobs:
        mine = by_name[job.name]
        leaves = {room.leaf for room, count in zip(nodes, mine, strict=True) if count}
        for level, others in (job.apart or {}).items():
            for other in others:
                theirs = by_name[other]
                if level == "node" and any(a and b for a, b in zip(mine, theirs, strict=True)):
                    return False
                if level == "leaf" and leaves & {room.leaf for room, count in zip(nodes, theirs, strict=True) if count}:
                    return False
        for other in job.near:
            if not leaves <= {room.leaf for room, count in zip(nodes, by_name[other], strict=True) if count}:
                return False
    return True


def _spared(nodes: list[Room], ways: tuple[Way, ...], spares: Spares) -> bool:
    empty = Counter({(room.device, room.leaf if spares.per == "leaf" else -1): 0 for room in nodes})
    for k, room in enumerate(nodes):
        if not any(way[0][k] for way in ways):
            empty[room.device, room.leaf if spares.per == "leaf" else -1] += 1
    return all(count >= spares.nodes for count in empty.values())


def _worth(
    jobs: list[Job], nodes: list[Room], crossings: list[Crossing], ways: tuple[Way, ...]
) -> tuple[float, float, int, int]:
    value, exchange, leaves = 0.0, 0.0, 0
    for job, cost, (tasks, _) in zip(jobs, crossings, ways, strict=True):
        total, spread = sum(tasks), sum(count > 0 for count in tasks)
        touched = len({room.leaf for room, count in zip(nodes, tasks, strict=True) if count})
        value += job.value * total / job.tasks
        exchange += job.ranks * cost.node * total / job.tasks
        exchange += job.ranks * ((cost.leaf - cost.node) * (spread > 1) + (cost.leaves - cost.leaf) * (touched > 1))
        leaves += touched
    return -value, exchange, leaves, sum(any(way[0][k] for way in ways) for k in range(len(nodes)))


def _brute_force(
    jobs: list[Job], rooms: list[Room], crossings: list[Crossing], spares: Spares
) -> tuple[float, float, int, int] | None:
    nodes = [room for room in rooms for _ in range(room.nodes)]
    best = None
    for ways in product(*(list(_ways(job, nodes)) for job in jobs)):
        worth = _worth(jobs, nodes, crossings, ways)
        if (best is None or worth < best) and _spared(nodes, ways, spares) and _stand_together(jobs, nodes, ways):
            best = worth
    return best


def _checked(jobs: list[Job], rooms: list[Room], found: Placed) -> None:
    """Every task stands on devices of its own, in a room that suits it."""
    taken: set[tuple[int, int]] = set()
    for stand in found.stands:
        job = next(job for job in jobs if job.name == stand.job)
        room = next(room for room in rooms if room.first <= stand.node < room.first + room.nodes)
        assert room.suits(job)
        assert (room.leaf, room.device) == (stand.leaf, stand.device)
        assert len(stand.slots) == stand.tasks * job.devices
        spots = {(stand.node, slot) for slot in stand.slots}
        assert not spots & taken
        taken |= spots
    for job in jobs:
        mine = [stand for stand in found.stands if stand.job == job.name]
        assert sum(stand.tasks for stand in mine) == found.tasks[job.name]
        if job.aligned:
            assert len({stand.slots for stand in mine}) <= 1


@pytest.mark.parametrize("start", range(0, 240, 40))
def test_no_way_to_stand_is_better_than_the_programmes(start: int) -> None:
    placed = 0
    for seed in range(start, start + 40):
        jobs, rooms, crossings, spares = _problem(seed)
        best = _brute_force(jobs, rooms, crossings, spares)
        found = place_jobs(jobs, rooms, crossings, spares=spares)
        assert (found is None) == (best is None), seed
        if found is None or best is None:
            continue
        assert found.proved
        assert (-found.value, found.exchange_s, found.leaves, found.nodes) == pytest.approx(best, abs=1e-5), seed
        _checked(jobs, rooms, found)
        placed += found.value > 0
    assert placed >= 25


def test_a_cluster_of_many_leaves_is_filled_and_jobs_stay_below_one() -> None:
    rooms = [_room(8 * leaf, 8, leaf, devices=8) for leaf in range(16)]
    jobs = [Job(name=f"job{number}", tasks=tasks, devices=8, value=float(8 * tasks))
            for number, tasks in enumerate([8, 8, 6, 6, 5, 5, 4, 4, 4, 3, 3, 3, 2, 2, 2, 2, 2, 1, 1, 1])]  # fmt: skip
    jobs += [Job(name=f"small{number}", tasks=2, devices=4, value=8.0) for number in range(6)]
    costs = [Crossing(node=0.0, leaf=0.1, leaves=0.5)] * len(jobs)
    found = place_jobs(jobs, rooms, costs)
    assert found is not None
    assert found.proved
    assert found.value == sum(job.value for job in jobs)
    assert found.leaves == len(jobs)
    assert found.nodes == 72 + 6


def test_a_search_that_is_cut_off_says_how_far_the_optimum_may_be() -> None:
    rooms = [_room(2 * leaf, 2, leaf, devices=8) for leaf in range(3)]
    draw = np.random.default_rng(5)
    jobs = [Job(name=f"job{n}", tasks=int(draw.integers(1, 4)), devices=int(draw.choice([2, 3, 5])),
                value=float(draw.integers(10, 30)), apart={"node": (f"job{(n + 1) % 10}",)})
            for n in range(10)]  # fmt: skip
    costs = [Crossing(node=0.0, leaf=1.0, leaves=2.0)] * len(jobs)
    whole, cut = place_jobs(jobs, rooms, costs), place_jobs(jobs, rooms, costs, search_nodes=1)
    assert whole is not None
    assert cut is not None
    assert whole.proved
    assert cut.value <= whole.value <= cut.value + cut.gap + 1e-6
