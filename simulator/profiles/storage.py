"""Storage: a drive, a volume or a file system that data sets and checkpoints live on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from simulator.profiles.source import (
    BandwidthFigure,
    BytesFigure,
    Figure,
    PartFile,
    RateFigure,
    TimeFigure,
    figures_of,
    required,
    value_of,
)

StorageTier = Literal["local", "network-block", "network-fs", "parallel-fs", "object", "distributed-fs"]
StorageUnit = Literal["drive", "volume", "vm", "system", "TiB", "client", "prefix", "bucket"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """A kind of storage. A figure that no source gives is None, never zero.

    Attributes:
        per: what the rates are per: a drive, a volume, a virtual machine, the whole system as measured, a TiB of
            provisioned capacity, one client, an object prefix or a bucket.
        read_bandwidth, write_bandwidth: bytes/s, large sequential blocks.
        read_rate, write_rate: operations per second, small random blocks (requests for object stores).
        read_latency_s, write_latency_s: of one operation.
        scaling: how the rates grow with capacity, in words.
        measured_on: the configuration, where the figures were measured.
    """

    name: str
    kind: str
    tier: StorageTier
    per: StorageUnit
    read_bandwidth: float | None
    write_bandwidth: float | None
    read_rate: float | None
    write_rate: float | None
    read_latency_s: float | None
    write_latency_s: float | None
    capacity_bytes: float | None
    scaling: str
    measured_on: str
    aliases: tuple[str, ...]
    figures: tuple[Figure, ...]
    unusual: Mapping[str, str]
    notes: str

    def require(self, field: str) -> float:
        """Return a figure by the name of its field; raises :class:`InputError` if no source gives it."""
        return required("storage", self.name, getattr(self, field), field)


class StorageFile(PartFile):
    """``storage/<name>.yaml``."""

    part: Literal["storage"]
    kind: str
    tier: StorageTier
    per: StorageUnit
    read_bandwidth: BandwidthFigure | None = None
    write_bandwidth: BandwidthFigure | None = None
    read_rate: RateFigure | None = None
    write_rate: RateFigure | None = None
    read_latency: TimeFigure | None = None
    write_latency: TimeFigure | None = None
    capacity: BytesFigure | None = None
    scaling: str = ""
    measured_on: str = ""


def storage_from(name: str, file: StorageFile) -> Storage:
    """Return the storage that a file describes; raises :class:`InputError` for a source that it does not describe."""
    return Storage(
        name=name,
        kind=file.kind,
        tier=file.tier,
        per=file.per,
        read_bandwidth=value_of(file.read_bandwidth),
        write_bandwidth=value_of(file.write_bandwidth),
        read_rate=value_of(file.read_rate),
        write_rate=value_of(file.write_rate),
        read_latency_s=value_of(file.read_latency),
        write_latency_s=value_of(file.write_latency),
        capacity_bytes=value_of(file.capacity),
        scaling=file.scaling,
        measured_on=file.measured_on,
        aliases=tuple(file.aliases),
        figures=figures_of(file),
        unusual=MappingProxyType(dict(file.unusual)),
        notes=file.notes,
    )
