"""The pages of a placement and of capacity."""

from __future__ import annotations

from simulator.foundation.shipped import shipped
from simulator.planner.decide import Answer, decide
from simulator.planner.pages import html_of
from simulator.planner.sensitivity import sensitivity
from simulator.scenario import load_scenario
from tests.results.test_report import loads_nothing, parsed


def _placement() -> Answer:
    jobs = "{name: a, devices: 16}, {name: b, devices: 2, per_node: 1}, {name: c, devices: 512}"
    return decide(load_scenario(shipped("scenarios") / "plan-place-jobs.yaml", [f"workloads[0].jobs=[{jobs}]"]))


def _capacity() -> Answer:
    changes = ("workloads[0].periods=[24 h]", "workloads[0].regions[0].rates={reserved-3y: 20 USD/h}",
               "workloads[0].demands=[{name: a, nodes: [4], allowed: [iowa, own-hall]}]")  # fmt: skip
    return decide(load_scenario(shipped("scenarios") / "plan-capacity-regions.yaml", changes))


def test_a_placement_is_a_page_that_loads_nothing_and_is_the_same_each_time() -> None:
    found = _placement()
    html = html_of(found)
    loads_nothing(html)
    assert html_of(found) == html
    text = parsed(html).text
    for told in (
        "Place 2 of 3 jobs",
        "Why this one",
        "What binds",
        "Which assumption would flip the choice",
        "too few",
    ):
        assert told in text
    assert html.count("<svg") == 1


def test_capacity_is_a_page_and_its_flips_are_told_as_factors() -> None:
    found = _capacity()
    html = html_of(found)
    loads_nothing(html)
    assert html_of(found) == html
    text = parsed(html).text
    for told in ("Run a in own-hall", "USD over 3 y", "What else was close", "From which use on", "What was asked"):
        assert told in text
    flips = {one.assumption: one for one in sensitivity(found) if one.flips}
    assert "price of owned" in flips
    assert flips["price of owned"].change.startswith("x ")
