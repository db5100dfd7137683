"""``cluster:`` which machines there are, how many, and how they are wired."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from simulator.foundation.errors import InputError
from simulator.foundation.schema import Count, StrictModel, quantity
from simulator.profiles.catalogue import Catalogue
from simulator.profiles.node import Node
from simulator.scenario.kinds import Context

MAX_DEVICES: Final = 10_000_000  # far beyond any cluster; keeps a slip of the finger from filling the memory

PriceKind = Literal["on-demand", "spot", "reserved-1y", "reserved-3y"]
UsdPerHour = quantity("money_rate", above=True)


def _ratio(value: object) -> object:
    """Read ``3`` or ``"3:1"``."""
    if isinstance(value, str):
        upper, colon, lower = value.partition(":")
        try:
            return float(upper) / float(lower) if colon else float("nan")
        except (ValueError, ZeroDivisionError):
            raise ValueError(f"{value!r} is no ratio. Write one, as in 3 or '3:1'.") from None
    return value


Oversubscription = Annotated[float, Field(ge=1.0, le=1000.0, strict=False), BeforeValidator(_ratio)]


class NodePriceFile(StrictModel):
    """What one node of the group costs, instead of the catalogue's price."""

    kind: PriceKind = "on-demand"
    rate: UsdPerHour | None = Field(default=None, description="of one node; left out: the catalogue's")  # type: ignore[valid-type]


class NodeGroupFile(StrictModel):
    """Some machines of one kind."""

    profile: str = Field(description="a node that `rackcast hw list nodes` shows")
    count: Count = 1
    price: NodePriceFile | None = None


class FabricFile(StrictModel):
    """The network between the nodes."""

    shape: str = Field(default="fat-tree", description="a shape that `rackcast topo list` shows")
    link: str | None = Field(default=None, description="a link of the catalogue; left out: that of the nodes' adapters")
    oversubscription: Oversubscription = Field(default=1.0, description="traffic that may enter over what may leave")


class ClusterFile(StrictModel):
    """Machines and wiring."""

    nodes: Annotated[list[NodeGroupFile], Field(min_length=1, max_length=1000)]
    fabric: FabricFile = FabricFile()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """``count`` nodes of one kind; ``price_kind`` and ``usd_per_s`` (of one node) are None where nothing is said."""

    node: Node
    count: int
    price_kind: PriceKind | None
    usd_per_s: float | None

    @property
    def devices(self) -> int:
        """Devices of the whole group."""
        return self.count * self.node.device_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Fabric:
    """The network that the scenario asks for, by name.

    Attributes:
        shape: name of a fabric shape.
        link: name of a link; None for that of the nodes' adapters.
        oversubscription: at least 1; how much more may enter a tier from below than leaves it above.
    """

    shape: str
    link: str | None
    oversubscription: float


def groups_from(file: ClusterFile, catalogue: Catalogue, context: Context) -> tuple[NodeGroup, ...]:
    """Return the machines; raises :class:`InputError` for a name that the catalogue does not carry."""
    found = []
    for index, group in enumerate(file.nodes):
        with context.at("nodes", index, "profile"):
            node = catalogue.nodes[group.profile]
            if node.device is None or node.device_count == 0:
                raise InputError(f"{node.name} holds no device that computes; write a node with devices.")
        found.append(
            NodeGroup(
                node=node,
                count=group.count,
                price_kind=group.price.kind if group.price else None,
                usd_per_s=group.price.rate if group.price else None,
            )
        )
    devices = sum(group.devices for group in found)
    with context.at("nodes"):
        if devices > MAX_DEVICES:
            raise InputError(f"{devices} devices; at most {MAX_DEVICES} are simulated. Lower a count.")
    return tuple(found)


def fabric_from(file: FabricFile, catalogue: Catalogue, context: Context) -> Fabric:
    """Return the wiring; raises :class:`UnknownName` for a link that the catalogue does not carry."""
    if file.link is not None:
        with context.at("fabric", "link"):
            _ = catalogue.links[file.link]
    return Fabric(shape=file.shape, link=file.link, oversubscription=file.oversubscription)
