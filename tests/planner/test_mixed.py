"""Plans on several kinds of machine: the bound loses nothing, and unequal machines share as they are fast."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simulator.foundation.errors import InputError
from simulator.planner.constraints import ORDER
from simulator.planner.decide import decide
from simulator.planner.mixed import possible_plans, priced_plan, recommend_mixed, ways_of, work_over_speed
from simulator.planner.question import question_of
from simulator.planner.report import sentences
from simulator.scenario import load_scenario
from simulator.simulation.marks import marks_of

SCENARIO = Path(__file__).parents[2] / "scenarios" / "train-heterogeneous.yaml"
SMALL = (
    "cluster.nodes=[{profile: dgx-h100, count: 1}, {profile: dgx-a100-640gb, count: 1}]",
    "workloads[0].batch.global=24", "workloads[0].parallelism=auto", "workloads[0].seq_len=4096",
    "plan.choices={tp: [2, 4, 8], cp: [1], recompute: [none, full], sequence_parallel: [true], zero: [1]}",
)  # fmt: skip


@pytest.mark.parametrize("batch", [16, 24, 40])
@pytest.mark.parametrize("second", ["dgx-a100-640gb", "dgx-1-v100"])
def test_the_bound_loses_no_better_plan(batch, second):
    """All plans priced one by one, as the search does without its bound; and none ends before it."""
    nodes = f"cluster.nodes=[{{profile: dgx-h100, count: 1}}, {{profile: {second}, count: 1}}]"
    precision = "workloads[0].precision=fp16"
    scenario = load_scenario(SCENARIO, (*SMALL, nodes, precision, f"workloads[0].batch.global={batch}"))
    found = recommend_mixed(scenario, confirm=0)
    question = question_of(scenario)
    marks = marks_of(scenario, question.setting)
    table = possible_plans(question, dict.fromkeys(ORDER, 0))
    bounds = work_over_speed(question, question.job, table)
    every = []
    for row in range(len(table)):
        for plan in ways_of(table.row(row), batch):
            one = priced_plan(question, plan, marks)
            if one is not None:
                every.append(one.estimated)
                assert one.estimated >= bounds[row] * (1 - 1e-9)
    assert found.chosen.estimated == min(every)
    assert found.priced <= len(every) + found.rejected["memory"]


def test_the_plan_beats_equal_shares_and_says_by_how_much():
    found = decide(load_scenario(SCENARIO, SMALL), confirm=2)
    assert found.baseline is not None
    assert found.baseline.margin > 0
    text = sentences(found)[0]
    assert f"{found.baseline.margin:.1%} longer" in text
    assert "Micro-batches by replica" in text or "Layers by stage" in text


def test_a_further_node_never_slows_the_plan():
    steps = [
        recommend_mixed(
            load_scenario(SCENARIO, (*SMALL, f"cluster.nodes[1].count={count}", "plan.choices.tp=[8]")), confirm=0
        ).chosen.estimated
        for count in (1, 2, 3)
    ]
    assert steps == sorted(steps, reverse=True)


def test_equal_groups_may_be_written_as_one_or_as_several():
    steps = []
    for nodes in (
        "[{profile: dgx-h100, count: 2}, {profile: dgx-a100-640gb, count: 1}]",
        "[{profile: dgx-h100, count: 1}, {profile: dgx-h100, count: 1}, {profile: dgx-a100-640gb, count: 1}]",
    ):
        scenario = load_scenario(SCENARIO, (*SMALL, f"cluster.nodes={nodes}", "plan.choices.tp=[8]"))
        steps.append(recommend_mixed(scenario, confirm=0).chosen.estimated)
    assert steps[0] == pytest.approx(steps[1], rel=1e-9)


def test_what_cannot_be_asked_is_refused():
    scenario = load_scenario(SCENARIO, SMALL)
    with pytest.raises(InputError, match="least time"):
        recommend_mixed(scenario, objective="memory")
    servers = load_scenario(SCENARIO, (*SMALL, "workloads[0].sync={kind: ps, servers: 2, bandwidth: 400 Gb/s}"))
    with pytest.raises(InputError, match="all-reduce in each step"):
        recommend_mixed(servers)


def test_work_over_speed_of_one_kind_is_its_work_over_all_its_devices():
    scenario = load_scenario(SCENARIO, SMALL)
    question = question_of(scenario)
    table = possible_plans(question, dict.fromkeys(ORDER, 0))
    slow, fast = (
        work_over_speed(replace(question, setting=replace(question.setting, kinds=(kind,))), question.job, table)
        for kind in (question.setting.kinds[1], question.setting.kinds[0])
    )
    both = work_over_speed(question, question.job, table)
    assert np.allclose(1 / both, 1 / slow + 1 / fast)
