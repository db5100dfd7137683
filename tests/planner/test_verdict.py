from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.planner.golden import FLIP, GoldenFile, golden_text, infeasible_text, load_golden
from simulator.planner.recommendation import Recommendation, recommend
from simulator.planner.verdict import FAILING, judge
from tests.planner.questions import scenario


@pytest.fixture(scope="module")
def found() -> Recommendation:
    return recommend(scenario(model="gpt3-6.7b", nodes=2, batch=64), confirm=2)


@pytest.fixture
def expected(found: Recommendation, tmp_path) -> GoldenFile:
    file = tmp_path / "golden.yaml"
    file.write_text(golden_text(found), encoding="utf-8")
    return load_golden(file)


def _runner_up(expected: GoldenFile, found: Recommendation, margin: float) -> tuple[GoldenFile, Recommendation]:
    """Return a golden that expects the runner-up, which is now worse by a margin."""
    other = replace(found.runner_ups[0], margin=margin)
    keys = {name: getattr(other.plan, name) for name in ("tp", "cp", "dp", "pp")}
    golden = expected.model_copy(update={"decision": keys, "metrics": None})
    return golden, replace(found, runner_ups=(other,), confirmed=())


def test_the_same_decision_with_the_same_figures_is_the_same(expected, found):
    assert judge(expected, found).word == "same"


def test_a_figure_beyond_its_tolerance_is_a_drift_and_fails_nothing(expected, found):
    held = expected.metrics["step_time_s"]
    moved = {"step_time_s": held.model_copy(update={"value": held.value * (1 + 2 * held.tolerance)})}
    verdict = judge(expected.model_copy(update={"metrics": moved}), found)
    assert verdict.word == "drift"
    assert verdict.word not in FAILING


@pytest.mark.parametrize(("margin", "word"), [(FLIP * 0.99, "flip-within-margin"), (FLIP * 1.01, "changed")])
def test_a_flip_is_told_from_a_change_by_the_margin(expected, found, margin, word):
    verdict = judge(*_runner_up(expected, found, margin))
    assert verdict.word == word
    assert f"{margin:.2%} worse" in str(verdict)


def test_feasibility_that_changed_is_told_both_ways(expected, found, tmp_path):
    file = tmp_path / "infeasible.yaml"
    file.write_text(infeasible_text(found.scenario, None), encoding="utf-8")
    nothing = load_golden(file)
    assert judge(nothing, None).word == "same"
    assert judge(nothing, found).word == "now-feasible"
    assert judge(expected, None).word == "now-infeasible"
