"""``kind: place``: many jobs that are to stand on one cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.schema import Bytes, Count, Name, StrictModel
from simulator.scenario.kinds import Context, WorkloadKind

Value: Any = Annotated[float, Field(ge=0, le=1e12, strict=False)]


class PerLevelFile(StrictModel):
    """A number for one node, and one for all nodes below a leaf of the network."""

    node: Count | None = None
    leaf: Count | None = None


class ApartFile(StrictModel):
    """Jobs that may not share a node, or a leaf, with this one."""

    node: list[Name] = Field(default_factory=list)
    leaf: list[Name] = Field(default_factory=list)


class JobFile(StrictModel):
    """One job, or ``copies`` alike."""

    name: Name
    devices: Count = Field(description="of the whole job")
    per_node: Count | None = Field(default=None, description="of one task; left out: a whole node, or all if fewer")
    copies: Annotated[int, Field(ge=1, le=1000)] = 1
    value: Value | None = Field(default=None, description="of placing one copy; left out: its devices")
    gang: bool = Field(default=True, description="all tasks or none; false: as many as find room")
    memory: Bytes | None = Field(default=None, description="that each device must have for tensors")
    host_memory: Bytes | None = Field(default=None, description="of the node, for one task")
    on: list[str] = Field(default_factory=list, description="devices that it runs on; left out: any")
    within: Literal["node", "leaf", "site"] = Field(default="site", description="what must hold all of its tasks")
    at_most: PerLevelFile = Field(default=PerLevelFile(), description="of its tasks, to spread them")
    apart: ApartFile = ApartFile()
    near: list[Name] = Field(default_factory=list, description="jobs that stand below every leaf that it stands below")
    rails: Literal["any", "aligned"] = Field(
        default="any", description="aligned: the same devices of every node, so that traffic stays on their rails"
    )
    exchange: Bytes | None = Field(default=None, description="all-reduced in a step, as nccl-tests counts")


class SparesFile(StrictModel):
    """Nodes of every kind that stay empty."""

    nodes: Annotated[int, Field(ge=0, le=100_000)] = 0
    per: Literal["leaf", "cluster"] = "cluster"


class PlaceFile(StrictModel):
    """Jobs on one cluster as they stand in a scenario."""

    id: Name
    kind: Literal["place"]
    jobs: Annotated[list[JobFile], Field(min_length=1, max_length=200)]
    spares: SparesFile = SparesFile()
    search_nodes: Count | None = Field(
        default=None, description="most nodes of the search tree; left out: until nothing better is left"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceWorkload:
    """Jobs to be placed; ``tasks`` of each by name; every copy has a name of its own and says ``per_node``."""

    id: str
    jobs: tuple[JobFile, ...]
    tasks: dict[str, int]
    spares: SparesFile
    search_nodes: int | None


def build(file: PlaceFile, context: Context) -> PlaceWorkload:
    """Resolve the jobs; raises :class:`InputError` with its place."""
    names = [job.name for job in file.jobs]
    owned = {node.device for node, _ in context.nodes if node.device is not None}
    narrow = min(node.device_count for node, _ in context.nodes)
    jobs: list[JobFile] = []
    tasks: dict[str, int] = {}
    for position, job in enumerate(file.jobs):
        with context.at("jobs", position, "name"):
            if names.count(job.name) > 1:
                raise InputError(f"{job.name!r} stands here twice; give each job a name of its own, or copies.")
        for key, others in (("near", job.near), ("apart", [*job.apart.node, *job.apart.leaf])):
            with context.at("jobs", position, key):
                _known(job, others, file.jobs)
        with context.at("jobs", position, "on"):
            for name in job.on:
                if context.catalogue.devices[name].name not in owned:
                    raise UnknownName("device of this cluster", name, owned)
        per_node = job.per_node or min(job.devices, narrow)
        with context.at("jobs", position, "per_node" if job.per_node else "devices"):
            if job.devices % per_node:
                raise InputError(f"{job.devices} devices are no whole tasks of {per_node}; write per_node, a divisor.")
        devices = [context.catalogue.devices[name].name for name in job.on]
        for copy in range(job.copies):
            name = job.name if job.copies == 1 else f"{job.name}-{copy + 1}"
            jobs.append(job.model_copy(update={"name": name, "per_node": per_node, "on": devices}))
            tasks[name] = job.devices // per_node
    return PlaceWorkload(id=file.id, jobs=tuple(jobs), tasks=tasks, spares=file.spares, search_nodes=file.search_nodes)


def _known(job: JobFile, others: list[str], jobs: list[JobFile]) -> None:
    """Raise unless every name is another job, and a single one."""
    single = {one.name for one in jobs if one.copies == 1 and one.name != job.name}
    for name in others:
        if name not in single:
            raise UnknownName("other job without copies", name, single)


KIND = WorkloadKind(name="place", file=PlaceFile, build=build)
