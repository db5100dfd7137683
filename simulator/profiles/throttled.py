"""A device that runs at a share of its speed: hot, capped in power, or shared with others."""

from __future__ import annotations

from dataclasses import replace

from simulator.foundation.errors import InputError
from simulator.profiles.device import Device


def throttled(device: Device, share: float) -> Device:
    """Return a device with ``share`` of its arithmetic and memory bandwidth; capacity, links and host stay.

    Raises:
        InputError: the share is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise InputError(f"a share of {share:g} of a device's speed; it is above 0 and at most 1.")
    if share == 1:
        return device
    return replace(
        device,
        peak={name: value * share for name, value in device.peak.items()},
        vector_fp32=None if device.vector_fp32 is None else device.vector_fp32 * share,
        memory_bandwidth=None if device.memory_bandwidth is None else device.memory_bandwidth * share,
    )
