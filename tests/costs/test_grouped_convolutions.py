"""Laws of convolutions in groups and of the layout of images in memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.costs.compute import Machine
from simulator.costs.layers import LayerTable, layer_passes, product_times, turned_elements
from simulator.profiles.catalogue import load_catalogue
from simulator.profiles.framework import Framework, framework_named
from simulator.workload.jobs.training import Precision
from simulator.workload.models.library import load_network
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import Network

_CATALOGUE = load_catalogue()
_A100 = _CATALOGUE.devices["nvidia-a100-sxm4-80gb"]
_VECTOR = _A100.peak["fp32"]
_FIRST, _LAST = framework_named("convolutional"), framework_named("convolutional-channels-last")


def machine(precision: str = "fp16-amp") -> Machine:
    return Machine.of(_A100, Precision.of(precision))


def one(channels: int, groups: int, *, kernel: int = 3, size: int = 28) -> LayerTable:
    canvas = Canvas(channels, (size, size))
    canvas.conv(channels, kernel, groups=groups, norm=False, act=None)
    return LayerTable.of(Network(name="one", family="one", size=size, layers=tuple(canvas.layers)))


def seconds(table: LayerTable, *, last: bool, precision: str = "fp16-amp", batch: float = 64.0) -> float:
    found = product_times(table, np.array([batch]), machine(precision), _VECTOR, channels_last=last)
    return float(found.sum())


@settings(max_examples=60, derandomize=True, deadline=None)
@given(width=st.integers(1, 64).map(lambda n: 4 * n), groups=st.integers(2, 16), last=st.booleans())
def test_groups_are_never_faster_than_as_much_dense_work_at_full_speed(width: int, groups: int, last: bool) -> None:
    table, on = one(width * groups, groups), machine()
    least = 2.0 * 64 * table.macs / (on.peak * on.efficiency.product(on.precision.peak))
    assert seconds(table, last=last) >= least


@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16-amp"])
def test_one_group_is_a_dense_convolution_in_either_layout(precision: str) -> None:
    dense = one(256, 1)
    assert seconds(dense, last=True, precision=precision) == seconds(dense, last=False, precision=precision)


def test_direct_kernels_work_the_faster_the_wider_a_group_is() -> None:
    rates = [2.0 * 64 * one(width * 9, 9).macs / seconds(one(width * 9, 9), last=True) for width in (8, 24, 56, 120)]
    assert rates == sorted(rates)


def test_direct_kernels_read_a_row_once_for_four_outputs() -> None:
    """A larger kernel takes longer, but less than in proportion to its taps."""
    times = {edge: seconds(one(96, 96, kernel=edge), last=True, batch=4096.0) for edge in (3, 5, 7)}
    for small, large in ((3, 5), (5, 7)):
        assert times[small] < times[large] < times[small] * (large / small) ** 2
        expected = (large * (large + 3)) / (small * (small + 3))
        assert times[large] / times[small] == pytest.approx(expected, rel=0.1)


def test_the_shapes_of_resnext_have_matrix_kernels_and_those_of_regnet_have_not() -> None:
    packed, other = one(32 * 16, 32), one(33 * 16, 33)
    assert packed.packed.all()
    assert not other.packed.any()
    assert seconds(packed, last=True) < seconds(other, last=True) / 3
    assert not one(32 * 48, 32).packed.any()
    widened = Canvas(32 * 8, (28, 28))
    widened.conv(32 * 16, 3, groups=32, norm=False, act=None)
    assert not LayerTable.of(Network(name="one", family="one", size=28, layers=tuple(widened.layers))).packed.any()


def test_channels_first_is_turned_around_plain_convolutions_on_matrix_units_only() -> None:
    table = LayerTable.of(load_network("timm-regnety-032"))
    plain = table.convolves & (table.groups == 1)
    for precision, turns in (("fp16-amp", True), ("tf32", True), ("fp32", False)):
        moved = turned_elements(table, machine(precision), _VECTOR)
        assert (moved[plain] == 2.0 * table.data[plain] * turns).all()
        assert not moved[~plain].any()
    assert not turned_elements(table, machine(), 0.0).any()


def test_a_dense_network_is_faster_with_channels_last_and_never_on_vector_units() -> None:
    table, samples = LayerTable.of(load_network("resnet50-v1.5")), np.array([128.0])
    for precision, faster in (("fp16-amp", True), ("fp32", False)):
        first, last = (sum(float((work.products + work.elementwise)[0]) for work in
                           layer_passes(table, samples, machine(precision), framework, _VECTOR))
                       for framework in (_FIRST, _LAST))  # fmt: skip
        assert (last < first) == faster
        assert last <= first


def test_weight_gradients_of_depthwise_channels_first_read_once_per_tap() -> None:
    samples, on = np.array([64.0]), machine("fp32")
    small, large = (layer_passes(one(64, 64, kernel=kernel), samples, on, _FIRST, _VECTOR)[1] for kernel in (3, 5))
    outputs = 64.0 * 64 * 28 * 28
    more = float((large.elementwise - small.elementwise)[0])
    assert more == pytest.approx(2.0 * outputs * (25 - 9) * 4.0 / on.stream)


def test_wider_vector_units_without_wider_loads_leave_direct_kernels_as_they_are() -> None:
    device = _CATALOGUE.devices["nvidia-rtx-3090-24gb"]
    doubled = Machine.of(replace(device, vector_fp32=2 * device.require("vector_fp32")), Precision.of("fp16-amp"))
    assert doubled.fed == Machine.of(device, Precision.of("fp16-amp")).fed < device.require("vector_fp32")


def test_norms_over_groups_are_turned_where_channels_lie_last_and_only_there() -> None:
    canvas = Canvas(64, (28, 28))
    canvas.group_norm()
    plain = Canvas(64, (28, 28))
    plain.layer_norm()
    samples, on = np.array([64.0]), machine()

    def forward(drawn: Canvas, framework: Framework) -> float:
        table = LayerTable.of(Network(name="one", family="one", size=28, layers=tuple(drawn.layers)))
        return float(layer_passes(table, samples, on, framework, _VECTOR)[0].elementwise[0])

    assert forward(canvas, _FIRST) == forward(plain, _FIRST) == forward(plain, _LAST)
    more = forward(canvas, _LAST) - forward(canvas, _FIRST)
    assert more == pytest.approx(4.0 * 64 * 64 * 28 * 28 * 2.0 / on.stream)


def test_the_bias_of_a_convolution_is_moved_by_a_kernel_of_its_own_and_that_of_a_product_is_not() -> None:
    def moved(kind: str, *, bias: bool) -> float:
        canvas = Canvas(64, (28, 28))
        if kind == "conv":
            canvas.conv(64, 3, bias=bias, norm=False, act=None)
        else:
            canvas.linear(64, bias=bias)
        return LayerTable.of(Network(name="one", family="one", size=28, layers=tuple(canvas.layers))).moved

    assert moved("conv", bias=True) == 2.0 * 64 * 28 * 28
    assert moved("conv", bias=False) == moved("linear", bias=True) == 0.0
