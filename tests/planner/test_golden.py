from __future__ import annotations

from pathlib import Path

import pytest

from simulator.foundation.errors import InputError, InvalidFile
from simulator.planner.golden import changed_keys, drifts, golden_text, load_golden
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
    expected = load_golden(_golden(tmp_path, golden_text(found)))
    assert (changed_keys(expected, found), drifts(expected, found)) == ([], [])


def test_another_decision_is_told_key_by_key(found: Recommendation, tmp_path: Path) -> None:
    other = found.runner_ups[0].plan
    text = golden_text(found)
    for name in ("tp", "dp", "pp"):
        text = text.replace(f"{name}: {getattr(found.plan, name)},", f"{name}: {getattr(other, name)},")
    told = changed_keys(load_golden(_golden(tmp_path, text)), found)
    assert told == [f"{name} {getattr(other, name)} -> {getattr(found.plan, name)}" for name in ("tp", "dp", "pp")
                    if getattr(other, name) != getattr(found.plan, name)]  # fmt: skip


def test_keys_that_a_golden_leaves_out_may_change(found: Recommendation, tmp_path: Path) -> None:
    text = f"scenario: x\nobjective: time\ndecision: {{tp: {found.plan.tp}}}\n"
    assert changed_keys(load_golden(_golden(tmp_path, text)), found) == []


def test_a_figure_may_drift_within_its_tolerance_and_no_further(found: Recommendation, tmp_path: Path) -> None:
    held = f"{{value: {found.result.step_time * 1.04}, tolerance: T}}"
    text = f"scenario: x\nobjective: time\ndecision: {{}}\nmetrics: {{step_time_s: {held}}}\n"
    assert drifts(load_golden(_golden(tmp_path, text.replace("T}", "0.05}"))), found) == []
    (told,) = drifts(load_golden(_golden(tmp_path, text.replace("T}", "0.03}"))), found)
    assert told.startswith("step_time_s drifted")


def test_another_binding_constraint_is_told(found: Recommendation, tmp_path: Path) -> None:
    text = "scenario: x\nobjective: time\nbinding: the weather\ndecision: {}\n"
    (told,) = drifts(load_golden(_golden(tmp_path, text)), found)
    assert "was the weather and is " in told


def test_a_misspelt_key_is_no_change_but_a_mistake(found: Recommendation, tmp_path: Path) -> None:
    expected = load_golden(_golden(tmp_path, "scenario: x\nobjective: time\ndecision: {micro_batsh: 4}\n"))
    with pytest.raises(InputError, match="Did you mean 'micro_batch'"):
        changed_keys(expected, found)


def test_a_broken_golden_file_tells_every_problem(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="unknown key"):
        load_golden(_golden(tmp_path, "scenario: x\nobjective: time\ndecision: {tp: 4}\nmetric: {}\n"))
