"""Parts of one device, each a device of its own: hardware partitions such as MIG.

NVIDIA's MIG cuts a GPU into sevenths of its arithmetic and eighths of its memory (bandwidth and L2 with it); a profile
such as ``3g.40gb`` takes three of the ones and what holds 40 GB of the others (MIG User Guide, r580).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from simulator.foundation.errors import InputError
from simulator.foundation.units import GIGA
from simulator.profiles.device import Device

_SEVENTHS: Final = 7
_EIGHTHS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One kind of part: how many sevenths of the arithmetic, and the memory it is sold with, in bytes."""

    name: str
    sevenths: int
    memory_bytes: float

    def eighths(self, device: Device) -> int:
        """Return how many eighths of a device's memory it takes."""
        return round(self.memory_bytes / device.require("memory_bytes") * _EIGHTHS)

    def of(self, device: Device) -> Device:
        """Return the part of a device."""
        return slice_of(device, self.sevenths / _SEVENTHS, memory=self.eighths(device) / _EIGHTHS)


def profile_named(name: str) -> Profile:
    """Return a MIG profile by its name; raises :class:`InputError` for another text."""
    match = re.fullmatch(r"([1-7])g\.([1-9][0-9]*)gb", name)
    if match is None:
        raise InputError(f"{name!r} is no profile; write sevenths and memory as the vendor does, as in 3g.40gb.")
    return Profile(name=name, sevenths=int(match[1]), memory_bytes=int(match[2]) * GIGA)


def check_partition(profiles: Sequence[Profile], device: Device) -> None:
    """Raise :class:`InputError` where the profiles do not fit beside each other on a device."""
    sevenths = sum(profile.sevenths for profile in profiles)
    eighths = [profile.eighths(device) for profile in profiles]
    names = ", ".join(profile.name for profile in profiles)
    if min(eighths) < 1 or sum(eighths) > _EIGHTHS:
        raise InputError(
            f"{names} take {sum(eighths)} eighths of the memory of a {device.name}; each takes at least one, all at "
            "most eight."
        )
    if sevenths > _SEVENTHS:
        raise InputError(f"{names} take {sevenths} sevenths of a {device.name}; there are seven.")


def slice_of(device: Device, share: float, *, memory: float | None = None) -> Device:
    """Return a part of a device that has ``share`` of its arithmetic and units, and as much of memory and caches.

    ``memory`` is the share of memory, its bandwidth and the caches, where it is another. Whole compute units only, so
    equal slices hold together at most what the device has.

    Raises:
        InputError: a share is not above 0 and at most 1.
    """
    held = share if memory is None else memory
    if not (0 < share <= 1 and 0 < held <= 1):
        raise InputError(f"shares of {share:g} and {held:g} of a device; they are above 0 and at most 1.")
    if share == held == 1:
        return device

    def part(figure: float | None, of: float) -> float | None:
        return None if figure is None else figure * of

    return replace(
        device,
        peak={name: value * share for name, value in device.peak.items()},
        vector_fp32=part(device.vector_fp32, share),
        memory_bytes=part(device.memory_bytes, held),
        usable_memory_bytes=part(device.usable_memory_bytes, held),
        memory_bandwidth=part(device.memory_bandwidth, held),
        l2_bytes=part(device.l2_bytes, held),
        sram_bytes=part(device.sram_bytes, share),
        compute_units=device.compute_units and max(1, int(device.compute_units * share)),
    )
