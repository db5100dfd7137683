"""The page of every kind of answer: what must be on it, and that it is safe and the same each time."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import pytest

from simulator.mapping.plan import Plan
from simulator.planner.decide import Answer
from simulator.planner.held import held_of
from simulator.planner.pages import html_of
from simulator.planner.pages.cluster import cluster_report
from simulator.planner.pages.layout import MEANS, layout_report
from simulator.planner.pages.mix import mix_report
from simulator.planner.pages.service import service_report
from simulator.results.report import Report
from tests.planner.test_held import KINDS
from tests.results.test_report import loads_nothing, parsed

REPORTS = {"layout": layout_report, "cluster": cluster_report, "service": service_report, "mix": mix_report}


@pytest.fixture(params=KINDS, scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def found(kind: str) -> Answer:
    return KINDS[kind]()


@pytest.fixture(scope="module")
def report(kind: str, found: Answer) -> Report:
    return REPORTS[kind](found)


@pytest.fixture(scope="module")
def html(found: Answer) -> str:
    return html_of(found)


def test_the_page_loads_nothing_and_is_the_same_each_time(found: Answer, html: str) -> None:
    loads_nothing(html)
    assert html_of(found) == html


def test_the_first_screen_says_what_to_take_and_why(kind: str, found: Answer, report: Report) -> None:
    heads = {one.head for one in report.reasons}
    assert {"Why this one", "What binds", "How sure"} <= heads
    if kind != "mix":
        assert {"Bottleneck", "What would help"} <= heads or kind == "cluster"
    decided = held_of(found).decision
    names = [decided["node"]] if "node" in decided else [name for name, one in decided.items()
                                                          if isinstance(one, dict) and one["nodes"]]  # fmt: skip
    assert all(name in report.decision for name in names)


def test_the_page_holds_what_decides(kind: str, html: str) -> None:
    text = parsed(html).text
    for title in ("The decision", "What else was close", "Which assumption would flip the choice", "What was asked"):
        assert title in text
    if kind != "mix":
        assert "What was left out" in text
        assert "put out because" in text
    assert html.count("<svg") >= 1


def test_money_adds_up(kind: str, report: Report) -> None:
    ledger = next((one for one in report.sections if "money" in one.title or "costs" in one.title), None)
    if ledger is None or "USD" not in " ".join(ledger.grids[0].columns):
        pytest.skip("what the nodes cost is not known")
    grid = ledger.grids[0]
    for column, head in enumerate(grid.columns):
        if head.startswith("USD"):
            *parts, total = (float(row[column].text.replace(",", "")) for row in grid.rows)
            assert sum(parts) == pytest.approx(total, abs=0.6 * len(parts))
    assert grid.rows[-1][0].text == "together"


def test_every_key_of_a_plan_has_a_meaning() -> None:
    assert set(MEANS) == {field.name for field in fields(Plan)}


def test_counts_of_what_was_put_out_are_all_that_was_not_taken() -> None:
    found = KINDS["layout"]()
    report = layout_report(found)
    grid = next(one for one in report.sections if one.title == "What was left out").grids[0]
    assert sum(int(row[0].text.replace(",", "")) for row in grid.rows) == found.considered - found.fitting


def test_words_of_the_user_are_escaped() -> None:
    found = KINDS["layout"]()
    resolved = {**found.scenario.resolved, "description": "<img src=x onerror=alert(1)>"}
    html = html_of(replace(found, scenario=replace(found.scenario, resolved=resolved)))
    loads_nothing(html)
    assert re.search("&lt;img src=x", html)
