"""In which formats a served model is stored and computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from simulator.foundation.errors import UnknownName
from simulator.profiles.device import Device, peak_for

#: name -> (rate that multiplies, bits of it, bytes of a stored weight)
FORMATS: Final[Mapping[str, tuple[str, int, float]]] = {
    "fp32": ("fp32", 32, 4.0),
    "tf32": ("tf32", 32, 4.0),
    "fp16": ("fp16", 16, 2.0),
    "bf16": ("bf16", 16, 2.0),
    "fp8": ("fp8", 8, 1.0),
    "mxfp8": ("fp8", 8, 1.0),
    "int8": ("int8", 8, 1.0),
    "int8-weights": ("fp16", 16, 1.0),
    "int4-weights": ("fp16", 16, 0.53),  # with a 16-bit scale for every 64
    "nf4-weights": ("bf16", 16, 0.53),
    "q4": ("fp16", 16, 4.5 / 8),  # blocks of 32 with a 16-bit scale
    "nvfp4": ("fp4", 4, 0.5625),  # with an 8-bit scale for every 16
    "mxfp4": ("fp4", 4, 0.53),  # with an 8-bit scale for every 32
}
#: what a device computes in when it has no units for a format: the next wider one
_WIDER: Final = {
    "fp4": "fp8",
    "fp8": "bf16",
    "int8": "fp16",
    "tf32": "fp32",
    "bf16": "fp16",
    "fp16": "bf16",
}
_SIXTEEN: Final = ("fp16", "bf16")  # whoever asks for narrower weights takes the faster of both
_BITS: Final = {"fp32": 32, "tf32": 32, "fp16": 16, "bf16": 16, "fp8": 8, "int8": 8, "fp4": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How one group of weights is stored and multiplied on a device."""

    weight_bytes: float
    bits: int  # of the arithmetic
    peak: float  # FLOP/s, dense


def rate_of(name: str, device: Device, *, narrow_sums: bool = False) -> Rate:
    """Return how weights of a format are multiplied on a device, in the next wider format that it has units for.

    ``narrow_sums``: sums of 16-bit products in 16 bits, at half the rate of 8-bit ones on every device.

    Raises:
        UnknownName: of the format.
        InputError: the device has no known rate for it or any wider one.
    """
    if name not in FORMATS:
        raise UnknownName("number format", name, FORMATS)
    rate, _, weight_bytes = FORMATS[name]
    asked = rate == name
    tried: list[str] = []
    while rate not in device.peak and rate in _WIDER and rate not in tried:
        tried.append(rate)
        rate = _WIDER[rate]
    if rate in _SIXTEEN and not (asked and not tried):
        rate = max(_SIXTEEN, key=lambda one: device.peak.get(one, 0.0))
    if rate in _SIXTEEN and rate not in device.peak and "fp32" in device.peak:
        rate = "fp32"
    peak = peak_for(device, rate)
    if narrow_sums and _BITS.get(rate) == 16 and "int8" in device.peak:
        peak = max(peak, device.peak["int8"] / 2)
    return Rate(weight_bytes=weight_bytes, bits=_BITS.get(rate, 16), peak=peak)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numerics:
    """Formats of a served model: most weights, experts, and the cache."""

    weights: Rate
    experts: Rate
    wide: Rate  # router, vocabulary: at least 16 bits
    cache_bytes: float  # of one cached number

    @staticmethod
    def of(
        device: Device, weights: str, *, experts: str | None = None, cache: str | None = None, narrow_sums: bool = False
    ) -> Numerics:
        """Return the formats; ``experts`` defaults to ``weights``, ``cache`` to 16 bits."""
        main = rate_of(weights, device, narrow_sums=narrow_sums)
        wide = main if main.bits >= 16 and main.weight_bytes >= 2 else rate_of("bf16", device)
        cache_bytes = FORMATS[cache][2] if cache is not None and cache in FORMATS else 2.0
        if main.bits == 32 and cache is None:
            cache_bytes = main.weight_bytes
        return Numerics(weights=main, experts=rate_of(experts or weights, device), wide=wide, cache_bytes=cache_bytes)
