"""Products, attention and traffic on one device, against arithmetic done by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.costs.compute import (
    Machine,
    attention_time,
    backward_times,
    cast_times,
    fill,
    forward_time,
    join,
    product_time,
    traffic_time,
)
from simulator.mapping.split import LocalAttention, LocalProduct, LocalTraffic
from simulator.profiles.catalogue import load_catalogue
from simulator.workload.jobs.training import Precision
from tests.costs.machines import machine

ONE = np.ones(1)


def product(m, k, n, on, **how):
    return float(product_time(m * ONE, k * ONE, n * ONE, ONE, on, **how)[0])


def test_a_large_product_takes_its_flop_over_the_peak():
    assert product(8192, 8192, 8192, machine()) == pytest.approx(2 * 8192**3 / 100e12, rel=1e-3)


def test_a_thin_product_takes_its_bytes_over_the_bandwidth():
    moved = (1 * 8192 + 8192 * 8192 + 1 * 8192) * 2
    assert product(1, 8192, 8192, machine(peak=1e18)) == pytest.approx(moved / 1e12, rel=1e-3)


def test_the_ridge_lies_where_flop_over_peak_equals_bytes_over_bandwidth():
    m = np.array([2.0**exponent for exponent in range(4, 14)])
    on = machine()
    seconds = product_time(m, 8192 + 0 * m, 8192 + 0 * m, np.ones_like(m), on)
    arithmetic = 2 * m * 8192 * 8192 / 100e12 / fill(m, 8192 + 0 * m, np.ones_like(m), None)
    memory = (m * 8192 + 8192 * 8192 + m * 8192) * 2 / 1e12
    assert np.all(seconds >= np.maximum(arithmetic, memory) * (1 - 1e-12))
    assert np.all(seconds <= (arithmetic + memory))


def test_whole_tiles_over_all_units_waste_nothing_and_one_tile_more_costs_a_wave():
    full = fill(256.0 * 10 * ONE, 128.0 * 10 * ONE, ONE, 100)
    over = fill(256.0 * 10 * ONE, 128.0 * 10 * ONE + 1, ONE, 100)
    assert full[0] == pytest.approx(1.0)
    assert over[0] < 0.75


def test_half_the_depth_constant_halves_the_speed():
    fast, slow = machine(), machine(depth=4096.0)
    assert product(8192, 4096, 8192, slow) == pytest.approx(2 * product(8192, 4096, 8192, fast), rel=1e-3)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.floats(1e-9, 1e3), st.floats(1e-9, 1e3), st.floats(1.0, 16.0))
def test_the_join_lies_between_the_larger_and_the_sum(a, b, sharpness):
    joined = float(join(np.array([a]), np.array([b]), sharpness)[0])
    assert max(a, b) * (1 - 1e-12) <= joined <= (a + b) * (1 + 1e-12)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.integers(1, 20000), st.integers(1, 20000), st.integers(1, 20000), st.floats(1.0, 8.0))
def test_a_faster_device_is_never_slower(m, k, n, factor):
    base = product(m, k, n, machine(units=108))
    assert product(m, k, n, machine(units=108, peak=100e12 * factor)) <= base * (1 + 1e-9)
    assert product(m, k, n, machine(units=108, bandwidth=1e12 * factor)) <= base * (1 + 1e-9)


def attention(**changes):
    parts = {"samples": ONE, "queries": 4096.0 * ONE, "keys": 4096.0 * ONE, "heads": 32.0 * ONE,
             "kv_heads": 32.0 * ONE, "qk_dim": 128, "v_dim": 128, "kept": 0.5 * ONE}  # fmt: skip
    return LocalAttention(name="attention", **(parts | changes))


def test_fused_attention_takes_its_unmasked_flop_over_the_peak():
    flop = 2 * 32 * 4096 * 4096 * 0.5 * (128 + 128)
    forward = attention_time(attention(), machine(), kernel="fused", backward=False)
    backward = attention_time(attention(), machine(), kernel="fused", backward=True)
    assert forward[0] == pytest.approx(flop / 100e12)
    assert backward[0] == pytest.approx(3 * forward[0])


def test_the_first_fused_kernels_run_at_their_own_share():
    new = attention_time(attention(), machine(), kernel="fused", backward=False)
    old = attention_time(attention(), machine(attention_early=0.25), kernel="early-fused", backward=False)
    assert old[0] == pytest.approx(4 * new[0])


def test_unfused_attention_also_moves_its_scores_through_memory():
    scores = 32 * 4096 * 4096 * 2 * 4.5
    unfused = attention_time(attention(), machine(peak=1e20), kernel="unfused", backward=False)
    assert unfused[0] > scores / 1e12


def test_traffic_takes_bytes_over_bandwidth():
    part = LocalTraffic(name="norm", moved=1e9 * ONE, kernels=1, backward_moved=1.5, saved_bytes=ONE)
    assert traffic_time(part, machine(memory=0.5), backward=False)[0] == pytest.approx(1e9 * 2 / 0.5e12)
    assert traffic_time(part, machine(memory=0.5), backward=True)[0] == pytest.approx(1.5 * 1e9 * 2 / 0.5e12)


def experts(grouped=True):
    return LocalProduct(name="expert up", m=1024 * ONE, k=2048 * ONE, n=768 * ONE, batch=16 * ONE, weight=True,
                        saved=2048 * ONE, grouped=grouped)  # fmt: skip


def narrow():
    return replace(machine(), precision=Precision.of("mxfp8"), efficiency=replace(machine().efficiency, grouped=0.5))


def test_fused_experts_run_as_plain_products_and_others_at_their_share():
    on = narrow()
    for times in (
        lambda part, **how: (forward_time(part, on, **how),),
        lambda part, **how: backward_times(part, on, **how),
    ):
        plain, fused, apart = times(experts(grouped=False)), times(experts(), fused_experts=True), times(experts())
        assert fused == plain
        assert all(slow > 1.5 * fast for slow, fast in zip(apart, plain, strict=True))


def test_rows_of_experts_are_copied_before_they_are_cast():
    ahead, back = cast_times(experts(), narrow())
    rows, k, n = 16 * 1024, 2048, 768
    copied, cast = 2 + 2, 2 + 2 * 1  # bytes per element: read and written in 16 bits; read, and written twice in 8
    assert ahead[0] == pytest.approx(rows * k * (copied + cast) / 1e12)
    assert back[0] == pytest.approx(rows * n * (copied + cast) / 1e12)
    assert cast_times(experts(grouped=False), narrow())[0][0] == pytest.approx(rows * k * cast / 1e12)
    assert cast_times(experts(), narrow(), fused_experts=True)[0][0] == 0.0


def test_cores_without_a_large_matrix_unit_share_a_product_evenly_and_others_take_it_tile_by_tile():
    """64 multiply-adds a cycle against 1,024: on the one no core idles in the last wave."""
    devices = load_catalogue().devices
    fine, coarse = devices["graphcore-bow-ipu"], devices["nvidia-v100-sxm2-32gb"]
    half = Precision.of("fp16")
    assert Machine.of(fine, half).units is None
    assert Machine.of(coarse, half).units == coarse.compute_units
    small = np.array([128.0])
    assert fill(small, small, ONE, None)[0] > 50 * fill(small, small, ONE, fine.compute_units)[0]
