from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.foundation.errors import InputError
from simulator.mapping.plan import Plan
from simulator.planner import search as searching
from simulator.planner.constraints import ORDER, REASONS, judge, on_geometry, on_options
from simulator.planner.objectives import objectives
from simulator.planner.question import Question
from simulator.planner.search import search
from simulator.planner.space import divisors
from tests.planner.loops import possible_plans
from tests.planner.questions import question


def _possible(asked: Question) -> list[Plan]:
    space, found = asked.space(), []
    for geometries in space.walk(1000):
        rows, _ = judge(geometries, asked.bounds, on_geometry)
        plans = space.with_options(geometries.take(np.flatnonzero(rows)))
        rows, _ = judge(plans, asked.bounds, on_options)
        found += [plans.row(row) for row in np.flatnonzero(rows)]
    return found


@pytest.mark.parametrize(
    ("model", "nodes", "batch"),
    [("gpt2-124m", 1, 8), ("gpt2-124m", 2, 12), ("gpt2-124m", 3, 48), ("gpt3-350m", 2, 32), ("gpt3-20b", 7, 56)],
)
def test_the_space_holds_the_plans_that_loops_find_and_no_other(model: str, nodes: int, batch: int) -> None:
    asked = question(model=model, nodes=nodes, batch=batch)
    found = _possible(asked)
    assert len(found) == len(set(found))
    assert set(found) == set(possible_plans(asked))


def test_a_layer_fewer_at_each_end_leaves_the_first_and_the_last_chunk_bare() -> None:
    """Llama 3 405B: 126 layers in 128 chunks (arXiv 2407.21783, section 3.3.2); 105 in 112 leave more empty."""
    choices = "plan.choices={tp: [8], cp: [1], pp: [16], micro: [1], zero: [0]}"
    for model, most in (("llama-3.1-405b", 8), ("mt-nlg-530b", 1)):
        found = _possible(question(choices, model=model, nodes=16, batch=16))
        assert max(plan.vpp for plan in found) == most


def test_every_plan_uses_all_devices_and_the_whole_batch() -> None:
    for plan in _possible(question(nodes=3, batch=24)):
        assert plan.ranks == 24
        assert plan.global_batch == 24


def test_every_plan_of_the_space_fits_or_is_rejected_once() -> None:
    asked = question(model="gpt3-6.7b", nodes=1, batch=16)
    found = search(asked, objectives["time"], keep=1)
    assert found.rejected["memory"] > 0
    assert found.considered == len(asked.space()) == len(found.values) + sum(found.rejected.values())


def test_choices_narrow_their_axis_and_leave_the_others() -> None:
    free, narrow = _possible(question()), _possible(question("plan.choices={tp: [2], micro: [1, 2]}"))
    assert set(narrow) == {plan for plan in free if plan.tp == 2 and plan.micro_batch in (1, 2)}


def test_a_decided_micro_batch_is_a_choice() -> None:
    assert {plan.micro_batch for plan in _possible(question("workloads[0].batch.micro=2"))} == {2}


def test_tensor_parallelism_leaves_the_scale_up_domain_only_when_it_is_named() -> None:
    assert max(plan.tp for plan in _possible(question(model="gpt3-20b", nodes=4))) == 8
    named = question("plan.choices={tp: [16]}", model="gpt3-20b", nodes=4)
    assert {plan.tp for plan in _possible(named)} == {16}


def test_sharded_weights_go_under_a_pipeline_only_when_zero_is_named() -> None:
    assert not [plan for plan in _possible(question()) if plan.zero > 1 and plan.pp > 1]
    assert [plan for plan in _possible(question("plan.choices={zero: [3]}")) if plan.pp > 1]


def test_context_and_expert_parallelism_come_with_long_samples_and_experts() -> None:
    long = question("workloads[0].seq_len=32768", model="llama-3-8b", nodes=1)
    assert {plan.cp for plan in _possible(long)} == {1, 2, 4, 8}
    experts = question(model="mixtral-8x7b", nodes=1)
    assert {plan.ep for plan in _possible(experts)} == {1, 2, 4, 8}
    assert all(plan.tp * plan.cp * plan.dp % plan.ep == 0 for plan in _possible(experts))


def test_choices_that_do_not_divide_the_devices_are_told() -> None:
    with pytest.raises(InputError, match="divides the 16 devices"):
        question("plan.choices={pp: [5]}").space()


def test_every_constraint_has_a_place_and_a_reason() -> None:
    assert set(ORDER) == {*on_geometry, *on_options, "memory"} == set(REASONS)


@given(st.integers(1, 5000))
@settings(max_examples=60, derandomize=True, deadline=None)
def test_divisors_are_those_that_division_finds(number: int) -> None:
    assert divisors(number).tolist() == [one for one in range(1, number + 1) if number % one == 0]


@pytest.mark.parametrize(("walk", "piece"), [(1, 1), (7, 50), (1 << 16, 1 << 17)])
def test_how_the_space_is_cut_changes_nothing(monkeypatch: pytest.MonkeyPatch, walk: int, piece: int) -> None:
    asked = question(nodes=1, batch=8)
    whole = search(asked, objectives["time"], keep=20)
    monkeypatch.setattr(searching, "WALK", walk)
    monkeypatch.setattr(searching, "PIECE", piece)
    cut = search(asked, objectives["time"], keep=20)
    assert cut.rejected == whole.rejected
    for one, other in ((cut.best, whole.best), (cut.front, whole.front), (cut.beyond, whole.beyond)):
        assert [one.table.row(row) for row in range(len(one))] == [other.table.row(row) for row in range(len(other))]
    np.testing.assert_allclose(cut.values, whole.values, rtol=1e-12)


def test_options_of_one_geometry_are_a_full_product() -> None:
    space = question(nodes=1).space()
    table = space.with_options(next(space.walk(1)))
    pairs = set(zip(table.zero.tolist(), table.sequence_parallel.tolist(), table.recompute.tolist(), strict=True))
    assert pairs == set(product(range(4), range(2), range(3)))
