"""How close a class of devices comes to its peaks: few constants, each with a meaning, shared by the whole class.

One file under ``hardware_profiles/efficiency/devices/`` describes one class (an architecture family). A device of an
architecture without a file inherits the nearest class of its kind, and everything predicted from it says ``assumed``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Literal

from pydantic import Field

from simulator.foundation.errors import InputError
from simulator.foundation.schema import Name, Seconds, StrictModel, Watts, load
from simulator.profiles.catalogue import shipped_root
from simulator.profiles.device import Device

_Share = Annotated[float, Field(gt=0.0, le=1.2)]
_Size = Annotated[float, Field(ge=0.0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiency:
    """Achieved shares of the peaks of one class of device.

    Attributes:
        product32, product16, product8, product4: share of the dense peak that large matrix products reach, by width of
            their operands (fp32 and tf32; 16-bit; 8-bit; 4-bit).
        depth: inner dimension k at which a product reaches half of that share (filling and draining the pipeline).
        sharpness: exponent that joins compute-bound and memory-bound time, ``(a**p + b**p)**(1/p)``; large is a max.
        memory: share of the memory bandwidth that streaming kernels reach.
        attention: share of the 16-bit peak of fused attention over long sequences, forward.
        attention_early: the same for the first fused kernels, which used no instruction newer than Ampere's.
        attention_length: keys at which fused attention reaches half of it.
        grouped: share of ``product*`` that grouped expert products reach.
        kernel_gap_s: time between two dependent kernels on the device.
        origin: ``calibrated`` (fitted to measurements of this class), ``measured`` or ``assumed`` (inherited).
    """

    name: str
    product32: float
    product16: float
    product8: float
    product4: float
    depth: float
    sharpness: float
    memory: float
    attention: float
    attention_early: float
    attention_length: float
    grouped: float
    kernel_gap_s: float
    origin: str

    def product(self, peak: str) -> float:
        """Return the share of the dense peak that products reach, by the name of the peak."""
        return float(getattr(self, product_of(peak)))


def product_of(peak: str) -> str:
    """Return the name of the constant that says what share of a peak products reach."""
    widths = {"fp64": "32", "fp32": "32", "tf32": "32", "fp16": "16", "bf16": "16", "fp8": "8", "int8": "8"}
    return f"product{widths.get(peak, '4')}"


def _matrix_over_vector(device: Device) -> float:
    matrix = max(device.peak.get("fp16", 0.0), device.peak.get("bf16", 0.0))
    return matrix / device.vector if device.vector else 0.0


class MeasuredProducts(StrictModel):
    """Shares of the peak that large products reach by themselves, outside any step, and who measured them."""

    product32: _Share | None = None
    product16: _Share | None = None
    product8: _Share | None = None
    product4: _Share | None = None
    source: Annotated[str, Field(min_length=10)]


class EfficiencyFile(StrictModel):
    """A class of devices: whom it covers, its constants, and where they come from."""

    name: Name
    kind: Literal["gpu", "cpu", "tpu", "fpga", "asic"]
    architectures: Annotated[list[str], Field(min_length=1)]
    inherited_by: list[str] = Field(default_factory=list)  # kin that nothing was measured on: labelled ``assumed``
    default_for_kind: bool = False
    at_most_power: Watts | None = None  # covers only devices of so much power; asked before classes without a limit
    at_most_matrix: float | None = None  # the same by the 16-bit matrix peak over the fp32 vector peak
    origin: Literal["calibrated", "measured", "assumed"]
    rests_on: Annotated[str, Field(min_length=10)]
    measured_products: MeasuredProducts | None = None
    product32: _Share
    product16: _Share
    product8: _Share
    product4: _Share
    depth: _Size
    sharpness: Annotated[float, Field(ge=1.0, le=16.0)]
    memory: _Share
    attention: _Share
    attention_early: _Share
    attention_length: _Size
    grouped: _Share
    kernel_gap: Seconds

    def covers(self, device: Device) -> bool:
        """Return whether a device is of this class."""
        if self.at_most_power is not None and (device.tdp_w is None or device.tdp_w > self.at_most_power):
            return False
        if self.at_most_matrix is not None and not 0.0 < _matrix_over_vector(device) <= self.at_most_matrix:
            return False
        return self.kind == device.kind and device.architecture in (*self.architectures, *self.inherited_by)

    def build(self, *, origin: str | None = None) -> Efficiency:
        """Return the constants; ``origin`` overrides the file's where a device only inherits them."""
        shared = {field.name for field in fields(Efficiency)} - {"kernel_gap_s", "origin"}
        values = {name: getattr(self, name) for name in shared}
        return Efficiency(**values, kernel_gap_s=self.kernel_gap, origin=origin or self.origin)


@cache
def efficiency_classes() -> tuple[EfficiencyFile, ...]:
    """Return the shipped classes in the order of their names."""
    folder = shipped_root() / "efficiency" / "devices"
    return tuple(load(EfficiencyFile, path) for path in sorted(folder.glob("*.yaml")))


def measured_products(name: str) -> dict[str, float]:
    """Return the shares of the peak that large products were measured at by themselves on a class, by constant."""
    for file in efficiency_classes():
        if file.name == name and file.measured_products is not None:
            return file.measured_products.model_dump(exclude={"source"}, exclude_none=True)
    return {}


def efficiency_of(device: Device) -> Efficiency:
    """Return the efficiency of a device's class; ``assumed`` where it is its kin's, or its kind's default class.

    Raises:
        InputError: no class covers even the device's kind.
    """
    classes = efficiency_classes()
    covering = [file for file in classes if file.covers(device)]
    if covering:
        narrowest = min(covering, key=lambda file: (file.at_most_power or math.inf, file.at_most_matrix or math.inf))
        return narrowest.build(origin="assumed" if device.architecture in narrowest.inherited_by else None)
    for file in classes:
        if file.kind == device.kind and file.default_for_kind:
            return file.build(origin="assumed")
    raise InputError(
        f"no efficiency class covers the {device.kind} {device.name!r}; add a file to efficiency/devices/."
    )
