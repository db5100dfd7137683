from __future__ import annotations

from pathlib import Path

import pytest

from simulator.foundation.errors import DecisionChanged, InvalidFile
from simulator.planner.golden import check_golden, check_infeasible, golden_text, load_golden
from simulator.planner.recommendation import Recommendation, recommend
from tests.planner.questions import scenario


@pytest.fixture(scope="module")
def found() -> Recommendation:
    return recommend(scenario(model="gpt3-6.7b", nodes=2, batch=64), confirm=2)


def _golden(folder: Path, text: str) -> Path:
    path = folder / "golden.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_recommendation_is_what_its_own_golden_file_expects(found: Recommendation, tmp_path: Path) -> None:
    check_golden(load_golden(_golden(tmp_path, golden_text(found))), found)


def test_another_decision_is_told_key_by_key_with_its_fate(found: Recommendation, tmp_path: Path) -> None:
    other = found.runner_ups[0].plan
    text = golden_text(found)
    for name in ("tp", "dp", "pp"):
        text = text.replace(f"{name}: {getattr(found.plan, name)},", f"{name}: {getattr(other, name)},")
    with pytest.raises(DecisionChanged, match="the decision changed") as caught:
        check_golden(load_golden(_golden(tmp_path, text)), found)
    assert caught.value.exit_code == 5


def test_the_expected_plan_s_margin_is_told_when_it_is_still_close(found: Recommendation, tmp_path: Path) -> None:
    other = found.runner_ups[0]
    decision = ", ".join(f"{name}: {getattr(other.plan, name)}" for name in ("tp", "dp", "pp"))
    text = f"scenario: x\nobjective: time\ndecision: {{{decision}}}\n"
    with pytest.raises(DecisionChanged, match=f"{other.margin:.2%} worse"):
        check_golden(load_golden(_golden(tmp_path, text)), found)


def test_keys_that_a_golden_leaves_out_may_change(found: Recommendation, tmp_path: Path) -> None:
    text = f"scenario: x\nobjective: time\ndecision: {{tp: {found.plan.tp}}}\n"
    check_golden(load_golden(_golden(tmp_path, text)), found)


def test_a_figure_may_drift_within_its_tolerance_and_no_further(found: Recommendation, tmp_path: Path) -> None:
    held = f"{{value: {found.result.step_time * 1.04}, tolerance: T}}"
    text = f"scenario: x\nobjective: time\ndecision: {{}}\nmetrics: {{step_time_s: {held}}}\n"
    check_golden(load_golden(_golden(tmp_path, text.replace("T}", "0.05}"))), found)
    with pytest.raises(DecisionChanged, match="step_time_s drifted"):
        check_golden(load_golden(_golden(tmp_path, text.replace("T}", "0.03}"))), found)


def test_infeasible_can_be_expected(found: Recommendation, tmp_path: Path) -> None:
    golden = load_golden(_golden(tmp_path, "scenario: x\nobjective: time\ndecision: infeasible\n"))
    check_infeasible(golden)
    with pytest.raises(DecisionChanged, match="now a plan does"):
        check_golden(golden, found)
    with pytest.raises(DecisionChanged, match="now nothing fits"):
        check_infeasible(load_golden(_golden(tmp_path, golden_text(found))))


def test_a_broken_golden_file_tells_every_problem(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="unknown key"):
        load_golden(_golden(tmp_path, "scenario: x\nobjective: time\ndecision: {tb: 4}\n"))
