"""A link: a way for bytes between devices, hosts, switches and nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from simulator.profiles.device import Status
from simulator.profiles.source import (
    BandwidthFigure,
    CountFigure,
    Figure,
    FractionFigure,
    PartFile,
    TimeFigure,
    count_of,
    figures_of,
    required,
    value_of,
)

LinkKind = Literal["device-link", "host-link", "host-bus", "cpu-socket", "memory", "nic", "switch", "collective-model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A kind of link. A figure that no source gives is None, never zero.

    Attributes:
        lanes: links or lanes that one port (device, adapter) bundles.
        lane_bandwidth: bytes/s per direction of one of them; of one port for a switch.
        bandwidth: bytes/s per direction of the whole port.
        latency_s: one way, without load.
        achieved_fraction: best share of ``bandwidth`` that measurements reach (above 1: reduction in the switch).
        switch_ports: ports of one switch.
    """

    name: str
    family: str
    kind: LinkKind
    generation: str
    status: Status
    full_duplex: bool
    lanes: int | None
    lane_bandwidth: float | None
    bandwidth: float | None
    latency_s: float | None
    achieved_fraction: float | None
    topology: str
    switch_ports: int | None
    aliases: tuple[str, ...]
    figures: tuple[Figure, ...]
    unusual: Mapping[str, str]
    notes: str

    def require(self, field: str) -> float:
        """Return a figure by the name of its field; raises :class:`InputError` if no source gives it."""
        return required("link", self.name, getattr(self, field), field)


class LinkFile(PartFile):
    """``links/<name>.yaml``."""

    part: Literal["link"]
    family: str
    kind: LinkKind
    generation: str = ""
    status: Status = "shipping"
    duplex: Literal["full", "half"] = "full"
    topology: str = ""
    lanes: CountFigure | None = None
    lane_bandwidth: BandwidthFigure | None = None
    bandwidth: BandwidthFigure | None = None
    latency: TimeFigure | None = None
    achieved_fraction: FractionFigure | None = None
    switch_ports: CountFigure | None = None


def link_from(name: str, file: LinkFile) -> Link:
    """Return the link that a file describes; raises :class:`InputError` for a source that it does not describe."""
    return Link(
        name=name,
        family=file.family,
        kind=file.kind,
        generation=file.generation,
        status=file.status,
        full_duplex=file.duplex == "full",
        lanes=count_of(file.lanes),
        lane_bandwidth=value_of(file.lane_bandwidth),
        bandwidth=value_of(file.bandwidth),
        latency_s=value_of(file.latency),
        achieved_fraction=value_of(file.achieved_fraction),
        topology=file.topology,
        switch_ports=count_of(file.switch_ports),
        aliases=tuple(file.aliases),
        figures=figures_of(file),
        unusual=MappingProxyType(dict(file.unusual)),
        notes=file.notes,
    )
