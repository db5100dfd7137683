"""Parts of a device: what they take together is what there is."""

from __future__ import annotations

import pytest

from simulator.foundation.errors import InputError
from simulator.profiles.catalogue import load_catalogue
from simulator.profiles.slices import check_partition, profile_named, slice_of

H100 = load_catalogue().devices["nvidia-h100-sxm5-80gb"]
A100_40 = load_catalogue().devices["nvidia-a100-sxm4-40gb"]


def test_the_whole_is_the_device() -> None:
    assert profile_named("7g.80gb").of(H100) is H100
    assert slice_of(H100, 1.0) is H100


@pytest.mark.parametrize(
    ("name", "device", "sevenths", "eighths"),
    [("1g.10gb", H100, 1, 1), ("2g.20gb", H100, 2, 2), ("3g.40gb", H100, 3, 4), ("4g.40gb", H100, 4, 4),
     ("1g.5gb", A100_40, 1, 1), ("3g.20gb", A100_40, 3, 4)],
)  # fmt: skip
def test_a_profile_takes_sevenths_of_arithmetic_and_eighths_of_memory(name, device, sevenths, eighths) -> None:
    part = profile_named(name).of(device)
    assert part.peak["bf16"] == pytest.approx(device.peak["bf16"] * sevenths / 7)
    assert part.memory_bandwidth == pytest.approx(device.memory_bandwidth * eighths / 8)
    assert part.memory_bytes == pytest.approx(device.memory_bytes * eighths / 8)


def test_parts_together_hold_at_most_the_device() -> None:
    parts = [profile_named(name).of(H100) for name in ("3g.40gb", "2g.20gb", "2g.20gb")]
    assert sum(part.peak["fp8"] for part in parts) <= H100.peak["fp8"] * (1 + 1e-12)
    assert sum(part.memory_bytes for part in parts) <= H100.memory_bytes
    assert sum(part.compute_units for part in parts) <= H100.compute_units


@pytest.mark.parametrize(
    ("names", "told"),
    [(["4g.40gb", "4g.40gb"], "8 sevenths"), (["3g.40gb"] * 3, "12 eighths"), (["1g.2gb"], "at least one")],
)
def test_what_does_not_fit_beside_each_other_is_refused(names, told) -> None:
    with pytest.raises(InputError, match=told):
        check_partition([profile_named(name) for name in names], H100)


@pytest.mark.parametrize("name", ["3g", "40gb", "8g.80gb", "0g.5gb", "3G.40GB", "g.gb"])
def test_a_name_that_is_no_profile_is_refused(name) -> None:
    with pytest.raises(InputError, match="is no profile"):
        profile_named(name)
