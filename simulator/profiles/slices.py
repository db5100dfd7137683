"""Equal parts of one device, each a device of its own: hardware partitions such as MIG."""

from __future__ import annotations

from dataclasses import replace

from simulator.foundation.errors import InputError
from simulator.profiles.device import Device


def slice_of(device: Device, share: float) -> Device:
    """Return a part of a device that has ``share`` of its arithmetic, units, memory, bandwidth and caches.

    Whole compute units only, so equal slices hold together at most what the device has.

    Raises:
        InputError: the share is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise InputError(f"a share of {share:g} of a device; it is above 0 and at most 1.")
    if share == 1:
        return device

    def part(figure: float | None) -> float | None:
        return None if figure is None else figure * share

    return replace(
        device,
        peak={name: value * share for name, value in device.peak.items()},
        vector_fp32=part(device.vector_fp32),
        memory_bytes=part(device.memory_bytes),
        usable_memory_bytes=part(device.usable_memory_bytes),
        memory_bandwidth=part(device.memory_bandwidth),
        l2_bytes=part(device.l2_bytes),
        sram_bytes=part(device.sram_bytes),
        compute_units=device.compute_units and max(1, int(device.compute_units * share)),
    )
