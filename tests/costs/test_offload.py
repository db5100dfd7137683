"""Offload against bytes over bandwidth, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.costs.compute import Machine
from simulator.costs.estimate import estimate
from simulator.costs.host import Offload
from simulator.costs.memory import account, stage_account
from simulator.costs.network import AnalyticNetwork
from simulator.costs.offload import elsewhere, lighten
from simulator.costs.step import StepTimes, price
from simulator.foundation.errors import Infeasible, InputError
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.program import Program, lower
from simulator.profiles.framework import framework_named
from simulator.scenario import load_scenario
from simulator.simulation import simulate
from simulator.workload.jobs.training import TrainingJob
from simulator.workload.models.library import load_model
from tests.costs.test_memory import CATALOGUE, tiers

H100 = CATALOGUE.devices["h100-sxm"]
FRAMEWORK = framework_named("deepspeed")
HOST = Offload(devices=8, link=55e9, host_bandwidth=614e9, host_bytes=2e12, drive_read=25e9, drive_write=12e9,
               drive_bytes=30e12)  # fmt: skip
FILE = "scenarios/train-offload.yaml"


def program(model: str, plan: Plan, seq_len: int = 2048) -> Program:
    job = TrainingJob(model=load_model(model), seq_len=seq_len, global_batch=plan.global_batch)
    return lower(job, PlanTable.of([plan]), tiers("dgx-h100", 1))


def times(found: Program, offload: Offload | None) -> StepTimes:
    machine = replace(Machine.of(H100, found.job.precision), offload=offload)
    return price(found, machine, FRAMEWORK, AnalyticNetwork.of(tiers("dgx-h100", 1)))


def held(found: Program) -> float:
    return float(account(found, FRAMEWORK).parts["weights"][0]) / found.job.precision.weight_bytes


def test_weights_of_70b_take_their_bytes_over_the_link_in_each_pass():
    """141 GB over 55 GB/s: 2.6 s forward and as much backward, of which only the passes themselves hide any."""
    found = program("llama-3-70b", Plan(recompute="full"))
    there = times(found, replace(HOST, devices=1, parameters="host"))
    once = held(found) * 2.0 / 55e9
    assert once == pytest.approx(2.6, rel=0.02)
    passes = float(there.forward[0, 1] + there.backward[0, 1])
    assert passes + float(there.offload[0]) == pytest.approx(max(2 * once, passes), rel=1e-6)


@pytest.mark.parametrize(("zero", "share"), [(0, 1.0), (1, 1 / 8), (2, 1 / 8)])
def test_the_update_streams_through_the_memory_of_the_host(zero, share):
    found = program("gpt3-6.7b", Plan(dp=8, zero=zero))
    slow = replace(HOST, optimizer="host", link=1e15)
    moved = FRAMEWORK.gradient_bytes + 2 * 4 + 2 * 8 + 2  # gradient; master and momenta in and out; the 16-bit copy
    expected = 8 * share * held(found) * moved / slow.host_bandwidth
    assert float(times(found, slow).optimizer[0]) == pytest.approx(expected, rel=1e-9)


def test_state_on_drives_is_read_and_written_once_a_step():
    found = program("gpt3-6.7b", Plan(dp=8, zero=2))
    state = 12 * held(found)  # all ranks of the node together
    expected = state / HOST.drive_read + state / HOST.drive_write
    assert float(times(found, replace(HOST, optimizer="nvme")).optimizer[0]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "places", [{"optimizer": "host"}, {"optimizer": "nvme", "parameters": "nvme"}, {"activations": True}]
)
@pytest.mark.parametrize("zero", [0, 2, 3])
def test_no_byte_is_lost_between_device_host_and_drives(places, zero):
    found = program("gpt3-6.7b", Plan(dp=8, zero=zero, micro_batches=2))
    offload, whole = replace(HOST, **places), stage_account(found, FRAMEWORK)
    left, away = lighten(whole, found, offload).fullest(), elsewhere(found, FRAMEWORK, offload)
    assert left.total + away.host + away.drives == pytest.approx(whole.fullest().total, rel=1e-12)
    assert left.total < whole.fullest().total
    assert np.all(away.drives > 0) == ("nvme" in places.values())


@given(
    link=st.floats(1e9, 1e12), faster=st.floats(1.0, 10.0), zero=st.sampled_from([0, 1, 2, 3]),
    m=st.integers(1, 4), optimizer=st.sampled_from([None, "host", "nvme"]), activations=st.booleans(),
)  # fmt: skip
@settings(derandomize=True, max_examples=30, deadline=None)
def test_a_faster_link_is_never_slower_and_no_link_beats_keeping_everything(
    link, faster, zero, m, optimizer, activations
):
    found = program("gpt3-6.7b", Plan(dp=8, zero=zero, micro_batches=m))
    slow = replace(HOST, link=link, optimizer=optimizer, parameters="host", activations=activations)
    steps = [estimate(times(found, one), found.table).step[0] for one in (slow, replace(slow, link=faster * link))]
    assert steps[1] <= steps[0] * (1 + 1e-12)
    moved = 2 * m * held(found) * 2.0  # weights come in twice a micro-batch
    assert steps[0] >= moved / link * (1 - 1e-9)


def test_estimate_and_engine_agree_on_an_offloaded_step():
    slow = ["workloads[0].offload.activations=host", "workloads[0].offload.link=500 MB/s"]
    played, closed = (
        simulate(load_scenario(FILE, [*slow, f"run.fidelity={fidelity}"])) for fidelity in ("engine", "estimate")
    )
    assert played.parts["offload"] > 0
    assert played.parts["offload"] == pytest.approx(closed.parts["offload"], rel=1e-9)
    assert played.metrics["step_time_s"] == pytest.approx(closed.metrics["step_time_s"], rel=1e-9)


def test_what_does_not_fit_a_device_fits_with_offload_unless_the_host_is_too_small():
    with pytest.raises(Infeasible, match="fullest device"):
        simulate(load_scenario(FILE, ["workloads[0].offload=null"]))
    assert simulate(load_scenario(FILE)).memory["optimizer"] == 0
    with pytest.raises(Infeasible, match="host memory of a node"):
        simulate(load_scenario(FILE, ["workloads[0].offload.host_memory=200 GB"]))


@pytest.mark.parametrize("key", ["optimizer=null", "optimizer=nvme"])
def test_an_offload_of_nothing_or_to_unknown_drives_is_refused(key):
    with pytest.raises(InputError, match=r"nothing is offloaded|say how fast"):
        load_scenario(FILE, ["workloads[0].offload.drives=null", f"workloads[0].offload.{key}"])
