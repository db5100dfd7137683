"""From a file to a scenario: read, override, validate, resolve; every problem is told at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.foundation.errors import InputError, InvalidFile
from simulator.foundation.files import canonical_json
from simulator.foundation.schema import validate
from simulator.foundation.yaml_reader import Document, read_yaml
from simulator.profiles.catalogue import Catalogue, load_catalogue
from simulator.scenario.events import Event, event_from
from simulator.scenario.hardware import cluster_from, fabric_from, groups_from
from simulator.scenario.kinds import Context, placed
from simulator.scenario.overrides import Override, apply_overrides, blamed, parse_override
from simulator.scenario.paths import file_beside, folder_beside
from simulator.scenario.root import Scenario, ScenarioFile
from simulator.scenario.wishes import plan_from, prices_from, run_from, slo_from
from simulator.scenario.workloads import workload_from
from simulator.workload.models.files import ModelFile
from simulator.workload.models.library import find_model


def load_scenario(path: str | Path, overrides: Sequence[str] = ()) -> Scenario:
    """Return the scenario of a file.

    Args:
        path: a YAML file.
        overrides: assignments such as ``"cluster.nodes[0].count=32"``, applied in order.

    Raises:
        InvalidFile: every problem of the file, each with its place (or the override that caused it) and its mend.
        InputError: the file cannot be read, or an override is none.
    """
    assigned = [parse_override(text) for text in overrides]
    document = apply_overrides(read_yaml(path), assigned)
    try:
        return _resolve(Path(path), document, validate(ScenarioFile, document), assigned)
    except InvalidFile as invalid:
        raise blamed(invalid, assigned, document) from None


@dataclass(slots=True)
class _Problems:
    """Collects input errors of independent parts, so that all are told at once."""

    found: list[InputError] = field(default_factory=list)

    @contextmanager
    def collect(self) -> Iterator[None]:
        try:
            yield
        except InvalidFile as invalid:
            self.found.extend(invalid.problems)
        except InputError as error:
            self.found.append(error)

    def tell(self) -> None:
        """Raise what was found, if anything was."""
        if self.found:
            raise InvalidFile(self.found)


def _resolve(path: Path, document: Document, file: ScenarioFile, assigned: Sequence[Override]) -> Scenario:
    problems = _Problems()
    catalogue = _catalogue(path, document, file)
    root = Context(document=document, path=("cluster",), models={}, devices=0, catalogue=catalogue)
    with problems.collect():
        groups = groups_from(file.cluster, catalogue, root)
    with problems.collect():
        fabric = fabric_from(file.cluster, catalogue, root)
    models = _models(path, document, file, problems)
    problems.tell()
    with problems.collect():
        cluster = cluster_from(groups, fabric, catalogue, file.name, root)
    devices = sum(group.devices for group in groups)
    nodes = tuple((group.node, group.count) for group in groups)
    entries = Context(
        document=document, path=("workloads",), models=models, devices=devices, catalogue=catalogue, nodes=nodes
    )
    workloads = _workloads(file, entries, problems)
    events = _events(document, file, devices, problems)
    problems.tell()
    return Scenario(
        name=file.name,
        description=file.description,
        path=path,
        overrides=tuple(override.text for override in assigned),
        resolved=document.data,
        sha256=hashlib.sha256(canonical_json(document.data).encode()).hexdigest(),
        catalogue=catalogue,
        groups=groups,
        cluster=cluster,
        models={name: model.architecture for name, model in models.items()},
        workloads=workloads,
        plan=plan_from(file.plan),
        slo=slo_from(file.slo),
        prices=prices_from(file.prices),
        events=events,
        run=run_from(file.run),
    )


def _catalogue(path: Path, document: Document, file: ScenarioFile) -> Catalogue:
    if file.parts is None:
        return load_catalogue()
    with placed(document, ("parts",)):
        return load_catalogue(folder_beside(path, file.parts))


def _models(path: Path, document: Document, file: ScenarioFile, problems: _Problems) -> dict[str, ModelFile]:
    models: dict[str, ModelFile] = {}
    for name, reference in file.models.items():
        with problems.collect(), placed(document, ("models", name)):
            is_file = reference.endswith((".yaml", ".yml")) or "/" in reference
            models[name] = find_model(file_beside(path, reference) if is_file else reference)
    return models


def _workloads(file: ScenarioFile, entries: Context, problems: _Problems) -> tuple[Any, ...]:
    built = []
    seen: dict[str, int] = {}
    for index, entry in enumerate(file.workloads):
        context = entries.below(index)
        with problems.collect(), context.at("id"):
            first = seen.setdefault(entry.id, index)
            if first != index:
                raise InputError(f"workloads[{first}] is called {entry.id!r} too; give each its own id.")
        with problems.collect():
            built.append(workload_from(entry, context))
    return tuple(built)


def _events(document: Document, file: ScenarioFile, devices: int, problems: _Problems) -> tuple[Event, ...]:
    for index, event in enumerate(file.events):
        with problems.collect(), placed(document, ("events", index, "device")):
            if event.device >= devices:
                raise InputError(f"there is no device {event.device}; the cluster has 0 to {devices - 1}.")
    return tuple(event_from(event) for event in file.events)
