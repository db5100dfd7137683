"""A node: one chassis, cloud instance, rack or pod, with its devices and ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from simulator.foundation.schema import Name, StrictModel
from simulator.profiles.device import Status
from simulator.profiles.source import (
    BandwidthFigure,
    BytesFigure,
    CountFigure,
    Figure,
    PartFile,
    PowerFigure,
    count_of,
    figures_of,
    required,
    value_of,
)

NodeKind = Literal["cloud_instance", "server", "rack", "pod", "system"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One thing that is bought or rented whole. A figure that no source gives is None, never zero.

    Attributes:
        device: name of the device it holds; None for a node of CPUs only.
        device_count: devices in this node (0 without).
        scaleup_domain: devices that reach each other by scale-up links, which may span nodes (72 for one tray of an
            NVL72 rack).
        fabric: how the devices are wired inside, in words.
        fabric_link: name of the link of that fabric.
        fabric_bandwidth: bytes/s per direction and per device inside the scale-up domain.
        nic_link: name of the link of its network adapters.
        nic_count: adapters of the node.
        nic_bandwidth: bytes/s per direction of all adapters together.
        storage_bytes: of the local drives together.
        power_w: of the whole node.
    """

    name: str
    kind: NodeKind
    provider: str
    status: Status
    device: str | None
    device_count: int
    scaleup_domain: int | None
    fabric: str
    fabric_link: str | None
    fabric_bandwidth: float | None
    nic: str
    nic_link: str | None
    nic_count: int | None
    nic_bandwidth: float | None
    host_cpu: str
    host_sockets: int | None
    host_vcpus: int | None
    host_memory_bytes: float | None
    storage: str
    storage_bytes: float | None
    power_w: float | None
    aliases: tuple[str, ...]
    figures: tuple[Figure, ...]
    unusual: Mapping[str, str]
    notes: str

    def require(self, field: str) -> float:
        """Return a figure by the name of its field; raises :class:`InputError` if no source gives it."""
        return required("node", self.name, getattr(self, field), field)


class DevicesFile(StrictModel):
    """The devices of a node."""

    name: Name
    count: CountFigure


class FabricFile(StrictModel):
    """How the devices of a node reach each other; bandwidth per direction and per device."""

    kind: str
    link: Name | None = None
    domain: CountFigure | None = None
    bandwidth: BandwidthFigure | None = None


class NicFile(StrictModel):
    """The network adapters of a node; bandwidth per direction of all together."""

    kind: str
    link: Name | None = None
    count: CountFigure | None = None
    bandwidth: BandwidthFigure | None = None


class HostFile(StrictModel):
    """The host side of a node."""

    cpu: str = ""
    sockets: CountFigure | None = None
    vcpus: CountFigure | None = None
    memory: BytesFigure | None = None


class LocalStorageFile(StrictModel):
    """Local drives of a node, together."""

    kind: str = ""
    capacity: BytesFigure | None = None


class NodeFile(PartFile):
    """``nodes/<name>.yaml``."""

    part: Literal["node"]
    kind: NodeKind
    provider: str = ""
    status: Status = "shipping"
    devices: DevicesFile | None = None
    fabric: FabricFile | None = None
    nic: NicFile | None = None
    host: HostFile = HostFile()
    storage: LocalStorageFile = LocalStorageFile()
    power: PowerFigure | None = None


def node_from(name: str, file: NodeFile) -> Node:
    """Return the node that a file describes; raises :class:`InputError` for a source that it does not describe."""
    devices, fabric, nic, host = file.devices, file.fabric, file.nic, file.host
    return Node(
        name=name,
        kind=file.kind,
        provider=file.provider,
        status=file.status,
        device=devices.name if devices else None,
        device_count=int(devices.count.value) if devices else 0,
        scaleup_domain=count_of(fabric.domain) if fabric else None,
        fabric=fabric.kind if fabric else "",
        fabric_link=fabric.link if fabric else None,
        fabric_bandwidth=value_of(fabric.bandwidth) if fabric else None,
        nic=nic.kind if nic else "",
        nic_link=nic.link if nic else None,
        nic_count=count_of(nic.count) if nic else None,
        nic_bandwidth=value_of(nic.bandwidth) if nic else None,
        host_cpu=host.cpu,
        host_sockets=count_of(host.sockets),
        host_vcpus=count_of(host.vcpus),
        host_memory_bytes=value_of(host.memory),
        storage=file.storage.kind,
        storage_bytes=value_of(file.storage.capacity),
        power_w=value_of(file.power),
        aliases=tuple(file.aliases),
        figures=figures_of(file),
        unusual=MappingProxyType(dict(file.unusual)),
        notes=file.notes,
    )
