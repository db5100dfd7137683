from __future__ import annotations

from typing import Any

import pytest

from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.shipped import shipped
from simulator.foundation.units import GIGA
from simulator.planner.placing.crossing import crossing
from simulator.planner.placing.jobs import Job, rooms_of
from simulator.planner.placing.placement_plan import PlacementPlan, recommend_placement
from simulator.scenario import Scenario, load_scenario

SMALL = ("cluster.nodes=[{profile: dgx-h100, count: 4}]", "cluster.fabric={shape: fat-tree, radix: 32}",
         "workloads[0].spares={nodes: 0}")  # fmt: skip


def _asked(jobs: str, *more: str) -> Scenario:
    return load_scenario(shipped("scenarios") / "plan-place-jobs.yaml", [*SMALL, f"workloads[0].jobs=[{jobs}]", *more])


def _placed(jobs: str, *more: str) -> PlacementPlan:
    scenario = _asked(jobs, *more)
    return recommend_placement(scenario, scenario.workloads[0])


def test_rooms_are_the_nodes_of_one_kind_below_one_leaf() -> None:
    scenario = load_scenario(shipped("scenarios") / "plan-place-jobs.yaml")
    rooms = rooms_of(scenario.cluster)
    assert [(room.leaf, room.nodes) for room in rooms if "h100" in room.device] == [(0, 6), (1, 6), (2, 4)]
    assert [(room.leaf, room.nodes) for room in rooms if "a100" in room.device] == [(2, 2), (3, 6)]
    assert sum(room.nodes for room in rooms) == scenario.cluster.nodes
    for room in rooms:  # the leaf is what the network calls the innermost domain that holds two nodes
        one, other = room.first * 8, (room.first + room.nodes - 1) * 8
        if room.nodes > 1:
            between = scenario.cluster.tier_between(one, other)
            assert between is not None
            assert between.name == "leaf"


def test_a_job_pays_more_the_further_it_is_spread() -> None:
    cluster = load_scenario(shipped("scenarios") / "plan-place-jobs.yaml").cluster
    job = Job(name="a", tasks=2, devices=4, value=1.0, exchange=4 * GIGA)
    cost = crossing(job, cluster, in_node=8, in_leaf=48)
    assert 0.0 < cost.node < cost.leaf < cost.leaves
    wide = crossing(Job(name="b", tasks=8, devices=8, value=1.0, exchange=4 * GIGA), cluster, in_node=8, in_leaf=48)
    assert wide.node == wide.leaf == wide.leaves > 0.0  # too large for one leaf, wherever it stands
    assert crossing(Job(name="c", tasks=2, devices=8, value=1.0), cluster, in_node=8, in_leaf=48).leaves == 0.0


@pytest.mark.parametrize(
    ("jobs", "name", "why"),
    [
        ("{name: a, devices: 8}, {name: b, devices: 16, per_node: 16}", "b", "no node has 16 devices"),
        ("{name: a, devices: 8}, {name: b, devices: 8, memory: 1 TB}", "b", "memory"),
        ("{name: a, devices: 8}, {name: b, devices: 8, host_memory: 90 TB}", "b", "host memory"),
        ("{name: a, devices: 8}, {name: b, devices: 40}", "b", "too few devices even on the empty"),
        ("{name: a, devices: 8}, {name: b, devices: 32, within: leaf}", "b", "`within` cannot be kept"),
        ("{name: a, devices: 8}, {name: b, devices: 10, per_node: 2, at_most: {node: 1}}", "b", "`at_most` cannot"),
        ("{name: a, devices: 24, value: 9}, {name: b, devices: 16, value: 5}", "b", r"drive out a \(value 4 less\)"),
        ("{name: a, devices: 1, value: 9, on: [h100-sxm]}, {name: b, devices: 32, value: 5}", "b", "drive out a"),
    ],
)
def test_who_is_left_out_is_told_why(jobs: str, name: str, why: str) -> None:
    import re

    found = _placed(jobs, "cluster.fabric.radix=16")  # two nodes below a leaf
    assert set(found.rejected) == {name}
    assert re.search(why, found.rejected[name])


def test_what_binds_is_what_could_be_placed_without_it() -> None:
    jobs = "{name: a, devices: 24, value: 9}, {name: b, devices: 8, value: 5}, {name: c, devices: 4, value: 1}"
    found = _placed(jobs, "workloads[0].spares={nodes: 1}")
    assert found.placed.value == 9.0  # a fills all nodes that need not stay empty
    gains = dict(found.binding)
    assert gains["spares"] == pytest.approx(5.0)
    assert gains["one more node of nvidia-h100-sxm5-80gb"] == pytest.approx(5.0)
    assert gains["gang"] == pytest.approx(2.0)  # b, and two thirds of a


def test_nothing_that_can_stand_is_an_answer() -> None:
    with pytest.raises(Infeasible, match="not one of 1 jobs"):
        _ = _placed("{name: a, devices: 64}")
    with pytest.raises(Infeasible, match="cannot stay empty"):
        _ = _placed("{name: a, devices: 8}", "workloads[0].spares={nodes: 5}")


@pytest.mark.parametrize(
    ("jobs", "told"),
    [
        ("{name: a, devices: 8}, {name: a, devices: 8}", "stands here twice"),
        ("{name: a, devices: 12}", "no whole tasks of 8"),
        ("{name: a, devices: 8, near: [b]}", "other job"),
        ("{name: a, devices: 8, apart: {leaf: [a]}}", "other job"),
        ("{name: a, devices: 8, on: [nvidia-t4-pcie-16gb]}", "device of this cluster"),
    ],
)
def test_jobs_that_make_no_sense_are_refused_with_their_place(jobs: str, told: str) -> None:
    with pytest.raises(InputError, match=rf"\[\d\].*{told}"):
        _ = _asked(jobs)


def test_copies_are_jobs_of_their_own() -> None:
    found: dict[str, Any] = _placed("{name: a, devices: 4, copies: 3}").facts()
    assert {row["job"] for row in found["decision"]} == {"a-1", "a-2", "a-3"}
    assert found["nodes_taken"] == 2
    assert found["rejected"] == {}
