from __future__ import annotations

import numpy as np
import pytest

from simulator.costs.memory import PARTS
from simulator.foundation.errors import InputError
from simulator.mapping.plan import Plan, PlanTable
from simulator.planner.objectives import objectives, order, tied
from simulator.planner.priced import Priced, price_table
from simulator.planner.question import Question
from simulator.planner.search import rank_of, search
from tests.planner.loops import possible_plans
from tests.planner.questions import question


def _alone(plan: Plan, asked: Question) -> Priced:
    return price_table(PlanTable.of([plan]), asked)


@pytest.mark.parametrize("model", ["gpt3-6.7b", "mixtral-8x7b", "llama-3-8b"])
def test_pricing_a_table_equals_pricing_its_rows_one_by_one(model: str) -> None:
    asked = question(model=model, nodes=2, batch=32)
    best = search(asked, objectives["time"], keep=10_000).best
    rows = np.linspace(0, len(best) - 1, 60).astype(np.int64)
    table = price_table(best.table.take(rows), asked)
    for row in range(len(rows)):
        alone = _alone(table.table.row(row), asked)
        assert table.estimate.step[row] == pytest.approx(alone.estimate.step[0], rel=1e-12)
        for part in PARTS:
            assert table.memory.parts[part][row] == pytest.approx(alone.memory.parts[part][0], rel=1e-12)


@pytest.mark.parametrize("objective", ["time", "memory"])
@pytest.mark.parametrize(("model", "nodes", "batch"), [("gpt2-124m", 1, 8), ("gpt3-6.7b", 1, 8), ("gpt3-20b", 2, 16)])
def test_the_best_plan_is_the_one_that_loops_find(model: str, nodes: int, batch: int, objective: str) -> None:
    asked = question(model=model, nodes=nodes, batch=batch)
    measure = objectives[objective]
    priced = [(plan, _alone(plan, asked)) for plan in possible_plans(asked)]
    fitting = [(plan, one) for plan, one in priced if one.memory.total[0] <= asked.capacity]
    found = search(asked, measure, keep=5)
    values = sorted(float(measure.of(one, asked)[0]) for _, one in fitting)
    assert found.rejected["memory"] == len(priced) - len(fitting)
    np.testing.assert_allclose(found.values, values, rtol=1e-12)
    np.testing.assert_allclose(measure.of(found.best, asked), values[: len(found.best)], rtol=1e-9)


def test_no_plan_beats_one_of_the_front_in_both_time_and_memory() -> None:
    asked = question(model="gpt3-6.7b", nodes=1, batch=16)
    found = search(asked, objectives["time"], keep=100_000)
    time, memory = found.best.estimate.step, found.best.memory.total
    for row in range(len(found.front)):
        better = (time < found.front.estimate.step[row] * (1 - 1e-8)) & (memory <= found.front.memory.total[row])
        assert not better.any()
    assert np.all(np.diff(found.front.memory.total) < 0)


def test_what_memory_forbids_is_larger_than_the_memory() -> None:
    asked = question(model="gpt3-20b", nodes=1, batch=16)
    found = search(asked, objectives["time"], keep=1)
    assert len(found.beyond)
    assert np.all(found.beyond.memory.total > asked.capacity)


def test_equals_stand_simplest_first() -> None:
    split = Plan(tp=2, dp=4), Plan(dp=4, pp=2), Plan(tp=2, dp=4, sequence_parallel=True)
    plans = [split[0], Plan(dp=8, zero=1), Plan(dp=8), split[1], split[2]]
    ranked = order(np.ones(len(plans)), PlanTable.of(plans))
    assert [plans[row] for row in ranked] == [plans[2], plans[1], plans[3], plans[0], plans[4]]


def test_differences_of_rounding_are_ties_and_others_are_not() -> None:
    near, far = tied(np.array([1.0, 1.0 + 1e-12])), tied(np.array([1.0, 1.0 + 1e-6]))
    assert near[0] == near[1]
    assert far[0] < far[1]


def test_the_best_plan_has_rank_zero_and_the_worst_the_last() -> None:
    asked, measure = question(), objectives["time"]
    found = search(asked, measure, keep=100_000)
    assert rank_of(found.best.table.row(0), found, asked, measure) == 0
    assert rank_of(found.best.table.row(len(found.best) - 1), found, asked, measure) > 0.9 * len(found.values)


@pytest.mark.parametrize("model", ["gpt2-124m", "gpt3-6.7b", "gpt3-20b"])
def test_more_nodes_never_make_the_best_step_slower_while_they_divide_the_batch(model: str) -> None:
    """Holds where the devices divide the global batch; beyond it, wider TP or deeper pipelines may cost more."""
    steps = []
    for nodes in (1, 2, 4, 8):
        found = search(question(model=model, nodes=nodes, batch=256), objectives["time"], keep=1)
        steps += found.best.estimate.step.tolist()
    assert steps
    assert steps == sorted(steps, reverse=True)


def test_a_wider_choice_is_never_worse() -> None:
    free = search(question(model="gpt3-6.7b"), objectives["time"], keep=1).values[0]
    for choice in ("{tp: [4]}", "{recompute: [full]}", "{zero: [0, 1]}", "{pp: [1], micro: [1]}"):
        narrow = search(question(f"plan.choices={choice}", model="gpt3-6.7b"), objectives["time"], keep=1)
        assert narrow.values[0] >= free * (1 - 1e-12)


def test_cost_is_rent_times_step_and_asks_for_a_price() -> None:
    with pytest.raises(InputError, match="price"):
        search(question(), objectives["cost"], keep=1)
    paid = question("cluster.nodes[0].price={rate: 36 USD/h}")
    found = search(paid, objectives["cost"], keep=1)
    assert found.values[0] == pytest.approx(found.best.estimate.step[0] * 2 * 36 / 3600)


def test_energy_is_power_times_step() -> None:
    asked = question()
    found = search(asked, objectives["energy"], keep=1)
    watts = asked.scenario.groups[0].node.power_w or 0.0
    assert found.values[0] == pytest.approx(found.best.estimate.step[0] * 2 * watts)
