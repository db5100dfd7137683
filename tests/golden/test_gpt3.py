"""The layout of the first question, held fast; the law beside it says what every golden of it must obey."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.foundation.shipped import shipped
from simulator.planner.golden import load_golden
from simulator.planner.recommendation import Recommendation, recommend
from simulator.planner.verdict import judge
from simulator.scenario import load_scenario

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def found() -> Recommendation:
    return recommend(load_scenario(shipped("scenarios") / "gpt3-175b.yaml"))


def test_the_layout_of_gpt3_on_1024_a100_is_the_one_recorded(found: Recommendation) -> None:
    verdict = judge(load_golden(HERE / "gpt3-175b.yaml"), found)
    assert verdict.word == "same", str(verdict)


def test_a_layout_of_gpt3_stays_inside_nodes_with_tensors_and_below_the_memory(found: Recommendation) -> None:
    assert found.plan.tp <= 8
    assert found.plan.ranks == 1024
    assert found.plan.global_batch == 1536
    assert found.result.metrics["memory_bytes"] <= found.result.memory_limit
    assert 0.3 < found.result.metrics["mfu"] < 0.75
