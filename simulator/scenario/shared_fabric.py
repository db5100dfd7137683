"""``kind: shared-fabric``: several jobs on one network; who slows whom, by how much, over which link."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from simulator.costs.collectives.algorithms import OPERATIONS
from simulator.engine.network.fabric import POLICIES
from simulator.engine.network.jobs import Job, place
from simulator.engine.network.sharing import Shared, share
from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.schema import Bytes, Count, Name, Seconds, StrictModel
from simulator.scenario.kinds import Context, WorkloadKind
from simulator.topology import Cluster

_RANGE: Final = re.compile(r"(\d{1,7})(?:-(\d{1,7})(?:/(\d{1,4}))?)?")


def _nodes(value: object) -> object:
    """Read ``0-15/2, 20`` as the numbers of nodes: every second of 0 to 15, and 20."""
    if not isinstance(value, str):
        raise ValueError(f"found {value!r}; write the numbers of nodes as text, as in '0-7' or '0-15/2, 20'.")  # noqa: TRY004
    found: list[int] = []
    for part in value.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part.strip()!r} is no range of nodes; write as in '0-7' or '0-15/2, 20'.")
        first, last, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
        if last < first or step < 1:
            raise ValueError(f"{part.strip()!r} holds no node; write the smaller number first.")
        found += range(first, last + 1, step)
    return tuple(found)


#: what an editor accepts
_TEXT: Final = {"type": "string", "pattern": rf"^\s*{_RANGE.pattern}\s*(,\s*{_RANGE.pattern}\s*)*$"}

NodeNumbers = Annotated[tuple[int, ...], BeforeValidator(_nodes), WithJsonSchema(_TEXT)]


class JobFile(StrictModel):
    """One job: where its ranks are, and what a step is."""

    name: Name
    nodes: NodeNumbers = Field(description="numbers of its nodes from 0, as in '0-7' or '0-15/2, 20'")
    devices_per_node: Count | None = Field(default=None, description="ranks on each; left out: all devices")
    operation: str = Field(default="all-reduce", description="a collective of `rackcast comm`")
    size: Bytes = Field(description="of the collective, as nccl-tests counts it")
    compute: Seconds = Field(default=0.0, description="of a step, before it communicates")
    steps: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=10, description="0: for as long as the others run (background traffic)"
    )
    start: Seconds = 0.0


class LinkFile(StrictModel):
    """A link that is not as it should be, by the names of its ends in `rackcast topo path`."""

    between: Annotated[list[str], Field(min_length=2, max_length=2)]
    keeps: Annotated[float, Field(ge=0.0, le=1.0, strict=False)] = Field(
        default=0.0, description="share of its capacity; 0: it is down, and routes go round it"
    )


class SharedFabricFile(StrictModel):
    """Jobs on one network as they stand in a scenario."""

    id: Name
    kind: Literal["shared-fabric"]
    routing: str = Field(default="ecmp", description="ecmp (a hash picks the path), adaptive or single")
    jobs: Annotated[list[JobFile], Field(min_length=1, max_length=64)]
    links: Annotated[list[LinkFile], Field(max_length=10_000)] = Field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedFabricWorkload:
    """Jobs on one network with every name resolved."""

    id: str
    routing: str
    jobs: tuple[JobFile, ...]
    down: tuple[tuple[str, str], ...]
    derated: dict[tuple[str, str], float]

    def run(self, cluster: Cluster, *, routing: str | None = None) -> Shared:
        """Play the jobs on a cluster, with the routing of the scenario or another one.

        Raises:
            InputError: a job on a node that the cluster lacks.
            Infeasible: no way round the links that are down.
        """
        jobs = [
            Job(
                name=one.name, nodes=place(cluster, one.nodes, one.devices_per_node), operation=one.operation,
                size=one.size, compute=one.compute, steps=one.steps, start=one.start,
            )
            for one in self.jobs
        ]  # fmt: skip
        return share(cluster, jobs, policy=routing or self.routing, down=self.down, derated=self.derated)


def build(file: SharedFabricFile, context: Context) -> SharedFabricWorkload:
    """Resolve the jobs; raises :class:`InputError` with its place."""
    with context.at("routing"):
        if file.routing not in POLICIES:
            raise UnknownName("routing policy", file.routing, POLICIES)
    count = sum(number for _, number in context.nodes)
    for position, job in enumerate(file.jobs):
        with context.at("jobs", position, "operation"):
            _ = OPERATIONS[job.operation]
        with context.at("jobs", position, "nodes"):
            if max(job.nodes) >= count:
                raise InputError(f"node {max(job.nodes)} is asked; the cluster has {count}, numbered from 0.")
            if len(set(job.nodes)) != len(job.nodes):
                raise InputError("a node stands here twice; name each once.")
    ends: Any = [(tuple(link.between), link.keeps) for link in file.links]
    return SharedFabricWorkload(
        id=file.id,
        routing=file.routing,
        jobs=tuple(file.jobs),
        down=tuple(pair for pair, keeps in ends if keeps == 0),
        derated={pair: keeps for pair, keeps in ends if keeps > 0},
    )


KIND = WorkloadKind(name="shared-fabric", file=SharedFabricFile, build=build)
