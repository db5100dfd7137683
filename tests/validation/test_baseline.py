"""The no-model control against arithmetic by hand, on shipped parts and models."""

from __future__ import annotations

import pytest

from simulator.profiles.catalogue import load_catalogue
from simulator.validation.baseline import baseline_value
from simulator.workload.models.library import load_model
from simulator.workload.models.parameters import count_parameters
from tests.validation.by_hand import cells

A100_BF16 = 312e12
A100_MEMORY = 2.039e12  # B/s, the 80 GB card


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue()


def test_training_runs_at_45_percent_of_the_dense_peak(catalogue):
    row = cells(metric="tflops_per_gpu")
    assert baseline_value("training", row, catalogue) == pytest.approx(0.45 * 312)


def test_a_step_of_gpt3_takes_six_flop_per_parameter_and_token_and_causal_attention(catalogue):
    model = load_model("gpt-3-175b")
    per_token = 6 * count_parameters(model).total + 3 * 4 * 96 * 12288 * 1024  # half of 2,048 tokens are seen
    expected = 8 * 2048 * per_token / (8 * 0.45 * A100_BF16)
    assert baseline_value("training", cells(), catalogue) == pytest.approx(expected)


def test_training_rates_and_times_of_one_row_agree(catalogue):
    seconds = baseline_value("training", cells(), catalogue)
    samples = baseline_value("training", cells(metric="samples_per_s"), catalogue)
    tokens = baseline_value("training", cells(metric="tokens_per_s_per_gpu"), catalogue)
    assert samples * seconds == pytest.approx(8)
    assert tokens * seconds == pytest.approx(8 * 2048 / 8)


def test_twice_the_devices_halve_the_step(catalogue):
    one, two = (baseline_value("training", cells(n_accel=count), catalogue) for count in (8, 16))
    assert one == pytest.approx(2 * two)


def test_half_a_card_is_half_a_device(catalogue):
    whole = baseline_value("training", cells(metric="tflops_per_gpu"), catalogue)
    half = baseline_value("training", cells(metric="tflops_per_gpu") | {"devices_per_accel": "0.5"}, catalogue)
    assert half == pytest.approx(whole / 2)


def test_decoding_one_request_reads_all_weights_for_each_token(catalogue):
    row = cells("inference", metric="tpot_ms", input_len_tokens=1, output_len_tokens=1)
    weights = 2 * count_parameters(load_model("llama-2-7b")).total
    cache = 2 * (2 * 32 * 4096) * 1.5  # 16-bit keys and values of 32 layers for 1 + 1/2 tokens
    assert baseline_value("inference", row, catalogue) == pytest.approx((weights + cache) / A100_MEMORY * 1e3)


def test_an_arrival_rate_caps_what_is_served(catalogue):
    row = cells("inference", metric="requests_per_s", batch_samples="") | {"request_rate_per_s": "0.25"}
    assert baseline_value("inference", row, catalogue) == 0.25


def test_a_transfer_takes_its_size_over_the_link_s_rate(catalogue):
    rate = catalogue.devices["nvidia-a100-sxm4-80gb"].scaleup_bandwidth
    assert baseline_value("network", cells("network"), catalogue) == pytest.approx(1e6 / rate * 1e6)


def test_across_nodes_the_adapters_are_shared(catalogue):
    row = cells("network", n_accel=16) | {"n_nodes": "2", "node_id": "dgx-a100-640gb"}
    node = catalogue.nodes["dgx-a100-640gb"]
    assert baseline_value("network", row, catalogue) == pytest.approx(1e6 / (node.nic_bandwidth / 8) * 1e6)


@pytest.mark.parametrize("changed", [
    {"device_id": "nvidia-h900"}, {"device_id": ""}, {"model_id": "gpt-9"}, {"precision": "fp3"},
    {"metric": "time_to_train_min"}, {"global_batch_samples": ""},
])  # fmt: skip
def test_the_control_is_silent_where_a_fact_is_missing(catalogue, changed):
    assert baseline_value("training", cells(**changed), catalogue) is None


def test_a_precision_without_units_of_its_own_computes_in_wider_ones(catalogue):
    row = cells(metric="tflops_per_gpu", precision="fp8")
    assert baseline_value("training", row, catalogue) == pytest.approx(0.45 * 312)
