"""What a kind of workload hands to ``rackcast run`` to be shown: facts, tables, pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under headings that carry their units."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]

    @staticmethod
    def of(frame: Any) -> Table:
        """Return the table of a pandas frame, its index left out."""
        return Table(columns=list(frame.columns), rows=list(frame.itertuples(index=False, name=None)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer for one workload.

    Attributes:
        summary: in a line or two.
        facts: the JSON document.
        tables: by name, the first of them is what ``--csv`` prints; all are written as CSV files.
        draw: writes pictures and traces into a folder and returns their paths.
        explanation: in sentences, for ``rackcast explain``.
        missed: limits that are missed, one sentence each.
    """

    summary: str
    facts: Mapping[str, Any]
    tables: Mapping[str, Table]
    draw: Callable[[Path], list[Path]]
    explanation: str = ""
    missed: tuple[str, ...] = field(default=())


#: class of workload -> the module whose function ``answer(scenario, workload)`` runs it
ANSWERS: dict[str, str] = {
    "TrainWorkload": "simulator.cli.run_train",
    "ServeWorkload": "simulator.cli.run_serve",
    "PredictWorkload": "simulator.cli.run_predict",
    "DataWorkload": "simulator.cli.run_data",
    "BatchInferWorkload": "simulator.cli.run_data",
    "FederatedWorkload": "simulator.cli.run_rounds",
    "RlWorkload": "simulator.cli.run_rounds",
}

#: class of workload -> the command that plays it instead
ELSEWHERE: dict[str, str] = {"SharedFabricWorkload": "rackcast comm share"}


def answer_for(file: Path, overrides: list[str], workload: str | None, *, resume: Path | None = None) -> Answer:
    """Load a scenario, run one of its workloads and return the answer; raises :class:`RackcastError`.

    ``resume`` is where a service keeps its state; other kinds are over too soon to be kept.
    """
    import importlib

    from simulator.foundation.errors import InputError
    from simulator.scenario import load_scenario
    from simulator.simulation import chosen_workload
    from simulator.simulation.inputs import inputs_of

    scenario = load_scenario(file, overrides)
    chosen = chosen_workload(scenario, workload)
    if type(chosen).__name__ not in ANSWERS:
        raise InputError(f"{file}: workload {chosen.id!r} is played by `{ELSEWHERE[type(chosen).__name__]} {file}`.")
    if resume is not None and type(chosen).__name__ != "ServeWorkload":
        raise InputError(f"--resume keeps the state of a service; {chosen.id!r} is of another kind. Leave it out.")
    options = {} if resume is None else {"resume": resume}
    found: Answer = importlib.import_module(ANSWERS[type(chosen).__name__]).answer(scenario, chosen, **options)
    return replace(found, facts={**found.facts, "inputs": inputs_of(scenario)})
