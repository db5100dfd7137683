"""Devices: what their figures mean, and what is said when one is missing."""

from __future__ import annotations

import pytest

from simulator.foundation.errors import InputError
from simulator.foundation.units import GIBI
from simulator.profiles.catalogue import load_catalogue
from simulator.profiles.device import peak_for

DEVICES = load_catalogue().devices


def test_the_peaks_of_an_h100_are_dense() -> None:
    h100 = DEVICES["h100-sxm"]
    assert peak_for(h100, "bf16") == pytest.approx(989.4e12)
    assert peak_for(h100, "fp8") == pytest.approx(2 * peak_for(h100, "bf16"), rel=1e-3)


@pytest.mark.parametrize(("asked", "rate"), [("nvfp4", "fp4"), ("mxfp4", "fp4"), ("mxfp8", "fp8")])
def test_block_formats_run_at_the_rate_of_their_width(asked: str, rate: str) -> None:
    b200 = DEVICES["b200"]
    assert peak_for(b200, asked) == b200.peak[rate]


def test_a_missing_precision_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        InputError, match=r"'nvidia-v100-sxm2-32gb' has no known dense peak for bf16.*fp16 \(125 TFLOP/s\)"
    ):
        peak_for(DEVICES["nvidia-v100-sxm2-32gb"], "bf16")


def test_a_figure_that_no_source_gives_is_none_and_asking_for_it_says_so() -> None:
    cpu = DEVICES["amd-epyc-7742"]
    assert cpu.memory_bytes is None
    with pytest.raises(InputError, match="the device 'amd-epyc-7742' has no figure for 'memory_bytes'"):
        cpu.require("memory_bytes")


def test_the_memory_limit_is_what_the_driver_reports() -> None:
    assert DEVICES["h100-sxm"].memory_limit_bytes == 80 * GIBI
    assert DEVICES["mi300x"].memory_limit_bytes == DEVICES["mi300x"].memory_bytes


def test_the_peak_of_a_gpu_is_units_times_clock_times_what_one_unit_does() -> None:
    """1024 dense fp16 multiply-adds per SM and clock on A100, 2048 on H100 (NVIDIA architecture white papers)."""
    for name, per_clock in (("a100-sxm4-80gb", 1024), ("h100-sxm", 2048)):
        device = DEVICES[name]
        assert device.compute_units is not None
        derived = device.compute_units * device.require("clock_hz") * per_clock * 2
        assert peak_for(device, "fp16") == pytest.approx(derived, rel=0.01)


def test_scale_up_bandwidth_is_one_direction() -> None:
    """NVIDIA sells 600 and 900 GB/s, both directions together."""
    assert DEVICES["a100-sxm4-80gb"].scaleup_bandwidth == 300e9
    assert DEVICES["h100-sxm"].scaleup_bandwidth == 450e9
