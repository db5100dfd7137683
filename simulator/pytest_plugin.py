"""Decisions as tests: a pytest plugin for repositories that keep scenarios.

::

    @pytest.mark.plan("scenarios/pretrain.yaml")
    def test_pretraining_plan(): ...

plans the scenario and holds the decision against ``plans/pretrain.yaml`` beside the test file. ``pytest --plan-update``
writes that file, ``pytest --plan-report plans.md`` writes what became of every decision. Where the scenario is made by
the test, the fixture ``plan_golden`` does the same by a call. Works under pytest-xdist.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from simulator.planner.decide import Answer
    from simulator.planner.verdict import Verdict

#: name under which a test's verdicts travel from the workers to the report
PROPERTY: Final = "rackcast_plan"

_FOLDER: Final = "plans"  # of golden files, beside the test file

PlanGolden = Callable[..., "Answer | None"]


class PlanWarning(UserWarning):
    """A decision flipped between plans that are as good as each other."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the plugin."""
    group = parser.getgroup("rackcast", "planner decisions")
    group.addoption("--plan-update", action="store_true", help="Write the decisions found now as the expected ones.")
    group.addoption("--plan-report", metavar="FILE", help="Write what became of every decision, as Markdown.")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker; where results come together, gather verdicts too."""
    config.addinivalue_line(
        "markers",
        "plan(scenario, *, golden=None, set=(), objective=None, workload=None, fail_on=()): hold the planner's "
        "decision for a scenario file against a golden file.",
    )
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Decisions(config.getoption("plan_report")), "rackcast-decisions")


@pytest.fixture
def plan_golden(request: pytest.FixtureRequest) -> PlanGolden:
    """Return a function like the marker: it plans a scenario file, holds the decision, returns the answer."""
    item = request.node

    def check(scenario: str | Path, **options: Any) -> Answer | None:
        return _check(item, scenario, **options)

    return check


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Hold the decisions that a test's markers name, before its own body."""
    for marker in reversed(list(item.iter_markers("plan"))):
        if len(marker.args) != 1:
            pytest.fail("the marker plan takes one scenario file, as in plan('scenarios/x.yaml').", pytrace=False)
        _check(item, marker.args[0], **marker.kwargs)
    return (yield)


def _check(
    item: pytest.Item,
    scenario: str | Path,
    *,
    golden: str | Path | None = None,
    set: Sequence[str] = (),  # noqa: A002  (the word of the command line)
    objective: str | None = None,
    workload: str | None = None,
    fail_on: Sequence[str] = (),
) -> Answer | None:
    from simulator.foundation.errors import Infeasible, InputError
    from simulator.planner.decide import decide
    from simulator.planner.golden import golden_text, infeasible_text, load_golden
    from simulator.planner.verdict import FAILING, judge
    from simulator.scenario import load_scenario

    try:
        question = load_scenario(_found(item, scenario), list(set))
        try:
            found = decide(question, objective=objective, workload=workload)
        except Infeasible:
            found = None
        file = item.path.parent / (golden or f"{_FOLDER}/{Path(scenario).stem}.yaml")
        if item.config.getoption("plan_update"):
            text = infeasible_text(question, objective) if found is None else golden_text(found)
            _update(file, text)
            return found
        if not file.exists():
            pytest.fail(f"no decision is held in {file}; write it with --plan-update and commit it.", pytrace=False)
        verdict = judge(load_golden(file), found)
    except InputError as error:
        pytest.fail(str(error), pytrace=False)
    _report(item, question.name, verdict)
    if verdict.word in (*FAILING, *fail_on):
        pytest.fail(f"{question.name}, {verdict}.\nIf that is meant: pytest --plan-update", pytrace=False)
    if verdict.word == "flip-within-margin":
        warnings.warn(PlanWarning(f"{question.name}, {verdict}"), stacklevel=2)
    return found


def _found(item: pytest.Item, scenario: str | Path) -> Path:
    """Return a scenario file: beside the test file, or from the root of the repository."""
    beside = item.path.parent / scenario
    return beside if beside.exists() else item.config.rootpath / scenario


def _update(file: Path, text: str) -> None:
    from simulator.foundation.files import write_atomic

    if not file.exists() or file.read_text(encoding="utf-8") != text:
        write_atomic(file, text)


def _report(item: pytest.Item, scenario: str, verdict: Verdict) -> None:
    facts = {"test": item.nodeid, "scenario": scenario, "verdict": verdict.word, "why": "; ".join(verdict.reasons)}
    item.user_properties.append((PROPERTY, json.dumps(facts)))


class Decisions:
    """Gathers the verdicts of all tests where they come together: in the controller, if there are workers."""

    def __init__(self, file: str | None) -> None:
        self.file = file
        self.verdicts: list[dict[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the verdicts that a test's report carries."""
        if report.when == "call":
            self.verdicts += [json.loads(str(value)) for name, value in report.user_properties if name == PROPERTY]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what is not the same any more, and write the report."""
        verdicts = sorted(self.verdicts, key=lambda one: (one["test"], one["scenario"]))
        moved = [one for one in verdicts if one["verdict"] != "same"]
        if moved:
            terminalreporter.section("planner decisions")
            for one in moved:
                terminalreporter.write_line(f"{one['test']}: {one['scenario']} {one['verdict']}: {one['why']}")
        if self.file is not None:
            from simulator.foundation.files import write_atomic

            write_atomic(self.file, report_text(verdicts))
            terminalreporter.write_line(f"wrote {len(verdicts)} planner decisions to {self.file}")


def report_text(verdicts: Sequence[dict[str, str]]) -> str:
    """Return the report: how many of each verdict, then a row per decision, those that moved first."""
    counts = Counter(one["verdict"] for one in verdicts)
    told = ", ".join(f"{count} {word}" for word, count in sorted(counts.items())) or "none held"
    rows = [f"| {one['scenario']} | {one['verdict']} | {one['why'].replace('|', '/')} | {one['test']} |"
            for one in sorted(verdicts, key=lambda one: one["verdict"] == "same")]  # fmt: skip
    head = ["# Planner decisions", "", told, "", "| scenario | verdict | why | test |", "|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"
