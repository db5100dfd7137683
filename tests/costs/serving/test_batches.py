"""Laws of batches: a pipeline's arithmetic, layer by layer, and slices of devices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.costs.serving.batches import Pipeline, batch_times
from simulator.costs.serving.forward import Runner, activation_bytes
from simulator.costs.serving.numerics import rate_of
from simulator.costs.serving.traits import engine_named, kernels_of
from simulator.foundation.errors import InputError
from simulator.profiles.catalogue import load_catalogue
from simulator.profiles.device import Device
from simulator.profiles.slices import slice_of
from simulator.workload.models.library import find_model

DEVICES = load_catalogue().devices


def runner(device: Device) -> Runner:
    rate = rate_of("fp16", device)
    return Runner(device=device, kernels=kernels_of(device), engine=engine_named("triton"), rate=rate,
                  activation_bytes=activation_bytes(rate))  # fmt: skip


@given(st.floats(1e-6, 1.0), st.floats(0.01, 1.0), st.integers(1, 64))
def test_a_pipeline_of_n_inputs_takes_its_depth_and_n_minus_one_intervals(depth: float, share: float, n: int) -> None:
    times = Pipeline(depth_s=depth, interval_s=depth * share).times(n)
    assert times.latency_s[-1] == pytest.approx(depth + (n - 1) * depth * share)
    assert times.occupied_s[-1] == pytest.approx(n * depth * share)


def test_an_interval_longer_than_the_depth_cannot_be() -> None:
    with pytest.raises(InputError, match="at most the depth"):
        Pipeline(depth_s=1.0, interval_s=2.0)


@pytest.mark.parametrize("name", ["nvidia-t4-pcie-16gb", "google-tpu-v5e", "intel-xeon-platinum-8480plus"])
def test_a_batch_takes_longer_than_one_and_less_than_one_by_one(name: str) -> None:
    network = find_model("resnet50-v1.5").by_layers
    found = batch_times(network, runner(DEVICES[name]), largest=128, samples=1, tokens=1.0, input_bytes=0.0)
    assert len(found.latency_s) == 128
    assert found.latency_s[0] < found.latency_s[-1] < 128 * found.latency_s[0]
    assert found.occupied_s == found.latency_s


def test_requests_of_many_samples_are_batches_of_samples() -> None:
    network, on = find_model("dlrm-dcnv2").by_layers, runner(DEVICES["nvidia-a100-sxm4-80gb"])
    four = batch_times(network, on, largest=1, samples=4, tokens=1.0, input_bytes=0.0)
    ones = batch_times(network, on, largest=4, samples=1, tokens=1.0, input_bytes=0.0)
    assert four.latency_s[0] == ones.latency_s[3]


@given(st.integers(1, 7), st.sampled_from(["nvidia-a100-sxm4-80gb", "nvidia-h100-sxm5-80gb", "nvidia-t4-pcie-16gb"]))
def test_slices_hold_together_what_the_device_has(parts: int, name: str) -> None:
    device = DEVICES[name]
    part = slice_of(device, 1 / parts)
    for precision, peak in device.peak.items():
        assert parts * part.peak[precision] == pytest.approx(peak)
    assert parts * part.require("memory_bandwidth") == pytest.approx(device.require("memory_bandwidth"))
    assert parts * part.require("memory_bytes") == pytest.approx(device.require("memory_bytes"))
    assert parts * (part.compute_units or 0) <= (device.compute_units or 0)


def test_a_slice_of_more_than_a_device_cannot_be() -> None:
    with pytest.raises(InputError, match="above 0 and at most 1"):
        slice_of(DEVICES["nvidia-t4-pcie-16gb"], 1.5)
