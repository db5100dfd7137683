"""Laws of the training step of networks that work on samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator.costs.compute import Machine
from simulator.costs.estimate import estimate
from simulator.costs.gradients import buckets
from simulator.costs.layers import LayerTable, layer_passes, product_times
from simulator.costs.network import AnalyticNetwork
from simulator.costs.sample_step import price_samples
from simulator.costs.step import StepTimes
from simulator.foundation.errors import InputError
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.samples import lower_samples
from simulator.profiles.catalogue import load_catalogue
from simulator.profiles.framework import Framework, framework_named
from simulator.topology.build import build_cluster
from simulator.topology.fabric import Fabric
from simulator.workload.jobs.samples import SampleJob
from simulator.workload.jobs.training import Precision
from simulator.workload.models.library import load_forward, load_network
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import Network
from simulator.workload.models.networks.typical import typical_network
from simulator.workload.optimizers import optimizers

_CATALOGUE = load_catalogue()
_A100 = _CATALOGUE.devices["nvidia-a100-sxm4-80gb"]
_FRAMEWORK = framework_named("convolutional")
_NETWORKS = ("resnet50-v1.5", "efficientnet-b0", "vgg16", "ssd300-resnet50", "dlrm-dcnv2", "3d-unet-kits19")


def machine(precision: str = "fp16-amp") -> Machine:
    return Machine.of(_A100, Precision.of(precision))


class Counting:
    """A network on which a byte takes a second."""

    def time(self, operation: str, size: np.ndarray, group: object) -> np.ndarray:
        return size


def test_of_a_copied_table_the_rows_are_exchanged_that_were_looked_up_and_never_more_than_all() -> None:
    job = SampleJob(network=load_network("ncf"), optimizer=optimizers["adam"])
    framework = replace(_FRAMEWORK, overlaps_gradients=False)
    plans = PlanTable.of([Plan(dp=8, micro_batch=size) for size in (1, 2, 2**20)])
    node = _CATALOGUE.nodes["dgx-a100-640gb"]
    cluster = build_cluster(nodes=[(node, _A100, 1)], links=_CATALOGUE.links, fabric=Fabric(shape="fat-tree"))
    program = lower_samples(job, plans, cluster.tiers)
    times = price_samples(program, machine(), framework, Counting())  # type: ignore[arg-type]
    dense = (job.network.parameters - job.tables) * framework.gradient_bytes
    one, two, all_ = times.gradients - dense
    assert one == pytest.approx(8 * job.looked_up * framework.gradient_bytes / 2)
    assert two == pytest.approx(2 * one)
    assert all_ == pytest.approx(job.tables * framework.gradient_bytes)


def step(name: str, plan: Plan, on: Machine | None = None) -> float:
    node = _CATALOGUE.nodes["dgx-a100-640gb"]
    tiers = build_cluster(nodes=[(node, _A100, 2)], links=_CATALOGUE.links, fabric=Fabric(shape="fat-tree")).tiers
    table = PlanTable.of([plan])
    job = SampleJob(network=load_network(name), optimizer=optimizers["momentum"])
    times = price_samples(lower_samples(job, table, tiers), on or machine(), _FRAMEWORK, AnalyticNetwork.of(tiers))
    found = estimate(times, table)
    assert found.step[0] == pytest.approx(sum(part[0] for part in found.parts.values()))
    return float(found.step[0])


@pytest.mark.parametrize("name", _NETWORKS)
def test_operators_hold_the_work_of_the_network(name: str) -> None:
    network = load_network(name)
    assert LayerTable.of(network).macs == pytest.approx(network.macs)


@pytest.mark.parametrize("name", ["timm-tresnet-m", "timm-volo-d1-224", "timm-cait-s24-224"])
def test_a_stand_in_has_the_published_cost_of_its_model(name: str) -> None:
    facts = load_forward(name)
    stand_in = typical_network(facts)
    assert stand_in.macs == pytest.approx(facts.macs, rel=0.01)
    if facts.activations is not None:
        assert stand_in.activations == pytest.approx(facts.activations, rel=0.01)
    if facts.parameters is not None:
        assert stand_in.parameters == pytest.approx(facts.parameters, rel=0.01)


@pytest.mark.parametrize("name", _NETWORKS)
def test_products_never_pass_the_peak(name: str) -> None:
    network, on = load_network(name), machine()
    seconds = product_times(LayerTable.of(network), np.array([64.0]), on, _A100.peak["fp32"]).sum()
    assert seconds >= 2.0 * 64 * network.macs / on.peak


def test_fast_algorithms_save_time_of_plain_convolutions_on_fp32_vector_units_only() -> None:
    table, samples = LayerTable.of(load_network("vgg16")), np.array([64.0])
    slow = replace(table, overlap=np.zeros_like(table.overlap))
    for precision, fewer in (("fp32", True), ("tf32", False), ("fp16-amp", False)):
        found, direct = (product_times(one, samples, machine(precision), 0.0)[0] for one in (table, slow))
        assert (found <= direct).all()
        wide = (table.overlap > 0) & (table.k >= 9 * 64)  # the first one reads three channels: transforms do not pay
        assert ((found < direct) == (wide & fewer)).all()
    assert (table.overlap == 3).sum() == 13  # its convolutions, not its three products


@pytest.mark.parametrize(("kernel", "left"), [(3, 36 / 144), (5, 64 / 400)])
def test_a_fast_algorithm_never_takes_less_than_the_multiplications_it_leaves(kernel: int, left: float) -> None:
    on = machine("fp32")
    for channels in (64, 512):
        canvas = Canvas(channels, (32, 32))
        canvas.conv(channels, kernel, norm=False, act=None)
        table = LayerTable.of(Network(name="one", family="one", size=32, layers=tuple(canvas.layers)))
        least = 2.0 * 64 * table.macs * left / (on.peak * on.efficiency.product32)
        found = float(product_times(table, np.array([64.0]), on, 0.0).sum())
        assert least <= found <= 4 * least


def test_strided_dilated_grouped_and_volume_convolutions_have_no_fast_algorithm() -> None:
    def overlap(extent: tuple[int, ...] = (32, 32), kernel: int = 3, **options: int) -> int:
        canvas = Canvas(64, extent)
        canvas.conv(64, kernel, norm=False, act=None, **options)
        return canvas.layers[0].overlap

    assert (overlap(), overlap(kernel=5), overlap(kernel=7), overlap(kernel=1)) == (3, 5, 0, 0)
    assert overlap(stride=2) == overlap(dilation=2) == overlap(groups=2) == overlap((16, 16, 16)) == 0


@pytest.mark.parametrize("name", _NETWORKS)
def test_a_larger_batch_is_never_faster_but_costs_less_per_sample(name: str) -> None:
    steps = {batch: step(name, Plan(micro_batch=batch)) for batch in (8, 32, 128, 512)}
    pairs = list(zip(steps.items(), list(steps.items())[1:], strict=False))
    assert all(small <= large for (_, small), (_, large) in pairs)
    assert all(large / many <= small / few * 1.05 for (few, small), (many, large) in pairs)


@pytest.mark.parametrize("name", _NETWORKS)
def test_more_bandwidth_or_more_arithmetic_is_never_slower(name: str) -> None:
    plan, plain = Plan(micro_batch=64), machine()
    base = step(name, plan, plain)
    assert step(name, plan, replace(plain, bandwidth=2 * plain.bandwidth)) <= base
    assert step(name, plan, replace(plain, peak=2 * plain.peak, peak16=2 * plain.peak16)) <= base


def test_narrow_numbers_are_faster_than_wide_ones() -> None:
    plan = Plan(micro_batch=128)
    assert step("resnet50-v1.5", plan, machine("fp16-amp")) < step("resnet50-v1.5", plan, machine("tf32"))
    assert step("resnet50-v1.5", plan, machine("tf32")) < step("resnet50-v1.5", plan, machine("fp32"))


def test_replicas_wait_for_gradients_and_only_for_those() -> None:
    alone = step("vgg16", Plan(micro_batch=64))
    together = step("vgg16", Plan(micro_batch=64, dp=8))
    apart = step("vgg16", Plan(micro_batch=64, dp=16))
    assert alone < min(together, apart)
    assert max(together, apart) < 2 * alone


def test_a_small_batch_waits_for_the_host() -> None:
    table, on = LayerTable.of(load_network("resnet50-v1.5")), machine()
    ahead, _ = layer_passes(table, np.array([1.0, 1024.0]), on, _FRAMEWORK, _A100.peak["fp32"])
    waits = ahead.busy(on, _FRAMEWORK)[1]
    assert waits[0] > 0 == waits[1]


def test_networks_are_not_cut_by_tensor_parallelism() -> None:
    with pytest.raises(InputError, match="by its batch and into stages only"):
        step("resnet50-v1.5", Plan(micro_batch=8, tp=2))


def test_stages_of_a_recommender_are_refused_as_are_schedules_that_split_its_backward_pass() -> None:
    with pytest.raises(InputError, match="no stage of a pipeline holds"):
        step("dlrm-dcnv2", Plan(micro_batch=8, pp=2))
    with pytest.raises(InputError, match="gpipe and 1f1b"):
        step("resnet50-v1.5", Plan(micro_batch=8, pp=2, micro_batches=4, schedule="zb-h1"))


def priced(plan: Plan, name: str = "resnet101", framework: Framework = _FRAMEWORK) -> StepTimes:
    node = _CATALOGUE.nodes["dgx-a100-640gb"]
    tiers = build_cluster(nodes=[(node, _A100, 2)], links=_CATALOGUE.links, fabric=Fabric(shape="fat-tree")).tiers
    table = PlanTable.of([plan])
    job = SampleJob(network=load_network(name), optimizer=optimizers["momentum"])
    return price_samples(lower_samples(job, table, tiers), machine("fp32"), framework, AnalyticNetwork.of(tiers))


@pytest.mark.parametrize("stages", [2, 4, 8])
def test_stages_share_out_the_work_of_the_whole_network(stages: int) -> None:
    whole, cut = priced(Plan(micro_batch=64)), priced(Plan(micro_batch=64, pp=stages, micro_batches=8))
    seats_of = np.array([1, max(stages - 2, 0), 1])
    for name in ("forward", "backward"):
        held = float((getattr(cut, name)[0] * seats_of).sum())
        assert held == pytest.approx(float(getattr(whole, name)[0, 0]), rel=0.01)
    longest = float((cut.forward + cut.backward).max())
    everything = float((whole.forward + whole.backward)[0, 0])
    assert everything / stages <= longest * 1.001
    assert longest < everything / stages * 1.25
    assert cut.boundary[0] > 0


def test_a_pipeline_that_names_its_layers_holds_those() -> None:
    layers = len(load_network("resnet101").layers)
    balanced = priced(Plan(micro_batch=64, pp=2, micro_batches=8))
    lopsided = priced(Plan(micro_batch=64, pp=2, micro_batches=8, layers_per_stage=(layers - 1, 1)))
    assert float(lopsided.forward.max()) > 1.5 * float(balanced.forward.max())
    with pytest.raises(InputError, match=f"has {layers} layers"):
        priced(Plan(micro_batch=64, pp=2, micro_batches=8, layers_per_stage=(2, 1)))


def test_recomputation_repeats_the_forward_pass_of_all_micro_batches_or_all_but_the_last() -> None:
    torchgpipe = framework_named("torchgpipe")
    plain = priced(Plan(micro_batch=64, micro_batches=4))
    again = priced(Plan(micro_batch=64, micro_batches=4, recompute="full"))
    spared = priced(Plan(micro_batch=64, micro_batches=4, recompute="full"), framework=torchgpipe)
    alone = priced(Plan(micro_batch=64, recompute="full"), framework=torchgpipe)
    forward = float(plain.forward[0, 0])
    assert float((again.backward - plain.backward)[0, 0]) == pytest.approx(forward)
    assert float((spared.backward - plain.backward)[0, 0]) == pytest.approx(0.75 * forward)
    assert float((alone.backward - plain.backward)[0, 0]) == pytest.approx(forward)


def test_more_micro_batches_waste_less_of_a_pipeline() -> None:
    shares = []
    for count in (1, 4, 16, 64):
        plan = Plan(micro_batch=16, pp=4, micro_batches=count, schedule="gpipe")
        shares.append(float(estimate(priced(plan), PlanTable.of([plan])).bubble_fraction[0]))
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.5
    assert shares[-1] < 0.1


def test_what_is_not_trained_has_a_forward_pass_alone() -> None:
    network = load_network("resnet50-v1.5")
    cut = len(network.layers) // 2
    frozen = replace(network, layers=tuple(replace(layer, frozen=n < cut) for n, layer in enumerate(network.layers)))
    rest = replace(network, layers=network.layers[cut:])
    passes = {name: layer_passes(LayerTable.of(each), np.array([64.0]), machine(), _FRAMEWORK, 0.0)
              for name, each in (("all", network), ("frozen", frozen), ("rest", rest))}  # fmt: skip
    assert passes["frozen"][0].products == passes["all"][0].products
    assert passes["frozen"][1].products == pytest.approx(passes["rest"][1].products)
    assert passes["frozen"][1].elementwise == pytest.approx(passes["rest"][1].elementwise)


def test_the_device_waits_for_each_decision_of_each_sample() -> None:
    network = load_network("vgg16")
    chooser = Canvas(1, (1,))
    chooser.decide("chosen", 500)
    choosing = replace(network, layers=(*network.layers, *chooser.layers))
    tiers = build_cluster(nodes=[(_CATALOGUE.nodes["dgx-a100-640gb"], _A100, 1)], links=_CATALOGUE.links,
                          fabric=Fabric(shape="fat-tree")).tiers  # fmt: skip
    table = PlanTable.of([Plan(micro_batch=size) for size in (8, 64)])
    programs = [lower_samples(SampleJob(network=each, optimizer=optimizers["sgd"]), table, tiers)
                for each in (network, choosing)]  # fmt: skip
    steps = [price_samples(program, machine(), _FRAMEWORK, AnalyticNetwork.of(tiers)).forward[:, 0]
             for program in programs]  # fmt: skip
    assert steps[1] - steps[0] == pytest.approx(np.array([8, 64]) * 500 * _FRAMEWORK.dispatch.decision_s)


def test_an_update_tensor_by_tensor_takes_its_launches_or_its_bytes_whichever_is_longer() -> None:
    tensors = LayerTable.of(load_network("resnet101")).tensors
    fused, each, many = (replace(_FRAMEWORK, update_kernels=count) for count in (0, 1, 1000))
    update = {name: float(priced(Plan(micro_batch=8), framework=one).optimizer[0])
              for name, one in (("fused", fused), ("each", each), ("many", many))}  # fmt: skip
    assert update["fused"] <= update["each"] < update["many"]
    assert update["many"] == pytest.approx(1000 * tensors * _FRAMEWORK.dispatch.kernel_s)


def test_gradients_in_buckets_pay_for_the_start_of_each() -> None:
    whole, bucketed = _FRAMEWORK, replace(_FRAMEWORK, bucket_bytes=1e6)
    size = np.array([0.0, 0.5e6, 10.1e6])
    assert list(buckets(size, whole)) == [1, 1, 1]
    assert list(buckets(size, bucketed)) == [1, 1, 11]
    once, often = (priced(Plan(micro_batch=8, dp=8), framework=one) for one in (whole, bucketed))
    assert float((once.gradients + once.gradients_hidden)[0]) < float((often.gradients + often.gradients_hidden)[0])
