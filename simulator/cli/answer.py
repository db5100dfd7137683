"""What a kind of workload hands to ``rackcast run`` to be shown: facts, tables, pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.results.report import Report
    from simulator.scenario import Scenario


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
        drawn: the pictures, (figure, axes) each, by caption, for the page.
        report: the page of the run, where its kind has one; else there is one of tables and pictures.
        scenario: what was run.
    """

    summary: str
    facts: Mapping[str, Any]
    tables: Mapping[str, Table]
    draw: Callable[[Path], list[Path]]
    explanation: str = ""
    missed: tuple[str, ...] = field(default=())
    drawn: Callable[[], Mapping[str, tuple[Any, Any]]] = dict
    report: Callable[[], Report] | None = None
    scenario: Scenario | None = None

    def html(self) -> str:
        """Return the run as one page."""
        from simulator.results.report import page
        from simulator.study.pages.plain import plain_page
        from simulator.study.pages.seeds import with_intervals

        assert self.scenario is not None, "answer_for says what was run"
        if self.report is not None:
            found = self.report()
        else:
            found = plain_page(self.scenario, self.summary, self.explanation, self._shown(), self.drawn(), self.missed)
        return page(with_intervals(found, self._shown("intervals").get("intervals")))

    def _shown(self, *names: str) -> Mapping[str, tuple[Sequence[str], Sequence[Sequence[object]]]]:
        """Return tables as people read them, all or some; intervals are told apart."""
        from simulator.cli.output import Styled
        from simulator.cli.readable import readable

        found = {}
        for name in names or [name for name in self.tables if name != "intervals"]:
            if name in self.tables:
                heads, rows = readable(self.tables[name].columns, self.tables[name].rows)
                found[name] = heads, [[one.text if isinstance(one, Styled) else one for one in row] for row in rows]
        return found


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
ELSEWHERE: dict[str, str] = {
    "SharedFabricWorkload": "rackcast comm share",
    "PlaceWorkload": "rackcast plan",
    "CapacityWorkload": "rackcast plan",
}


def answer_for(
    file: Path,
    overrides: list[str],
    workload: str | None,
    *,
    resume: Path | None = None,
    records: Path | None = None,
) -> Answer:
    """Load a scenario, run one of its workloads and return the answer; raises :class:`RackcastError`.

    ``resume`` is where a service keeps its state, ``records`` a folder for its requests; other kinds are over too soon
    to be kept and have none.
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
    asked = {name: path for name, path in (("resume", resume), ("records", records)) if path is not None}
    if asked and type(chosen).__name__ not in ("ServeWorkload", "PredictWorkload"):
        what = "--resume keeps the state" if resume is not None else "--records keeps the requests"
        raise InputError(f"{what} of a service; {chosen.id!r} is of another kind. Leave it out.")
    if scenario.run.window is not None and type(chosen).__name__ != "ServeWorkload":
        raise InputError(f"run.window cuts the traffic of a service that generates; {chosen.id!r} is of another kind.")
    if asked and scenario.run.seeds > 1:
        raise InputError(f"--{next(iter(asked))} keeps one run, --seeds makes several; leave one of them out.")
    of_kind = importlib.import_module(ANSWERS[type(chosen).__name__]).answer

    def play(one: Scenario) -> Answer:
        found: Answer = of_kind(one, chosen, **asked)
        return found

    found = play(scenario) if scenario.run.seeds == 1 else _replicated(scenario, play)
    return replace(found, facts={**found.facts, "inputs": inputs_of(scenario)}, scenario=scenario)


def _replicated(scenario: Scenario, play: Callable[[Scenario], Answer]) -> Answer:
    """Return the answer of the scenario's own seed with intervals over all; say so where no figure is chance."""
    from dataclasses import asdict

    from simulator.cli import output
    from simulator.results.interval import intervals_frame
    from simulator.simulation.replications import replicate

    runs = replicate(scenario, play, lambda answer: answer.facts["metrics"],
                     watch=lambda seeds: output.progress(seeds, label="seeds"))  # fmt: skip
    if not runs.chance:
        output.warn(
            f"{scenario.run.seeds} seeds give one answer: nothing in this workload is drawn, so one run tells all."
        )
    intervals = {name: asdict(interval) for name, interval in runs.intervals.items()}
    return replace(
        runs.first,
        facts={**runs.first.facts, "intervals": intervals, "chance": runs.chance},
        tables={**runs.first.tables, "intervals": Table.of(intervals_frame(runs.intervals))},
    )
