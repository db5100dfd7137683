"""Laws of a simulated training step, from a scenario to the result."""

from __future__ import annotations

import dataclasses
import tracemalloc

import pytest

from simulator.costs.memory import PARTS
from simulator.foundation.errors import Infeasible, InputError, UnknownName
from simulator.foundation.shipped import shipped
from simulator.mapping.plan import Plan
from simulator.results.result import Result
from simulator.scenario import load_scenario
from simulator.simulation import simulate
from simulator.simulation.slo import missed

SMALL = """
schema_version: 1
name: small
cluster:
  nodes: [{profile: dgx-a100-80gb, count: 4}]
workloads:
  - id: job
    kind: train
    model: gpt3-6.7b
    seq_len: 2048
    tokens: 1e9
    batch: {global: 64, micro: 1}
    parallelism: {tp: 2, pp: 4, zero: 1, recompute: full}
"""


@pytest.fixture
def ask(tmp_path):
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)

    def run(*overrides: str) -> Result:
        return simulate(load_scenario(file, overrides))

    return run


def test_the_parts_add_up_to_the_step_and_the_memory_to_its_total(ask):
    result = ask()
    assert sum(result.parts.values()) == pytest.approx(result.step_time, rel=1e-12)
    assert min(result.parts.values()) >= 0
    assert set(result.memory) == set(PARTS)
    assert sum(result.memory.values()) == pytest.approx(result.metrics["memory_bytes"], rel=1e-12)
    assert result.metrics["memory_bytes"] <= result.metrics["memory_limit_bytes"]


def test_the_figures_agree_with_each_other(ask):
    result, m = ask(), ask().metrics
    assert 0 < m["mfu"] < m["hfu"] <= 1
    assert m["hfu"] / m["mfu"] == pytest.approx(4 / 3, rel=0.05)  # whole layers recomputed: 4 passes instead of 3
    assert m["tokens_per_s"] * m["step_time_s"] == pytest.approx(64 * 2048)
    assert m["steps"] == pytest.approx(1e9 / (64 * 2048))
    assert m["time_to_train_s"] == pytest.approx(m["steps"] * m["step_time_s"])
    assert m["model_flop_per_step"] == pytest.approx(6 * 6.7e9 * 64 * 2048, rel=0.1)
    assert result.label in ("calibrated", "assumed")


def test_engine_and_estimate_tell_the_same(ask):
    played, closed = ask(), ask("run.fidelity=estimate")
    assert closed.step_time == pytest.approx(played.step_time, rel=0.03)
    assert closed.trace is None
    for part in ("exchange", "gradients", "optimizer"):
        assert closed.parts[part] == pytest.approx(played.parts[part], rel=1e-6)
    both = played.parts["compute"] + played.parts["recompute"]
    assert closed.parts["compute"] == pytest.approx(both, rel=1e-6)


def test_more_of_a_resource_is_never_slower(ask):
    assert min(ask().gains.values()) >= 0
    known = {"arithmetic", "memory_bandwidth", "host", "scaleup", "scaleout", "memory_capacity"}
    assert set(ask().gains) == known


def test_more_micro_batches_take_longer_and_leave_a_smaller_bubble(ask):
    few, many = ask("workloads[0].batch.global=64"), ask("workloads[0].batch.global=256")
    assert many.step_time > few.step_time
    assert many.metrics["bubble_fraction"] < few.metrics["bubble_fraction"]
    assert many.metrics["mfu"] > few.metrics["mfu"]


def test_a_slower_device_or_link_slows_the_step_by_no_more_than_its_share(ask):
    whole = ask().step_time
    slow = ask("events=[{kind: slow-device, device: 3, factor: 0.5}]")
    assert whole < slow.step_time < 2 * whole
    assert sum(slow.parts.values()) == pytest.approx(slow.step_time)
    assert [one.count for one in slow.classes] == [3, 1]
    link = ask("events=[{kind: slow-link, device: 3, factor: 0.1}]")
    assert link.step_time > whole
    slower = ask("events=[{kind: slow-device, device: 3, factor: 0.25}]")
    assert slower.step_time > slow.step_time


def test_what_is_not_decided_or_does_not_match_is_told_with_its_mend(ask, tmp_path):
    with pytest.raises(InputError, match="rackcast plan"):
        ask("workloads[0].parallelism=auto")
    scenario = load_scenario(tmp_path / "small.yaml")
    with pytest.raises(InputError, match="needs 1 devices; the cluster has 32"):
        simulate(scenario, plan=Plan(micro_batches=64))
    with pytest.raises(InputError, match="batches of 32 samples, not 64"):
        simulate(scenario, plan=Plan(dp=32))
    with pytest.raises(InputError, match="need time to pass"):
        ask("run.fidelity=estimate", "events=[{kind: slow-device, device: 3, factor: 0.5}]")
    with pytest.raises(UnknownName, match="tier"):
        ask("events=[{kind: slow-link, device: 3, tier: moon, factor: 0.5}]")
    with pytest.raises(UnknownName, match="workload"):
        simulate(scenario, workload="jobb")


def test_what_does_not_fit_comes_with_its_account_and_a_relaxation_that_does_fit(ask, tmp_path):
    with pytest.raises(Infeasible) as caught:
        ask("workloads[0].parallelism={tp: 1, pp: 1}")
    error = caught.value
    assert error.account["needed"] == pytest.approx(sum(error.account[name] for name in PARTS))
    assert error.account["needed"] > error.account["limit"]
    assert "recompute: " in error.relaxation or "zero: " in error.relaxation
    keys = error.relaxation.split(" (")[0].replace(" and ", ", ")
    assert ask(f"workloads[0].parallelism={{tp: 1, pp: 1, {keys}}}").step_time > 0


def test_limits_are_held_against_the_figures(ask, tmp_path):
    scenario = load_scenario(tmp_path / "small.yaml", ["slo.step_time=1 ms", "slo.mfu=0.99", "slo.cost=1 USD"])
    told = missed(simulate(scenario), scenario.slo)
    assert [text.split(":")[0] for text in told] == ["slo.step_time", "slo.cost", "slo.mfu"]
    assert not missed(ask(), load_scenario(tmp_path / "small.yaml").slo)


def test_rent_and_power_scale_with_the_nodes(ask):
    rented = ask("cluster.nodes[0].price={rate: 10 USD/h}").metrics
    assert rented["usd_per_hour"] == pytest.approx(40)
    assert rented["cost_usd"] == pytest.approx(40 * rented["time_to_train_s"] / 3600)
    assert "cost_usd" not in ask().metrics
    assert rented["energy_j"] == pytest.approx(rented["power_w"] * rented["time_to_train_s"])


def test_a_mixed_cluster_works_at_the_pace_of_its_slowest(ask):
    mixed = ask("cluster.nodes=[{profile: dgx-h100, count: 2}, {profile: dgx-a100-80gb, count: 2}]")
    assert mixed.hardware.named == "16 x nvidia-h100-sxm5-80gb + 16 x nvidia-a100-sxm4-80gb"
    slow = ask("cluster.nodes=[{profile: dgx-a100-80gb, count: 4}]")
    assert 0.9 * slow.step_time <= mixed.step_time <= slow.step_time
    assert mixed.metrics["mfu"] < ask().metrics["mfu"]


def test_a_result_shows_itself(ask):
    result = ask()
    assert "gpt3-6.7b on 32 x" in result.summary
    assert "<table>" in result._repr_html_()
    assert list(result.frame().columns) == ["metric", "value", "meaning"]
    text = result.explain()
    assert "Ten per cent more of each would save" in text
    assert "Most of it" in text
    assert "What bounds it" in text
    assert " 0.0 days" not in text
    assert result.facts()["plan"] == dataclasses.asdict(result.plan)


@pytest.mark.slow
def test_a_step_on_sixteen_thousand_devices_costs_no_more_than_one_on_a_thousand():
    file = shipped("scenarios") / "gpt3-175b-megatron.yaml"
    small = simulate(load_scenario(file, ["workloads[0].batch.global=128"]))
    tracemalloc.start()
    wide = ["cluster.nodes[0].count=2048", "workloads[0].batch.global=2048"]
    large = simulate(load_scenario(file, wide))
    assert large.hardware.devices == 16384
    assert large.plan.micro_batches == small.plan.micro_batches
    assert len(large.trace.records) == len(small.trace.records)
    assert tracemalloc.get_traced_memory()[1] < 1e8
    tracemalloc.stop()
