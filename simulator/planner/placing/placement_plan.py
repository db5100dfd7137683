"""The recommendation for many jobs on one cluster: where each stands, what is left out and why, what binds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simulator.foundation.errors import Infeasible
from simulator.planner.integer_programme import SLACK
from simulator.planner.placing.crossing import Crossing, crossing
from simulator.planner.placing.jobs import Job, Level, Room, Spares, rooms_of
from simulator.planner.placing.programme import Placed, place_jobs
from simulator.scenario import Scenario
from simulator.scenario.place import JobFile, PlaceWorkload


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementPlan:
    """Where many jobs stand.

    Attributes:
        crossings: seconds of each job's all-reduce by how far it is spread.
        rejected: name of each job that is not wholly placed -> why.
        binding: (constraint, value gained without it) for what keeps more from being placed, most gained first.
    """

    scenario: Scenario
    workload: PlaceWorkload
    jobs: tuple[Job, ...]
    rooms: tuple[Room, ...]
    crossings: tuple[Crossing, ...]
    placed: Placed
    rejected: Mapping[str, str]
    binding: tuple[tuple[str, float], ...]

    @property
    def wanted(self) -> float:
        """Value of all jobs."""
        return sum(job.value for job in self.jobs)

    def exchange(self, job: Job) -> float:
        """Seconds of a job's all-reduce where it stands; 0 if it does not."""
        mine = [stand for stand in self.placed.stands if stand.job == job.name]
        cost = self.crossings[self.jobs.index(job)]
        if len({stand.leaf for stand in mine}) > 1:
            return cost.leaves
        return cost.leaf if len(mine) > 1 else cost.node * bool(mine)

    @property
    def decision(self) -> dict[str, dict[str, Any]]:
        """The tasks of each job and the nodes that they stand on."""
        return {
            job.name: {"tasks": self.placed.tasks[job.name],
                       "nodes": number_ranges(one.node for one in self.placed.stands if one.job == job.name)}
            for job in self.jobs
        }  # fmt: skip

    def worse(self, tasks: Mapping[str, int]) -> float | None:
        """Return how much less is placed, as a share, if these jobs must be; None if they cannot all be."""
        asked = _Asked(jobs=self.jobs, rooms=self.rooms, crossings=self.crossings, spares=_spares(self.workload),
                       search_nodes=self.workload.search_nodes)  # fmt: skip
        forced = [name for name, count in tasks.items() if count]
        other = asked.placed(forced=forced, by_value=True)
        return None if other is None else self.placed.value / other.value - 1.0

    def facts(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        return {
            "scenario": self.scenario.name,
            "scenario_sha256": self.scenario.sha256,
            "decision": self.rows(),
            "value": {"placed": self.placed.value, "wanted": self.wanted, "gap": self.placed.gap},
            "exchange_device_s_per_step": self.placed.exchange_s,
            "leaves_touched": self.placed.leaves,
            "nodes_taken": self.placed.nodes,
            "proved": self.placed.proved,
            "rejected": dict(self.rejected),
            "binding": [{"without": name, "value_gained": gain} for name, gain in self.binding],
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return a row per job and node."""
        return [
            {"job": one.job, "node": one.node, "leaf": one.leaf, "device": one.device, "tasks": one.tasks,
             "devices": list(one.slots)}
            for one in self.placed.stands
        ]  # fmt: skip


def recommend_placement(scenario: Scenario, workload: PlaceWorkload) -> PlacementPlan:
    """Return where the jobs of a scenario stand.

    Raises:
        Infeasible: not one of them can stand, or the spares cannot be kept.
    """
    rooms = rooms_of(scenario.cluster)
    jobs = tuple(_job(one, workload.tasks[one.name]) for one in workload.jobs)
    below = max(sum(room.nodes * room.devices for room in rooms if room.leaf == leaf)
                for leaf in {room.leaf for room in rooms})  # fmt: skip
    inside = max(room.devices for room in rooms)
    costs = tuple(crossing(job, scenario.cluster, in_node=inside, in_leaf=below) for job in jobs)
    spares = _spares(workload)
    asked = _Asked(jobs=jobs, rooms=rooms, crossings=costs, spares=spares, search_nodes=workload.search_nodes)
    placed = asked.placed()
    if placed is None:
        raise Infeasible(f"{spares.nodes} nodes of every kind cannot stay empty (per {spares.per}).", binding="spares",
                         relaxation="fewer spares.nodes, or more nodes of the scarce kind")  # fmt: skip
    rejected = {job.name: _reason(asked, job, placed) for job in jobs if placed.tasks[job.name] < job.tasks}
    if not placed.stands:
        told = "; ".join(f"{name}: {reason}" for name, reason in rejected.items())
        raise Infeasible(f"not one of {len(jobs)} jobs can stand on the cluster ({told}).", binding="devices",
                         relaxation="more nodes, or jobs with fewer or smaller tasks")  # fmt: skip
    binding = _binding(asked, placed) if rejected else ()
    return PlacementPlan(scenario=scenario, workload=workload, jobs=jobs, rooms=rooms, crossings=costs, placed=placed,
                         rejected=rejected, binding=binding)  # fmt: skip


def number_ranges(numbers: Iterable[int]) -> str:
    """Return numbers as ranges.

    >>> number_ranges([7, 0, 1, 2, 1])
    '0-2, 7'
    """
    found: list[list[int]] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in found)


def _spares(workload: PlaceWorkload) -> Spares:
    return Spares(nodes=workload.spares.nodes, per=workload.spares.per)


def _job(file: JobFile, tasks: int) -> Job:
    assert file.per_node is not None, "filled in when the scenario was read"
    levels: dict[Level, int | None] = {"node": file.at_most.node, "leaf": file.at_most.leaf}
    apart: dict[Level, tuple[str, ...]] = {"node": tuple(file.apart.node), "leaf": tuple(file.apart.leaf)}
    return Job(
        name=file.name, tasks=tasks, devices=file.per_node,
        value=float(file.devices if file.value is None else file.value),
        gang=file.gang, memory=file.memory or 0.0, host_memory=file.host_memory or 0.0, on=tuple(file.on),
        within=file.within, apart={level: others for level, others in apart.items() if others},
        at_most={level: most for level, most in levels.items() if most is not None},
        near=tuple(file.near), aligned=file.rails == "aligned",
        exchange=file.exchange or 0.0,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One placement problem, to be asked again with something changed."""

    jobs: tuple[Job, ...]
    rooms: tuple[Room, ...]
    crossings: tuple[Crossing, ...]
    spares: Spares
    search_nodes: int | None

    def placed(self, *, forced: Sequence[str] = (), by_value: bool = False) -> Placed | None:
        return place_jobs(self.jobs, self.rooms, self.crossings, spares=self.spares, forced=forced, by_value=by_value,
                          search_nodes=self.search_nodes)  # fmt: skip

    def alone(self, job: Job) -> bool:
        """Return whether the job can stand wholly if all others are absent."""
        lonely = replace(job, apart={}, near=(), gang=True)
        one = replace(self, jobs=(lonely,), crossings=(Crossing(node=0.0, leaf=0.0, leaves=0.0),))
        return one.placed(forced=(job.name,), by_value=True) is not None


def _reason(asked: _Asked, job: Job, placed: Placed) -> str:
    """Say why a job is not wholly placed: what it lacks even alone, or what it would drive out."""
    if not any(room.suits(replace(job, memory=0.0, host_memory=0.0)) for room in asked.rooms):
        return f"no node has {job.devices} devices" + (f" of {', '.join(job.on)}" if job.on else "")
    if not any(room.suits(replace(job, host_memory=0.0)) for room in asked.rooms):
        return "no device that it can run on has the memory"
    if not any(room.suits(job) for room in asked.rooms):
        return "no node that it can run on has the host memory"
    if not asked.alone(job):
        freed = {
            "within": replace(job, within="site"),
            "at_most": replace(job, at_most={}),
            "rails: aligned": replace(job, aligned=False),
        }
        for name, freer in freed.items():
            if freer != job and asked.alone(freer):
                return f"`{name}` cannot be kept even on the empty cluster"
        if asked.spares.nodes and replace(asked, spares=Spares()).alone(job):
            return "the spares leave too little even of the empty cluster"
        return "too few devices even on the empty cluster"
    with_it = asked.placed(forced=(job.name,), by_value=True)
    if with_it is None:
        return "the jobs that it must stand near to, or apart from, leave no room"
    driven = [other.name for other in asked.jobs
              if other is not job and with_it.tasks[other.name] < placed.tasks[other.name]]  # fmt: skip
    if not driven:
        return "the search was cut off before it was placed"
    lost = placed.value - with_it.value
    return f"it would drive out {', '.join(driven)}" + (f" (value {lost:g} less)" if lost > 0 else " (of equal value)")


def _binding(asked: _Asked, placed: Placed) -> tuple[tuple[str, float], ...]:
    """Return what would let more be placed if it were not there, with the value gained, most first."""
    gains = []
    for name, freer in _relaxations(asked):
        better = freer.placed(by_value=True)
        assert better is not None, "fewer constraints, and what was placed can still stand"
        if better.value > placed.value * (1.0 + SLACK):
            gains.append((name, better.value - placed.value))
    return tuple(sorted(gains, key=lambda pair: -pair[1]))


def _relaxations(asked: _Asked) -> Iterator[tuple[str, _Asked]]:
    """Yield each constraint by name, and the problem without it; and one more node of each kind, on a leaf."""
    if asked.spares.nodes:
        yield "spares", replace(asked, spares=Spares())
    freed: dict[str, dict[str, Any]] = {
        "within": {"within": "site"}, "at_most": {"at_most": {}}, "apart": {"apart": {}}, "near": {"near": ()},
        "rails": {"aligned": False}, "gang": {"gang": False}, "on": {"on": ()}, "memory": {"memory": 0.0},
        "host_memory": {"host_memory": 0.0},
    }  # fmt: skip
    for name, change in freed.items():
        jobs = tuple(replace(job, **change) for job in asked.jobs)
        if jobs != asked.jobs:
            yield name, replace(asked, jobs=jobs)
    for device in dict.fromkeys(room.device for room in asked.rooms):
        like = next(room for room in asked.rooms if room.device == device)
        last, leaf = max(asked.rooms, key=lambda room: room.first), max(room.leaf for room in asked.rooms) + 1
        more = replace(like, leaf=leaf, first=last.first + last.nodes, nodes=1)
        yield f"one more node of {device}", replace(asked, rooms=(*asked.rooms, more))
