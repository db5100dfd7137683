"""Training on several kinds of machine: who waits for whom, and what shares in proportion to speed are worth."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.foundation.errors import Infeasible, InputError, InvalidFile
from simulator.scenario import load_scenario
from simulator.simulation import simulate

SCENARIO = Path(__file__).parents[2] / "scenarios" / "train-heterogeneous.yaml"
KEY = "workloads[0].parallelism"
ACROSS = f"{KEY}={{tp: 4, pp: 2, zero: 1, sequence_parallel: true"  # the pipeline is outermost: a stage on each kind
ALONE = "cluster.nodes=[{profile: dgx-h100, count: 4}]"


def run(*overrides):
    return simulate(load_scenario(SCENARIO, overrides))


def step(*overrides):
    return run(*overrides).step_time


@pytest.mark.parametrize(
    "layout",
    [
        f"{KEY}.shares=speed", f"{KEY}.shares=equal", f"{KEY}.shares=[30,2]", f"{KEY}.shares=[32,0]",
        f"{ACROSS}}}", f"{ACROSS}, layers_per_stage: [24, 8]}}", f"{ACROSS}, schedule: gpipe, recompute: full}}",
        f"{ACROSS}, order: tp-cp-pp-dp, shares: speed}}",
    ],
)  # fmt: skip
def test_the_estimate_and_the_engine_agree(layout):
    estimated = step(layout, "run.fidelity=estimate")
    assert estimated == pytest.approx(step(layout), rel=0.02 if "pp" in layout else 1e-9)


def test_proportional_shares_take_total_work_over_total_speed():
    """Each kind alone does the batch in some time; together their speeds add up, but for the last micro-batch."""
    together = step()
    fast, slow = (step(f"cluster.nodes=[{{profile: {node}, count: 4}}]", f"{KEY}.shares=equal")
                  for node in ("dgx-h100", "dgx-a100-640gb"))  # fmt: skip
    ideal = 1 / (1 / fast + 1 / slow)
    assert ideal * 0.99 <= together <= ideal * 1.05
    assert together < fast


def test_equal_shares_wait_for_the_slower_machines_and_proportional_ones_never_take_longer():
    equal, proportional = run(f"{KEY}.shares=equal"), run()
    assert equal.step_time > proportional.step_time
    slow_alone = step("cluster.nodes=[{profile: dgx-a100-640gb, count: 8}]", f"{KEY}.shares=equal")
    assert equal.step_time == pytest.approx(slow_alone, rel=0.01)
    assert "All replicas wait for the 8 on nvidia-a100-sxm4-80gb" in equal.explain()


def test_on_equal_machines_nothing_is_left_to_their_speed():
    even = run(ALONE, f"{KEY}.shares=equal")
    assert run(ALONE).plan == even.plan
    assert run(ALONE).step_time == even.step_time


def test_shares_are_dealt_out_to_the_replicas_of_the_machines_that_are_named():
    plan = run().plan
    assert plan.shares == (plan.shares[0],) * 8 + (plan.shares[-1],) * 8
    assert plan.shares[0] > plan.shares[-1]
    assert run(f"{KEY}.shares=[{plan.shares[0]},{plan.shares[-1]}]").plan == plan
    assert run(f"{KEY}.shares=[{','.join(map(str, plan.shares))}]").plan == plan


def test_stages_on_unequal_machines_are_as_long_as_they_are_fast():
    even, speedy = run(f"{ACROSS}}}"), run(f"{ACROSS}, layers_per_stage: speed}}")
    fast, slow = speedy.plan.layers_per_stage
    assert fast > slow
    assert speedy.step_time < even.step_time
    first, last = speedy.lanes
    assert abs(first.passes_s - last.passes_s) < 0.1 * speedy.step_time
    assert {first.machine, last.machine} == {"nvidia-h100-sxm5-80gb", "nvidia-a100-sxm4-80gb"}
    assert "stage 0 (24 layers on nvidia-h100-sxm5-80gb) is the longest" in speedy.explain()


def test_with_the_replicas_outermost_a_replica_stands_on_one_kind():
    lanes = run(f"{ACROSS}, order: tp-cp-pp-dp, shares: speed}}").lanes
    by_replica = {}
    for lane in lanes:
        by_replica.setdefault(lane.first, set()).add(lane.machine)
    assert all(len(machines) == 1 for machines in by_replica.values())
    assert len(by_replica) == 2


def test_a_slow_node_among_them_gets_fewer_micro_batches():
    slow = "events=[" + ", ".join(f"{{kind: slow-device, device: {device}, factor: 0.5}}" for device in range(8)) + "]"
    plan = run(slow).plan
    assert plan.shares[0] < plan.shares[2]
    assert step(slow) < step(slow, f"{KEY}.shares=[{run().plan.shares[0]},{run().plan.shares[-1]}]")


def test_memory_is_asked_of_the_devices_under_each_stage():
    small = "cluster.nodes=[{profile: dgx-h100, count: 4}, {profile: dgx-1-v100, count: 4}]"
    layout = f"{KEY}={{tp: 4, pp: 2, zero: 1, sequence_parallel: true, schedule: gpipe"
    with pytest.raises(Infeasible, match=r"stage 1 of llama-3.1-8b needs .* on nvidia-v100"):
        run(small, f"{layout}, layers_per_stage: [2, 30]}}", "workloads[0].precision=fp16")


def test_a_teacher_weighs_on_the_devices_of_a_mixed_cluster_too():
    alone = run(f"{KEY}.recompute=full")
    taught = run(f"{KEY}.recompute=full", "workloads[0].compress={distill: {teacher: llama-3.1-8b}}")
    assert taught.memory["weights"] == pytest.approx(2 * alone.memory["weights"], rel=0.01)
    assert taught.step_time > alone.step_time
    with pytest.raises(InvalidFile, match="both are cut evenly"):
        run(f"{ACROSS}, layers_per_stage: speed}}", "workloads[0].compress={distill: {teacher: llama-3.1-8b}}")


def test_replicas_that_meet_in_each_pass_must_have_equal_shares():
    with pytest.raises((InputError, InvalidFile), match="its replicas meet in each pass"):
        run(f"{KEY}.zero=3", f"{KEY}.shares=[23,9]")
    with pytest.raises((InputError, InvalidFile), match="add up to 240 micro-batches; the batch has 256"):
        run(f"{KEY}.shares=[20,10]")
