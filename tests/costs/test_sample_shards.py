"""Sharding and offload of networks on samples against bytes over ranks and bytes over bandwidth, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator.costs.compute import Machine
from simulator.costs.host import Offload
from simulator.costs.network import AnalyticNetwork
from simulator.costs.programs import elsewhere_of, memory_of, times_of
from simulator.costs.step import StepTimes
from simulator.foundation.errors import Infeasible
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.samples import SampleProgram, lower_samples
from simulator.profiles.framework import framework_named
from simulator.scenario import load_scenario
from simulator.simulation import simulate
from simulator.workload.jobs.samples import SampleJob
from simulator.workload.models.library import find_model, layers_of
from simulator.workload.optimizers import optimizers
from tests.costs.test_memory import CATALOGUE, tiers

H100 = CATALOGUE.devices["h100-sxm"]
FRAMEWORK = framework_named("convolutional")
ALONE = replace(FRAMEWORK, overlaps_gradients=False, overlaps_gathers=False)
TIERS = tiers("dgx-h100", 1)
NETWORK = AnalyticNetwork.of(TIERS)
HOST = Offload(devices=8, link=55e9, host_bandwidth=614e9, host_bytes=2e12)
FILE = "scenarios/train-diffusion-zero.yaml"


def program(name: str = "vgg16", **plan: int) -> SampleProgram:
    made = Plan(**({"dp": 8, "micro_batch": 16} | plan))  # type: ignore[arg-type]
    job = SampleJob(network=layers_of(find_model(name), None), global_batch=made.global_batch,
                    optimizer=optimizers["adam"])  # fmt: skip
    return lower_samples(job, PlanTable.of([made]), TIERS)


def held(found: SampleProgram, offload: Offload | None = None) -> dict[str, float]:
    return {name: float(part[0]) for name, part in memory_of(found, FRAMEWORK, offload).parts.items()}


def times(found: SampleProgram, offload: Offload | None = None) -> StepTimes:
    machine = replace(Machine.of(H100, found.job.precision), offload=offload)
    return times_of(found, machine, ALONE, NETWORK)


def exchange(kind: str, size: float, found: SampleProgram) -> float:
    return float(NETWORK.time(kind, np.array([size]), found.replicas)[0])


def test_each_stage_shards_one_thing_more_and_nothing_else():
    layers = program().job.parameters
    whole, optimizer, gradients, weights = (held(program(zero=stage)) for stage in range(4))
    assert whole["optimizer"] == pytest.approx(8 * layers)  # two moments in fp32; the weights are their own masters
    for later in (optimizer, gradients, weights):
        assert later["optimizer"] == pytest.approx(whole["optimizer"] / 8)
    assert optimizer["gradients"] == whole["gradients"] == pytest.approx(4 * layers)
    assert gradients["gradients"] == weights["gradients"] == pytest.approx(4 * layers / 8)
    assert gradients["weights"] == whole["weights"] == pytest.approx((4 + 2) * layers)  # fp32 and the copy of autocast
    assert weights["weights"] == pytest.approx(4 * layers / 8)
    assert weights["workspace"] > whole["workspace"]  # two layers gathered, the gradient of one
    assert all(one["activations"] == whole["activations"] for one in (optimizer, gradients, weights))


def test_one_replica_has_nothing_to_shard():
    alone, sharded = (held(program(dp=1, zero=stage)) for stage in (0, 3))
    for name in ("gradients", "optimizer", "activations"):
        assert sharded[name] == alone[name]
    assert np.array_equal(times(program(dp=1, zero=2)).gradients, np.zeros(1))


@pytest.mark.parametrize(("stage", "micro_batches"), [(1, 1), (1, 4), (2, 1), (2, 4)])
def test_gradients_are_scattered_and_weights_gathered(stage, micro_batches):
    """Under stage 2 those of every micro-batch; weights travel in 16 bits, once."""
    found = program(zero=stage, micro_batches=micro_batches)
    layers = found.job.parameters
    scattered = exchange("reduce_scatter", 4.0 * layers, found) * (micro_batches if stage == 2 else 1)
    assert float(times(found).gradients[0]) == pytest.approx(scattered + exchange("all_gather", 2.0 * layers, found))


def test_sharded_weights_are_gathered_in_both_passes_and_their_gradients_scattered():
    whole, found = program(), program(zero=3)
    layers = found.job.parameters
    plain, fully = times(whole), times(found)
    gather, scatter = exchange("all_gather", 2.0 * layers, found), exchange("reduce_scatter", 4.0 * layers, found)
    assert float((fully.forward - plain.forward)[0, 0]) == pytest.approx(gather)
    assert float((fully.backward - plain.backward)[0, 0]) == pytest.approx(gather + scatter)
    assert float(fully.gradients[0]) == 0.0


def test_a_shard_is_updated_in_its_share_of_the_time():
    whole, found = times(program("flux.1")), times(program("flux.1", zero=1))
    assert float(found.optimizer[0]) == pytest.approx(float(whole.optimizer[0]) / 8, rel=1e-9)


@pytest.mark.parametrize("stage", range(4))
@pytest.mark.parametrize(
    "places", [{"optimizer": "host"}, {"optimizer": "nvme", "parameters": "nvme"}, {"activations": True}]
)
def test_no_byte_is_lost_between_device_host_and_drives(places, stage):
    offload = replace(HOST, drive_read=25e9, drive_write=12e9, drive_bytes=30e12, **places)
    found = program("resnet50-v1.5", zero=stage)
    whole, left, away = held(found), held(found, offload), elsewhere_of(found, FRAMEWORK, offload)
    moved = sum(whole[name] - left[name] for name in ("weights", "gradients", "optimizer", "activations"))
    assert moved > 0
    assert float((away.host + away.drives)[0]) == pytest.approx(moved)


def test_the_update_of_offloaded_state_streams_through_the_memory_of_the_host():
    found = program(zero=2)
    slow = replace(HOST, optimizer="host", link=1e15, host_bandwidth=1e9)
    moved = 4 + 2 * 8 + 2 * 4  # gradient in; moments and weight in and out, all fp32
    expected = found.job.parameters * moved / slow.host_bandwidth  # of all eight devices of the node
    assert float(times(found, slow).optimizer[0]) == pytest.approx(expected)


def test_a_network_that_does_not_fit_whole_fits_in_shards():
    with pytest.raises(Infeasible, match="GB on the fullest device") as caught:
        simulate(load_scenario(FILE, ["workloads[0].parallelism.zero=0"]))
    assert "zero" in str(caught.value.relaxation)
    found = simulate(load_scenario(FILE))
    assert found.metrics["memory_bytes"] < found.metrics["memory_limit_bytes"]
