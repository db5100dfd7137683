"""Parts for the tests of topology: figures chosen by us, round and easy to follow."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import Any, TypeVar

from simulator.profiles.device import Device
from simulator.profiles.link import Link
from simulator.profiles.node import Node
from simulator.topology import Cluster, Fabric, build_cluster
from simulator.topology.wiring import Ends, Run

GB = 1e9
US = 1e-6

P = TypeVar("P", Device, Link, Node)


def part(of: type[P], /, **known: Any) -> P:
    """Return a part of which everything else is unknown."""
    unknown = {"tuple": (), "Mapping": MappingProxyType({}), "str": "", "bool": True}
    for field in dataclasses.fields(of):
        needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if field.name not in known and needed:
            word = str(field.type).partition("[")[0].partition(" ")[0]
            known[field.name] = None if "None" in str(field.type) else unknown.get(word, "")
    return of(**known)


def device(name: str = "gpu", *, host: float | None = 32 * GB, scaleup: float | None = None) -> Device:
    return part(
        Device, name=name, kind="gpu", status="shipping", host_bandwidth=host, scaleup_bandwidth=scaleup,
        host_link="pcie4-x16" if host else None, memory_bandwidth=2000 * GB,
    )  # fmt: skip


def node(
    name: str = "box",
    *,
    devices: int = 8,
    domain: int | None = 8,
    fabric: str = "NVSwitch",
    fabric_link: str | None = None,
    bandwidth: float | None = 300 * GB,
    nics: int | None = 8,
    nic_bandwidth: float | None = 200 * GB,
    nic_link: str | None = "ib-hdr",
) -> Node:
    return part(
        Node, name=name, kind="server", status="shipping", device="gpu", device_count=devices, scaleup_domain=domain,
        fabric=fabric, fabric_link=fabric_link, fabric_bandwidth=bandwidth, nic="IB", nic_link=nic_link, nic_count=nics,
        nic_bandwidth=nic_bandwidth,
    )  # fmt: skip


def link(name: str, family: str, kind: str, bandwidth: float, latency: float | None, topology: str = "") -> Link:
    return part(
        Link, name=name, family=family, kind=kind, status="shipping", bandwidth=bandwidth, latency_s=latency,
        topology=topology,
    )  # fmt: skip


LINKS = {
    one.name: one
    for one in (
        link("ib-hdr", "InfiniBand", "nic", 25 * GB, 0.6 * US),
        link("nvlink3", "NVLink", "device-link", 300 * GB, 0.6 * US, "NVSwitch"),
        link("ici", "TPU ICI", "device-link", 300 * GB, 1 * US, "3D torus, pod 16x16x16 (4096)"),
        link("ici-flat", "TPU ICI", "device-link", 200 * GB, 1 * US, "2D torus, pod 16x16 (256)"),
    )
}


def cluster(count: int = 4, *, kind: Node | None = None, of: Device | None = None, **fabric: Any) -> Cluster:
    """Return equal boxes on a fabric of the given parameters."""
    return build_cluster(nodes=[(kind or node(), of or device(), count)], fabric=Fabric(**fabric), links=LINKS)


def ends(*runs: tuple[int, float, int]) -> Ends:
    """Return ends to wire; each run is (count, bytes/s of one, ports of one)."""
    return Ends(runs=tuple(Run(*run) for run in runs), latency=1 * US, switch_latency=0.5 * US)
