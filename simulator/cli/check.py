"""``rackcast check``: whether a file is what rackcast needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli import options, output
from simulator.foundation.errors import Infeasible, InputError, InvalidFile, Place

if TYPE_CHECKING:
    from simulator.scenario import Scenario


def command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Scenario, model or hardware profile files.")],
    overrides: options.Overrides = None,
    as_json: options.Json = False,
) -> None:
    """Check scenario, model and hardware profile files: keys, units, counts, references, layouts.

    Every problem of every file is told, one line each: place, what was found, what is needed.

    example: rackcast check scenarios/gpt3-175b.yaml --set cluster.nodes[0].count=64
    """
    problems: list[InputError] = []
    checked: list[dict[str, Any]] = []
    for path in files:
        try:
            checked.append(_facts(path, overrides or []))
        except InvalidFile as invalid:
            problems.extend(invalid.problems)
        except InputError as error:
            problems.append(error)
    if problems:
        raise InvalidFile(problems)
    if as_json:
        output.json_document({"files": checked})
        return
    for facts in checked:
        output.line(f"{facts['file']}: {facts['text']}")


def _facts(path: Path, overrides: list[str]) -> dict[str, Any]:
    """Check one file and return what it is; raises :class:`InputError`."""
    from simulator.foundation.yaml_reader import read_yaml
    from simulator.scenario import load_scenario

    data = read_yaml(path).data
    if isinstance(data, dict) and "part" in data:
        return _part_facts(path)
    if isinstance(data, dict) and ("transformer" in data or "forward" in data):
        return _model_facts(path)
    scenario = load_scenario(path, overrides)
    _require_fits(path, scenario)
    return _scenario_facts(path, scenario)


def _part_facts(path: Path) -> dict[str, Any]:
    from simulator.profiles.catalogue import kind_of_file, load_part

    part = load_part(kind_of_file(path), path)
    return {"file": str(path), "kind": "profile", "name": part.name, "text": f"profile {part.name} is in order"}


def _model_facts(path: Path) -> dict[str, Any]:
    from simulator.workload.models.files import read_model

    model = read_model(path)
    return {"file": str(path), "kind": "model", "name": model.name, "text": f"model {model.name} is in order"}


def _require_fits(path: Path, scenario: Scenario) -> None:
    """Raise :class:`Infeasible` for a training job whose decided layout does not fit the smallest device."""
    from simulator.costs.memory import usable_memory
    from simulator.scenario.train import TrainWorkload
    from simulator.simulation.feasibility import fitting_memory

    for index, workload in enumerate(scenario.workloads):
        if not isinstance(workload, TrainWorkload) or workload.plan is None:
            continue
        device = min((group.device for group in scenario.groups), key=usable_memory)
        try:
            fitting_memory(workload.job, workload.plan, device, workload.framework, scenario.cluster.tiers,
                           offload=workload.offload)  # fmt: skip
        except Infeasible as error:
            place = Place(file=str(path), key=f"workloads[{index}].parallelism")
            raise error.at(place) from None


def _scenario_facts(path: Path, scenario: Scenario) -> dict[str, Any]:
    machines = ", ".join(f"{group.count} x {group.node.name}" for group in scenario.groups)
    return {
        "file": str(path),
        "kind": "scenario",
        "name": scenario.name,
        "devices": scenario.devices,
        "workloads": [workload.id for workload in scenario.workloads],
        "scenario_sha256": scenario.sha256,
        "text": f"scenario {scenario.name} is in order: {scenario.devices} devices ({machines}), "
        f"{len(scenario.workloads)} workload(s)",
    }
