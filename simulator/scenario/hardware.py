"""``cluster:`` which machines there are, how many, and how they are wired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from simulator.foundation.errors import Infeasible, InputError, UnknownName
from simulator.foundation.schema import Bandwidth, Bytes, Count, Name, PositiveSeconds, StrictModel, quantity
from simulator.profiles.catalogue import Catalogue
from simulator.profiles.device import Device
from simulator.profiles.node import Node
from simulator.scenario.kinds import Context
from simulator.topology import Cluster, Fabric, Wan, build_cluster
from simulator.topology.shapes import SHAPES

MAX_DEVICES: Final = 10_000_000  # far beyond any cluster; keeps a slip of the finger from filling the memory

PriceKind = Literal["on-demand", "spot", "reserved-1y", "reserved-3y"]
UsdPerHour: Any = quantity("money_rate", above=True)
MoneyPerByte: Any = quantity("money_per_byte")


def _ratio(value: object) -> object:
    """Read ``3`` or ``"3:1"``."""
    if isinstance(value, str):
        upper, _, lower = value.partition(":")
        try:
            return float(upper) / float(lower)
        except (ValueError, ZeroDivisionError):
            raise ValueError(f"{value!r} is no ratio. Write one, as in 3 or '3:1'.") from None
    return value


_RATIO_TEXT: Final = {  # what an editor accepts
    "anyOf": [
        {"type": "number", "minimum": 1, "maximum": 1000},
        {"type": "string", "pattern": r"^\s*[\d.]+\s*:\s*[\d.]+\s*$"},
    ]
}
Oversubscription = Annotated[
    float, Field(ge=1.0, le=1000.0), BeforeValidator(_ratio), WithJsonSchema(dict(_RATIO_TEXT))
]


class NodePriceFile(StrictModel):
    """What one node of the group costs, instead of the catalogue's price."""

    kind: PriceKind = "on-demand"
    rate: UsdPerHour | None = Field(default=None, description="of one node; left out: the catalogue's")


class NodeGroupFile(StrictModel):
    """Some machines of one kind."""

    profile: str = Field(description="a node that `rackcast hw list nodes` shows")
    count: Count = 1
    host_memory: Bytes | None = Field(
        default=None, description="of one node, where its profile gives none; CPUs compute from their share of it"
    )
    site: Name | None = Field(default=None, description="where they stand, if there are several sites")
    price: NodePriceFile | None = None


class WanFile(StrictModel):
    """A link between sites."""

    between: Annotated[list[Name], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="names of two sites; left out: every pair"
    )
    rtt: PositiveSeconds
    bandwidth: Bandwidth
    loss: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    price: MoneyPerByte = Field(default=0.0, description="of what leaves a site")
    streams: Count = Field(default=1, description="TCP connections of one transfer")


class FabricFile(StrictModel):
    """The network between the nodes; a shape ignores the keys that it has no use for."""

    shape: str = Field(default="fat-tree", description="a shape that `rackcast topo list` shows")
    link: str | None = Field(default=None, description="a link of the catalogue; left out: that of the nodes' adapters")
    oversubscription: Oversubscription = Field(default=1.0, description="traffic that may enter over what may leave")
    radix: Annotated[int, Field(ge=2, le=10_000)] = Field(default=64, description="ports of one switch")
    levels: Annotated[int, Field(ge=1, le=4)] | None = Field(default=None, description="levels of switches")
    rails: Count | None = Field(default=None, description="rails of a rail-optimised fabric; left out: one per adapter")
    dims: Annotated[list[Count], Field(max_length=6)] = Field(
        default_factory=list, description="nodes (of pods: devices) along each axis of a torus"
    )
    wrap: bool | None = Field(default=None, description="whether the axes of a torus are rings")
    scaleup: str | None = Field(default=None, description="shape inside the scale-up domain, if not the hardware's")
    wan: Annotated[list[WanFile], Field(max_length=1000)] = Field(default_factory=list)


class ClusterFile(StrictModel):
    """Machines and wiring."""

    nodes: Annotated[list[NodeGroupFile], Field(min_length=1, max_length=1000)]
    fabric: FabricFile = FabricFile()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """``count`` nodes of one kind; ``price_kind`` and ``usd_per_s`` (of one node) are None where nothing is said."""

    node: Node
    device: Device
    count: int
    site: str
    price_kind: PriceKind | None
    usd_per_s: float | None

    @property
    def devices(self) -> int:
        """Devices of the whole group."""
        return self.count * self.node.device_count


def groups_from(file: ClusterFile, catalogue: Catalogue, context: Context) -> tuple[NodeGroup, ...]:
    """Return the machines; raises :class:`InputError` for a name that the catalogue does not carry."""
    found = []
    for index, group in enumerate(file.nodes):
        with context.at("nodes", index, "profile"):
            node = catalogue.nodes[group.profile]
            if node.device is None or node.device_count == 0:
                raise InputError(f"{node.name} holds no device that computes; write a node with devices.")
            device = _with_memory(catalogue.devices[node.device], node, group.host_memory)
        found.append(
            NodeGroup(
                node=node,
                device=device,
                count=group.count,
                site=group.site or "site",
                price_kind=group.price.kind if group.price else None,
                usd_per_s=group.price.rate if group.price else None,
            )
        )
    devices = sum(group.devices for group in found)
    with context.at("nodes"):
        if devices > MAX_DEVICES:
            raise InputError(f"{devices} devices; at most {MAX_DEVICES} are simulated. Lower a count.")
    return tuple(found)


def _with_memory(device: Device, node: Node, said: float | None) -> Device:
    """Return the device; a CPU, which has no memory of its own, with its share of the node's."""
    whole = node.host_memory_bytes or said
    if device.kind != "cpu" or device.memory_bytes is not None or whole is None:
        return device
    return replace(device, memory_bytes=whole / node.device_count)


def fabric_from(file: ClusterFile, catalogue: Catalogue, context: Context) -> Fabric:
    """Return the wiring; raises :class:`InputError` for a name that nothing carries, or for what the shape refuses."""
    fabric = file.fabric
    for key in ("shape", "scaleup"):
        with context.at("fabric", key):
            _ = getattr(fabric, key) is None or SHAPES[getattr(fabric, key)]
    with context.at("fabric", "link"):
        link = None if fabric.link is None else catalogue.links[fabric.link]
    sites = tuple(group.site or "site" for group in file.nodes)
    wan = tuple(_wan(entry, sites, context.below("fabric", "wan", index)) for index, entry in enumerate(fabric.wan))
    with context.at("fabric"):
        return Fabric(
            shape=fabric.shape,
            link=link,
            oversubscription=fabric.oversubscription,
            radix=fabric.radix,
            levels=fabric.levels,
            rails=fabric.rails,
            dims=tuple(fabric.dims),
            wrap=fabric.wrap,
            scaleup=fabric.scaleup,
            sites=sites if any(group.site for group in file.nodes) else (),
            wan=wan,
        )


def _wan(file: WanFile, sites: Sequence[str], context: Context) -> Wan:
    for index, name in enumerate(file.between or ()):
        with context.at("between", index):
            if name not in sites:
                raise UnknownName("site", name, sites)
    with context.at():
        return Wan(
            rtt=file.rtt,
            bandwidth=file.bandwidth,
            loss=file.loss,
            usd_per_byte=file.price,
            streams=file.streams,
            between=(file.between[0], file.between[1]) if file.between else (),
        )


def cluster_from(
    groups: Sequence[NodeGroup], fabric: Fabric, catalogue: Catalogue, name: str, context: Context
) -> Cluster:
    """Return the cluster; raises :class:`InputError` or :class:`Infeasible` for what cannot be wired."""
    nodes = [(group.node, group.device, group.count) for group in groups]
    try:
        with context.at("fabric"):
            return build_cluster(nodes=nodes, fabric=fabric, links=catalogue.links, name=name)
    except Infeasible as error:
        raise error.at(context.document.place((*context.path, "fabric"))) from None
