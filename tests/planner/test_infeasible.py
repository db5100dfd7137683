from __future__ import annotations

from typing import Any

import pytest

from simulator.foundation.errors import Infeasible
from simulator.planner.recommendation import recommend
from tests.planner.questions import scenario


def _refused(*overrides: str, **asked: Any) -> Infeasible:
    with pytest.raises(Infeasible) as caught:
        recommend(scenario(*overrides, **asked), confirm=0)
    return caught.value


def test_a_model_too_large_comes_with_the_account_of_the_leanest_plan() -> None:
    error = _refused(model="gpt3-175b", nodes=2, batch=16)
    parts = {name: size for name, size in error.account.items() if name not in ("needed", "limit")}
    assert error.binding == "memory of a device"
    assert sum(parts.values()) == pytest.approx(error.account["needed"])
    assert error.account["needed"] > error.account["limit"]


def test_the_nodes_that_are_said_to_be_enough_are_enough_and_half_are_not() -> None:
    error = _refused(model="gpt3-175b", nodes=2, batch=64)
    nodes = int(error.relaxation.removeprefix("take ").split()[0])
    recommend(scenario(model="gpt3-175b", nodes=nodes, batch=64), confirm=0)
    _refused(model="gpt3-175b", nodes=nodes // 2, batch=64)


def test_a_larger_device_is_named_where_one_exists() -> None:
    assert "such as nvidia-h200-sxm5-141gb" in _refused(model="gpt3-175b", nodes=4, batch=32).relaxation


def test_a_choice_that_forbids_every_plan_is_the_first_relaxation() -> None:
    choices = {"recompute": "[none]", "micro": "[32]", "zero": "[0, 1]"}
    asked: dict[str, Any] = {"model": "gpt3-20b", "nodes": 1, "batch": 64}

    def chosen() -> str:
        return f"plan.choices={{{', '.join(f'{name}: {values}' for name, values in choices.items())}}}"

    error = _refused(chosen(), "workloads[0].seq_len=2048", **asked)
    assert error.relaxation.startswith("leave ")
    del choices[error.relaxation.split()[1]]
    recommend(scenario(chosen(), "workloads[0].seq_len=2048", **asked), confirm=0)


def test_a_batch_that_nothing_divides_is_told_with_one_that_would() -> None:
    error = _refused("plan.choices={tp: [1], pp: [1]}", nodes=3, batch=7)
    assert "batch" in error.binding
    assert error.relaxation == "a global batch that is a multiple of 24"
    recommend(scenario("plan.choices={tp: [1], pp: [1]}", nodes=3, batch=24), confirm=0)


def test_the_message_counts_each_reason() -> None:
    text = str(_refused(model="gpt3-175b", nodes=2, batch=16))
    assert "needs more memory than a device has: " in text
    assert "tp is wider than one scale-up domain: " in text
