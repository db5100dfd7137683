"""A scenario: the whole question, as its file holds it and as the program uses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from simulator.foundation.schema import Name, StrictModel
from simulator.profiles.catalogue import Catalogue
from simulator.scenario.events import Event, EventFile
from simulator.scenario.hardware import ClusterFile, NodeGroup
from simulator.scenario.wishes import (
    PlanFile,
    PlanWishes,
    PricesFile,
    PriceWishes,
    RunFile,
    RunSettings,
    Slo,
    SloFile,
)
from simulator.scenario.workloads import WorkloadFile
from simulator.topology import Cluster
from simulator.workload.models.files import Architecture


class ScenarioFile(StrictModel):
    """``scenarios/<name>.yaml``: one question."""

    schema_version: Literal[1]
    name: Name
    description: str = ""
    parts: str | None = Field(default=None, description="a folder beside this file with hardware profiles of your own")
    cluster: ClusterFile
    models: Annotated[dict[Name, str], Field(max_length=100)] = Field(
        default_factory=dict, description="models by the names used here: a shipped one, or a YAML file beside this"
    )
    workloads: Annotated[list[WorkloadFile], Field(min_length=1, max_length=1000)]
    plan: PlanFile = PlanFile()
    slo: SloFile = SloFile()
    prices: PricesFile = PricesFile()
    events: Annotated[list[EventFile], Field(max_length=10_000, default_factory=list)]
    run: RunFile = RunFile()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One question, with every name resolved.

    Attributes:
        path: the file it came from.
        overrides: what ``--set`` changed, as written.
        resolved: the file's data after the overrides; loading it again asks the same question.
        sha256: of ``resolved``.
        groups: the machines, in the order of the file.
        cluster: the machines wired.
        workloads: in the order of the file; each has an ``id``.
    """

    name: str
    description: str
    path: Path
    overrides: tuple[str, ...]
    resolved: Mapping[str, Any]
    sha256: str
    catalogue: Catalogue
    groups: tuple[NodeGroup, ...]
    cluster: Cluster
    models: Mapping[str, Architecture]
    workloads: tuple[Any, ...]
    plan: PlanWishes
    slo: Slo
    prices: PriceWishes
    events: tuple[Event, ...]
    run: RunSettings

    @property
    def devices(self) -> int:
        """Devices of the cluster."""
        return sum(group.devices for group in self.groups)
