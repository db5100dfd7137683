"""A device: one accelerator or CPU, as a buyer gets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import Field

from simulator.foundation.errors import InputError
from simulator.foundation.schema import Name, StrictModel
from simulator.foundation.units import show
from simulator.profiles.source import (
    BandwidthFigure,
    BytesFigure,
    CountFigure,
    Figure,
    FlopRateFigure,
    FrequencyFigure,
    PartFile,
    PowerFigure,
    Sourced,
    count_of,
    figures_of,
    required,
    value_of,
)

DeviceKind = Literal["gpu", "cpu", "tpu", "fpga", "asic"]
Status = Literal["shipping", "announced", "specification", "roadmap"]

#: names of precisions that share the rate of another one
SHARED_RATES: Final[Mapping[str, str]] = MappingProxyType({"mxfp8": "fp8", "mxfp4": "fp4", "nvfp4": "fp4"})


#: architectures whose matrix units take 2:4 sparse weights at twice the dense rate (Mishra et al. 2021, arXiv
#: 2104.08378, for Ampere; NVIDIA's data sheets print such rates for those after it)
_SKIPS_ZEROS: Final = ("Ampere", "Ada", "Hopper", "Blackwell", "Blackwell Ultra")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One accelerator or CPU. A figure that no source gives is None, never zero.

    Attributes:
        peak: dense FLOP/s (int: OP/s) by precision of the fastest unit, for the whole device as sold. fp16, bf16 and
            fp8 accumulate in fp32. ``fp8`` holds mxfp8, ``fp4`` mxfp4 and nvfp4.
        sparse_peak: the same with structured sparsity, where a source gives it; see :func:`sparse_speed`.
        vector_fp32: FLOP/s of the units beside the matrix units.
        memory_bytes: capacity of the device's own memory (a CPU's belongs to the node).
        memory_bandwidth: bytes/s between the device and its memory.
        usable_memory_bytes: what the driver reports, where known.
        host_bandwidth, scaleup_bandwidth: bytes/s per direction and per device.
        compute_units: SMs, CUs, cores, tiles: what a kernel is spread over.
        clock_hz: that the peaks are quoted at (CPU: base clock).
    """

    name: str
    vendor: str
    kind: DeviceKind
    architecture: str
    year: int | None
    form_factor: str
    status: Status
    peak: Mapping[str, float]
    sparse_peak: Mapping[str, float]
    vector_fp32: float | None
    vector_fp64: float | None
    memory_kind: str
    memory_bytes: float | None
    memory_bandwidth: float | None
    usable_memory_bytes: float | None
    l2_bytes: float | None
    sram_bytes: float | None
    compute_units: int | None
    compute_unit: str
    clock_hz: float | None
    tdp_w: float | None
    idle_w: float | None
    host_link: str | None
    host_bandwidth: float | None
    scaleup_link: str | None
    scaleup_bandwidth: float | None
    aliases: tuple[str, ...]
    figures: tuple[Figure, ...]
    unusual: Mapping[str, str]
    notes: str

    def require(self, field: str) -> float:
        """Return a figure by the name of its field; raises :class:`InputError` if no source gives it."""
        return required("device", self.name, getattr(self, field), field)

    @property
    def memory_limit_bytes(self) -> float | None:
        """Bytes that a program can get: as the driver reports them, else the capacity."""
        return self.memory_bytes if self.usable_memory_bytes is None else self.usable_memory_bytes

    @property
    def vector(self) -> float:
        """FLOP/s of the vector units in fp32, where no source gives them the fp32 peak; 0: not known."""
        return self.vector_fp32 or self.peak.get("fp32", 0.0)


def sparse_speed(device: Device, precision: str) -> float | None:
    """Return how much faster a device multiplies by 2:4 sparse weights; None where no source says that it does.

    A printed sparse rate counts; else matrix units of the named architectures skip the zeros at twice the dense rate.
    """
    if precision in device.sparse_peak and precision in device.peak:
        return device.sparse_peak[precision] / device.peak[precision]
    architecture = (device.architecture or "").partition(" (")[0]
    return 2.0 if architecture in _SKIPS_ZEROS and precision not in ("fp32", "fp64") else None


def peak_for(device: Device, precision: str) -> float:
    """Return the dense peak of a precision in FLOP/s.

    Raises:
        InputError: the device has no such rate; the message names those it has.
    """
    rate = device.peak.get(precision, device.peak.get(SHARED_RATES.get(precision, precision)))
    if rate is None:
        known = ", ".join(f"{name} ({show(value, 'flop_rate')})" for name, value in device.peak.items())
        has = f"It has {known}." if known else "None of its peaks is known."
        raise InputError(f"the device {device.name!r} has no known dense peak for {precision}. {has}")
    return rate


class PeaksFile(StrictModel):
    """FLOP/s (int: OP/s) by precision."""

    fp64: FlopRateFigure | None = None
    fp32: FlopRateFigure | None = None
    tf32: FlopRateFigure | None = None
    fp16: FlopRateFigure | None = None
    bf16: FlopRateFigure | None = None
    fp8: FlopRateFigure | None = None
    int8: FlopRateFigure | None = None
    int4: FlopRateFigure | None = None
    fp4: FlopRateFigure | None = None


class VectorFile(StrictModel):
    """FLOP/s of the vector units."""

    fp32: FlopRateFigure | None = None
    fp64: FlopRateFigure | None = None


class MemoryFile(StrictModel):
    """The device's own memory."""

    kind: str = ""
    capacity: BytesFigure | None = None
    usable: BytesFigure | None = None
    bandwidth: BandwidthFigure | None = None
    l2: BytesFigure | None = None
    sram: BytesFigure | None = None


class PowerFile(StrictModel):
    """Watts."""

    tdp: PowerFigure | None = None
    idle: PowerFigure | None = None


class PortFile(StrictModel):
    """What the device is attached to; bandwidth per direction, of all lanes together."""

    link: Name
    bandwidth: BandwidthFigure | None = None


class UnitsFile(StrictModel):
    """What a kernel is spread over."""

    kind: str = ""
    count: CountFigure | None = None
    clock: FrequencyFigure | None = None


class DeviceFile(PartFile):
    """``devices/<name>.yaml``."""

    part: Literal["device"]
    kind: DeviceKind
    vendor: Name
    architecture: str = ""
    year: Annotated[int, Field(ge=1970, le=2100)] | None = None
    form_factor: str = ""
    status: Status = "shipping"
    peak: PeaksFile = PeaksFile()
    sparse_peak: PeaksFile = PeaksFile()
    vector: VectorFile = VectorFile()
    memory: MemoryFile = MemoryFile()
    units: UnitsFile = UnitsFile()
    power: PowerFile = PowerFile()
    host: PortFile | None = None
    scaleup: PortFile | None = None


def _rates(peaks: PeaksFile) -> Mapping[str, float]:
    given: dict[str, Sourced | None] = {name: getattr(peaks, name) for name in PeaksFile.model_fields}
    return MappingProxyType({name: float(rate.value) for name, rate in given.items() if rate is not None})


def device_from(name: str, file: DeviceFile) -> Device:
    """Return the device that a file describes; raises :class:`InputError` for a source that it does not describe."""
    host, scaleup = file.host, file.scaleup
    return Device(
        name=name,
        vendor=file.vendor,
        kind=file.kind,
        architecture=file.architecture,
        year=file.year,
        form_factor=file.form_factor,
        status=file.status,
        peak=_rates(file.peak),
        sparse_peak=_rates(file.sparse_peak),
        vector_fp32=value_of(file.vector.fp32),
        vector_fp64=value_of(file.vector.fp64),
        memory_kind=file.memory.kind,
        memory_bytes=value_of(file.memory.capacity),
        memory_bandwidth=value_of(file.memory.bandwidth),
        usable_memory_bytes=value_of(file.memory.usable),
        l2_bytes=value_of(file.memory.l2),
        sram_bytes=value_of(file.memory.sram),
        compute_units=count_of(file.units.count),
        compute_unit=file.units.kind,
        clock_hz=value_of(file.units.clock),
        tdp_w=value_of(file.power.tdp),
        idle_w=value_of(file.power.idle),
        host_link=host.link if host else None,
        host_bandwidth=value_of(host.bandwidth) if host else None,
        scaleup_link=scaleup.link if scaleup else None,
        scaleup_bandwidth=value_of(scaleup.bandwidth) if scaleup else None,
        aliases=tuple(file.aliases),
        figures=figures_of(file),
        unusual=MappingProxyType(dict(file.unusual)),
        notes=file.notes,
    )
