"""A whole run around a training step, from a scenario to the result."""

from __future__ import annotations

import pytest

from simulator.foundation.errors import InputError, InvalidFile
from simulator.foundation.shipped import shipped
from simulator.results.result import Result
from simulator.scenario import load_scenario
from simulator.simulation import simulate

JOB = "workloads[0]"


def ask(*overrides: str) -> Result:
    file = shipped("scenarios") / "train-whole-run-405b.yaml"
    return simulate(load_scenario(file, ("run.fidelity=estimate", f"{JOB}.faults.runs=20", *overrides)))


def test_the_ledger_adds_up_to_the_run_and_to_its_money():
    found = ask()
    assert sum(found.run.ledger.values()) == pytest.approx(found.run.time_s, rel=1e-9)
    assert sum(cost for *_, cost, _ in found.run.rows()) == pytest.approx(found.metrics["run_cost_usd"], rel=1e-9)
    assert sum(share for _, _, share, _, _ in found.run.rows()) == pytest.approx(1.0)


def test_sixteen_thousand_devices_that_stop_every_three_hours_work_more_than_nine_tenths_of_the_time():
    found = ask()
    assert found.metrics["cluster_mtbf_s"] == pytest.approx(3.09 * 3600, rel=0.002)
    assert found.run.productive > 0.9
    per_54_days = found.run.failures / found.run.time_s * 54 * 86400
    assert 0.85 * 419 < per_54_days <= 419 * 1.05


def test_played_runs_agree_with_the_closed_form():
    found = ask(f"{JOB}.faults.runs=40")
    assert found.run.time_s == pytest.approx(found.run.expected_s, rel=0.005)


def test_the_interval_that_is_found_beats_others():
    best = ask().run
    assert best.interval_s == pytest.approx(best.best_interval_s, rel=0.05)
    for steps in (5, 200):
        assert ask(f"{JOB}.checkpoint.every={steps}").run.expected_s > best.expected_s


def test_without_failures_nothing_is_lost():
    found = ask(f"{JOB}.faults=null", f"{JOB}.checkpoint.every=100").run
    assert found.ledger["lost"] == found.ledger["restart"] == found.failures == 0
    assert found.time_s == pytest.approx(found.expected_s, rel=1e-9)


def test_stages_end_after_each_other_and_lose_half_of_what_lies_between_saved_states():
    found = ask().run
    assert [stage.name for stage in found.stages] == ["first", "main", "annealing"]
    ends = [stage.end_s for stage in found.stages]
    assert ends == sorted(ends)
    assert ends[-1] == pytest.approx(found.time_s, rel=1e-6)
    assert found.stages[1].lost_per_failure_s == pytest.approx(found.interval_s / 2, rel=0.05)


def test_an_evaluation_is_forward_passes():
    found = ask()
    count = found.metrics["steps"] // 1000
    step = found.step_time - found.parts["checkpoint"]
    assert 8192 / 2048 * step * count / 5 < found.run.ledger["evaluation"] < 8192 / 2048 * step * count / 2


def test_asynchronous_checkpoints_hold_the_run_up_less():
    assert ask(f"{JOB}.checkpoint.mode=async").run.productive > ask().run.productive


def test_an_interval_cannot_be_found_without_failures():
    with pytest.raises(InputError, match="node_mtbf"):
        ask(f"{JOB}.faults=null")


@pytest.mark.parametrize("other", ["tokens=1e12", "samples=1e9"])
def test_only_one_key_says_how_long_a_run_is(other):
    with pytest.raises(InvalidFile, match="keep one"):
        ask(f"{JOB}.{other}")


def test_epochs_need_a_data_set():
    with pytest.raises(InvalidFile, match="an epoch goes over a data set"):
        ask(f"{JOB}.stages=[]", f"{JOB}.epochs=2")
