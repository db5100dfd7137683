"""Many jobs on one cluster, exactly: an integer programme over how many tasks of each job stand where.

What counts, one after another: the value of what is placed; the device-seconds that its all-reduces take per step; the
leaves that its jobs touch; the nodes that are not empty. So a cluster is filled, jobs are kept together, and what is
left over stays in whole nodes.

A task that fills a node is only counted by room, since the nodes of a room are alike; smaller tasks are given to
single nodes of it, as many as could ever hold one. Nodes are used in order, which leaves out mirror images.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from simulator.planner.integer_programme import Programme, Solved, total
from simulator.planner.placing.crossing import Crossing
from simulator.planner.placing.jobs import NO_SPARES, Job, Room, Spares


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """``tasks`` of a job on one node of the cluster, and the numbers of the devices there that they take."""

    job: str
    node: int
    leaf: int
    device: str
    tasks: int
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where everything stands.

    Attributes:
        stands: in the order of the jobs, then of the nodes.
        tasks: placed of each job.
        value, exchange_s, leaves, nodes: the four objectives, in order; ``exchange_s`` in device-seconds per step.
        gap: by how much the value might be better still; 0 unless the search was cut off.
        proved: whether nothing better by any of the four is left.
    """

    stands: tuple[Stand, ...]
    tasks: Mapping[str, int]
    value: float
    exchange_s: float
    leaves: int
    nodes: int
    gap: float
    proved: bool


def place_jobs(
    jobs: Sequence[Job],
    rooms: Sequence[Room],
    crossings: Sequence[Crossing],
    *,
    spares: Spares = NO_SPARES,
    forced: Sequence[str] = (),
    by_value: bool = False,
    search_nodes: int | None = None,
) -> Placed | None:
    """Return the best placement; None if the ``forced`` jobs cannot all be placed, or the spares not be kept.

    Args:
        crossings: of each job.
        forced: names of jobs that must be placed.
        by_value: only the first objective counts; the others are what they happen to be.
        search_nodes: most nodes of the search tree of each objective; None: until the optimum is proved.
    """
    model = _Model(jobs, rooms)
    model.keep_spares(spares)
    for n, job in enumerate(jobs):
        if job.name in forced:
            model.programme.keep({model.placed[n]: 1.0}, least=1.0 if job.gang else float(job.tasks))
    objectives = list(model.objectives(crossings))
    found = model.programme.minimise(objectives[:1] if by_value else objectives, nodes=search_nodes)
    return None if found is None else model.read(found, [total(one, found.values) for one in objectives])


class _Model:
    """The programme and the numbers of its variables; n counts jobs, r rooms, k the nodes of a room."""

    def __init__(self, jobs: Sequence[Job], rooms: Sequence[Room]) -> None:
        self.jobs, self.rooms, self.programme = jobs, rooms, Programme()
        self.placed: list[int] = []  # 0 or 1 of a gang, else tasks
        self.spread: list[int] = []  # 1 if on more than one node
        self.across: list[int] = []  # 1 if below more than one leaf
        self.whole: dict[tuple[int, int], int] = {}  # (n, r): tasks that fill a node each
        self.part: dict[tuple[int, int, int], int] = {}  # (n, r, k): smaller tasks
        self.there: dict[tuple[int, int, int], int] = {}  # (n, r, k): 1 if there are any
        self.start: dict[tuple[int, int, int, int], int] = {}  # (n, r, k, first device): of a task that is aligned
        self.used: dict[tuple[int, int], int] = {}  # (r, k): 1 if the node holds smaller tasks
        self.below: dict[tuple[int, int], int] = {}  # (n, leaf): 1 if it touches the leaf
        self._open_nodes()
        for n, job in enumerate(jobs):
            self._add_job(n, job)
        self._fill_nodes()
        self._keep_apart_and_near()

    def _open_nodes(self) -> None:
        """Add the nodes that may hold smaller tasks, each used only if the one before it is."""
        for r, room in enumerate(self.rooms):
            small = sum(job.tasks for job in self.jobs if room.suits(job) and job.devices < room.devices)
            for k in range(min(room.nodes, small)):
                self.used[r, k] = self.programme.variable(1.0)
                if k:
                    self.programme.keep({self.used[r, k]: 1.0, self.used[r, k - 1]: -1.0}, most=0.0)

    def _add_job(self, n: int, job: Job) -> None:
        problem = self.programme
        self.placed.append(problem.variable(1.0 if job.gang else float(job.tasks)))
        self.spread.append(problem.variable(0.0 if job.within == "node" else 1.0))
        self.across.append(problem.variable(1.0 if job.within == "site" else 0.0))
        suited = [r for r, room in enumerate(self.rooms) if room.suits(job)]
        for r in suited:
            self._add_tasks(n, job, r)
        tasks = {r: self._tasks(n, r) for r in suited}
        everywhere = dict.fromkeys([v for found in tasks.values() for v in found], 1.0)
        problem.keep({**everywhere, self.placed[n]: -float(job.tasks if job.gang else 1)}, least=0.0, most=0.0)
        homes = {home: problem.variable(1.0) for home in dict.fromkeys(self.rooms[r].home for r in suited)}
        problem.keep(dict.fromkeys(homes.values(), 1.0), most=1.0)
        for home, chosen in homes.items():
            inside = [v for r in suited if self.rooms[r].home == home for v in tasks[r]]
            problem.keep({**dict.fromkeys(inside, 1.0), chosen: -float(job.tasks)}, most=0.0)
        for leaf in dict.fromkeys(self.rooms[r].leaf for r in suited):
            inside = [v for r in suited if self.rooms[r].leaf == leaf for v in tasks[r]]
            touched = self.below[n, leaf] = problem.variable(1.0)
            problem.keep({**dict.fromkeys(inside, 1.0), touched: -float(job.most("leaf"))}, most=0.0)
            problem.keep({**dict.fromkeys(inside, 1.0), touched: -1.0}, least=0.0)
        leaves = [v for (m, _), v in self.below.items() if m == n]
        problem.keep({**dict.fromkeys(leaves, 1.0), self.across[n]: -float(len(self.rooms))}, most=1.0)
        nodes = [v for (m, *_), v in [*self.whole.items(), *self.there.items()] if m == n]
        problem.keep({**dict.fromkeys(nodes, 1.0), self.spread[n]: -float(job.tasks)}, most=1.0)
        self._align(n, job)

    def _add_tasks(self, n: int, job: Job, r: int) -> None:
        """Add the tasks of a job in a room, at most so many on a node as it may have there."""
        room, problem = self.rooms[r], self.programme
        if job.devices == room.devices:
            self.whole[n, r] = problem.variable(float(min(job.tasks, room.nodes)))
            return
        most = min(job.most("node"), 1 if job.aligned else room.devices // job.devices)
        for k in [k for q, k in self.used if q == r]:
            self.part[n, r, k] = problem.variable(float(most))
            self.there[n, r, k] = problem.variable(1.0)
            problem.keep({self.part[n, r, k]: 1.0, self.there[n, r, k]: -float(most)}, most=0.0)
            problem.keep({self.part[n, r, k]: 1.0, self.there[n, r, k]: -1.0}, least=0.0)

    def _align(self, n: int, job: Job) -> None:
        """Give the smaller tasks of an aligned job the same devices of every node: those from one start on."""
        nodes = [key for key in self.part if key[0] == n] if job.aligned else []
        if not nodes:
            return
        problem, widest = self.programme, max(self.rooms[r].devices for _, r, _ in nodes)
        chosen = {first: problem.variable(1.0) for first in range(0, widest - job.devices + 1, job.devices)}
        problem.keep(dict.fromkeys(chosen.values(), 1.0), most=1.0)
        for _, r, k in nodes:
            starts = [first for first in chosen if first + job.devices <= self.rooms[r].devices]
            for first in starts:
                self.start[n, r, k, first] = problem.variable(1.0)
                problem.keep({self.start[n, r, k, first]: 1.0, chosen[first]: -1.0}, most=0.0)
            mine = dict.fromkeys([self.start[n, r, k, first] for first in starts], 1.0)
            problem.keep({**mine, self.part[n, r, k]: -1.0}, least=0.0, most=0.0)

    def _tasks(self, n: int, r: int) -> list[int]:
        if (n, r) in self.whole:
            return [self.whole[n, r]]
        return [v for (m, q, _), v in self.part.items() if (m, q) == (n, r)]

    def _fill_nodes(self) -> None:
        """No node holds more devices or host memory than it has, and no device two tasks."""
        problem = self.programme
        for (r, k), used in self.used.items():
            room = self.rooms[r]
            here = {n: v for (n, q, j), v in self.part.items() if (q, j) == (r, k)}
            problem.keep({**{v: float(self.jobs[n].devices) for n, v in here.items()}, used: -float(room.devices)},
                         most=0.0)  # fmt: skip
            if any(self.jobs[n].host_memory for n in here) and room.host_memory < float("inf"):
                problem.keep({v: self.jobs[n].host_memory / room.host_memory for n, v in here.items()}, most=1.0)
            for slot in range(room.devices):
                over = [v for (n, q, j, first), v in self.start.items()
                        if (q, j) == (r, k) and first <= slot < first + self.jobs[n].devices]  # fmt: skip
                if len(over) > 1:
                    problem.keep(dict.fromkeys(over, 1.0), most=1.0)

    def keep_spares(self, spares: Spares) -> None:
        """Leave nodes empty, and never take more of a room than there are."""
        problem, empty = self.programme, [self.programme.variable(float(room.nodes)) for room in self.rooms]
        for r, room in enumerate(self.rooms):
            taken = [v for (_, q), v in self.whole.items() if q == r] + [v for (q, _), v in self.used.items() if q == r]
            problem.keep({**dict.fromkeys(taken, 1.0), empty[r]: 1.0}, most=float(room.nodes))
        kept: dict[tuple[str, int], list[int]] = defaultdict(list)
        for r, room in enumerate(self.rooms):
            kept[room.device, room.leaf if spares.per == "leaf" else -1].append(r)
        for found in kept.values():
            problem.keep(dict.fromkeys([empty[r] for r in found], 1.0), least=float(spares.nodes))

    def _keep_apart_and_near(self) -> None:
        problem, numbers = self.programme, {job.name: n for n, job in enumerate(self.jobs)}
        for n, job in enumerate(self.jobs):
            apart = job.apart or {}
            for other in apart.get("leaf", ()):
                for (m, leaf), touched in self.below.items():
                    if m == n and (numbers[other], leaf) in self.below:
                        problem.keep({touched: 1.0, self.below[numbers[other], leaf]: 1.0}, most=1.0)
            for other in apart.get("node", ()):
                for (m, r, k), there in self.there.items():
                    if m == n and (numbers[other], r, k) in self.there:
                        problem.keep({there: 1.0, self.there[numbers[other], r, k]: 1.0}, most=1.0)
            for other in job.near:
                for (m, leaf), touched in self.below.items():
                    if m == n:
                        wanted = self.below.get((numbers[other], leaf))
                        problem.keep({touched: 1.0} if wanted is None else {touched: 1.0, wanted: -1.0}, most=0.0)

    def objectives(self, crossings: Sequence[Crossing]) -> Iterator[Mapping[int, float]]:
        """Yield the four objectives as weights of variables."""
        parts = [1 if job.gang else job.tasks for job in self.jobs]
        yield {self.placed[n]: -job.value / parts[n] for n, job in enumerate(self.jobs)}
        spent: dict[int, float] = defaultdict(float)
        for n, (job, cost) in enumerate(zip(self.jobs, crossings, strict=True)):
            spent[self.placed[n]] += job.ranks * cost.node / parts[n]
            spent[self.spread[n]] += job.ranks * (cost.leaf - cost.node)
            spent[self.across[n]] += job.ranks * (cost.leaves - cost.leaf)
        yield spent
        yield dict.fromkeys(self.below.values(), 1.0)
        yield dict.fromkeys([*self.whole.values(), *self.used.values()], 1.0)

    def read(self, found: Solved, objectives: Sequence[float]) -> Placed:
        """Return where everything stands: smaller tasks on the first nodes of their rooms, whole nodes after them."""
        stands: list[tuple[int, Stand]] = []
        for r, room in enumerate(self.rooms):
            opened = [k for (q, k), v in self.used.items() if q == r and found.whole(v)]
            for k in opened:
                stands += self._on_node(found, r, k)
            node = room.first + len(opened)
            for (n, q), v in self.whole.items():
                for _ in range(found.whole(v) if q == r else 0):
                    stands.append((n, Stand(job=self.jobs[n].name, node=node, leaf=room.leaf, device=room.device,
                                            tasks=1, slots=tuple(range(room.devices)))))  # fmt: skip
                    node += 1
        stands.sort(key=lambda pair: (pair[0], pair[1].node))
        tasks = {job.name: found.whole(self.placed[n]) * (job.tasks if job.gang else 1)
                 for n, job in enumerate(self.jobs)}  # fmt: skip
        value, exchange, leaves, nodes = objectives
        return Placed(stands=tuple(stand for _, stand in stands), tasks=tasks, value=-value, exchange_s=exchange,
                      leaves=round(leaves), nodes=round(nodes), gap=found.gaps[0], proved=found.proved)  # fmt: skip

    def _on_node(self, found: Solved, r: int, k: int) -> Iterator[tuple[int, Stand]]:
        """Yield what stands on one node of a room: the aligned tasks where they must, the others on what is left."""
        room, left = self.rooms[r], set(range(self.rooms[r].devices))
        here = {n: found.whole(v) for (n, q, j), v in self.part.items() if (q, j) == (r, k) and found.whole(v)}
        fixed = {n: first for (n, q, j, first), v in self.start.items() if (q, j) == (r, k) and found.whole(v)}
        for n in sorted(here, key=lambda n: (n not in fixed, n)):
            width = self.jobs[n].devices
            slots = range(fixed[n], fixed[n] + width) if n in fixed else sorted(left)[: here[n] * width]
            left -= set(slots)
            yield n, Stand(job=self.jobs[n].name, node=room.first + k, leaf=room.leaf, device=room.device,
                           tasks=here[n], slots=tuple(slots))  # fmt: skip
