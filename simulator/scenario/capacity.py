"""``kind: capacity``: how much to own, reserve and rent, of what, and in which region, for demands that come and go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.schema import Bytes, Count, Fraction, Name, PositiveSeconds, Seconds, StrictModel
from simulator.foundation.units import DAY, YEAR
from simulator.profiles.device import Device
from simulator.profiles.node import Node
from simulator.scenario.hardware import MoneyPerByte, UsdPerHour
from simulator.scenario.kinds import Context, WorkloadKind
from simulator.scenario.wishes import Carbon, EnergyPrice, Money

Way = Literal["owned", "reserved-3y", "reserved-1y", "on-demand", "spot"]
_Nodes = Annotated[float, Field(ge=0, le=1_000_000, strict=False)]

#: how far the periods of a day may be from a day, in seconds
_ROUNDING: Final = 1.0


class OwnFile(StrictModel):
    """What a node costs that is bought."""

    purchase: Money | None = Field(default=None, description="of a node; left out: its devices' by the catalogue")
    lifetime: PositiveSeconds = Field(default=4 * YEAR, description="after which it is worth nothing")
    hosting: UsdPerHour = Field(default=0.0, description="space, network, staff")


class RegionFile(StrictModel):
    """A place where nodes can stand, and what they cost there."""

    name: Name
    node: str | None = Field(default=None, description="left out: the first of the cluster")
    provider: str | None = None
    region: str | None = Field(default=None, description="of the catalogue's offer; left out: its first")
    ways: list[Way] | None = Field(default=None, description="left out: all that have a price")
    rates: dict[Literal["reserved-3y", "reserved-1y", "on-demand", "spot"], UsdPerHour] = Field(
        default_factory=dict, description="of a node, instead of the catalogue's"
    )
    own: OwnFile | None = None
    most: dict[Way, Count] = Field(default_factory=dict, description="nodes that there are")
    again: Annotated[float, Field(ge=0, le=10, strict=False)] = Field(
        default=0.0, description="share of the work on spot nodes that is done again after they are taken away"
    )
    electricity: EnergyPrice | None = Field(default=None, description="of owned nodes; left out: the catalogue's")
    grid: str | None = None
    carbon: Carbon | None = None
    pue: Annotated[float, Field(ge=1, le=10, strict=False)] | None = None
    egress: MoneyPerByte = Field(default=0.0, description="of what leaves the region")


class DataFile(StrictModel):
    """Data that a demand reads, and where they are; they are moved once."""

    size: Bytes
    at: Name = Field(description="a region")


class SplitFile(StrictModel):
    """That a demand may stand in several regions at once, in whole nodes."""

    regions: Annotated[int, Field(ge=2, le=50)] = Field(default=2, description="most that it stands in")
    share: Annotated[float, Field(gt=0, le=1, strict=False)] = Field(
        default=1.0, description="most of its nodes that one region holds in any period, rounded up to whole ones"
    )


class DemandFile(StrictModel):
    """Work that needs nodes."""

    name: Name
    nodes: Annotated[list[_Nodes], Field(min_length=1, max_length=48)] = Field(description="in each period, or one")
    interruptible: Fraction = Field(default=0.0, description="share that may stand on spot nodes")
    allowed: list[Name] = Field(default_factory=list, description="regions where its data may be; left out: all")
    latency: PositiveSeconds | None = Field(default=None, description="most round-trip time to its clients")
    rtt: dict[Name, Seconds] = Field(default_factory=dict, description="from its clients to each region")
    sends: Bytes | None = Field(default=None, description="to its clients in a day")
    data: DataFile | None = Field(default=None, description="moved to every region where it stands")
    split: SplitFile | None = Field(default=None, description="left out: all of it stands in one region")


class CapacityFile(StrictModel):
    """Regions and demands as they stand in a scenario."""

    id: Name
    kind: Literal["capacity"]
    horizon: PositiveSeconds = 3 * YEAR
    periods: Annotated[list[PositiveSeconds], Field(min_length=1, max_length=48)] = Field(
        default_factory=lambda: [DAY], description="parts of a day, a day together"
    )
    regions: Annotated[list[RegionFile], Field(min_length=1, max_length=50)]
    demands: Annotated[list[DemandFile], Field(min_length=1, max_length=50)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityRegion:
    """A region with its node resolved."""

    file: RegionFile
    node: Node
    device: Device


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityWorkload:
    """Regions and demands with every name resolved; ``seconds`` of each period over the whole horizon."""

    id: str
    horizon_s: float
    seconds: tuple[float, ...]
    regions: tuple[CapacityRegion, ...]
    demands: tuple[DemandFile, ...]


def build(file: CapacityFile, context: Context) -> CapacityWorkload:
    """Resolve regions and demands; raises :class:`InputError` with its place."""
    with context.at("periods"):
        if abs(sum(file.periods) - DAY) > _ROUNDING:
            raise InputError(f"the periods are {sum(file.periods) / DAY:.3g} days together; write parts of one day.")
    names = [region.name for region in file.regions]
    for key, entries in (("regions", names), ("demands", [demand.name for demand in file.demands])):
        with context.at(key):
            if len(set(entries)) < len(entries):
                raise InputError("a name stands here twice; give each its own.")
    for position, demand in enumerate(file.demands):
        with context.at("demands", position):
            _check(demand, names, len(file.periods))
    days = file.horizon / DAY
    return CapacityWorkload(
        id=file.id,
        horizon_s=file.horizon,
        seconds=tuple(period * days for period in file.periods),
        regions=tuple(_region(one, context.below("regions", k)) for k, one in enumerate(file.regions)),
        demands=tuple(
            one if len(one.nodes) > 1 else one.model_copy(update={"nodes": one.nodes * len(file.periods)})
            for one in file.demands
        ),
    )


def _region(file: RegionFile, context: Context) -> CapacityRegion:
    with context.at("node"):
        node = context.nodes[0][0] if file.node is None else context.catalogue.nodes[file.node]
        if node.device is None:
            raise InputError(f"{node.name} holds no device that computes; name another node.")
    return CapacityRegion(file=file, node=node, device=context.catalogue.devices[node.device])


def _check(demand: DemandFile, regions: list[str], periods: int) -> None:
    """Raise unless every region is known, and nodes and round-trip times are said for all that need them."""
    for name in [*demand.allowed, *demand.rtt, *([demand.data.at] if demand.data else [])]:
        if name not in regions:
            raise UnknownName("region of this workload", name, regions)
    if len(demand.nodes) not in (1, periods):
        raise InputError(f"{len(demand.nodes)} numbers of nodes for {periods} periods; write one, or one per period.")
    if demand.split is not None and demand.split.regions * demand.split.share < 1.0:
        raise InputError(
            f"{demand.split.regions} regions with {demand.split.share:.0%} each do not hold the whole demand; raise "
            "split.regions or split.share."
        )
    if demand.latency is not None:
        missing = [name for name in demand.allowed or regions if name not in demand.rtt]
        if missing:
            raise InputError(f"how far its clients are from {', '.join(missing)} is not said; write rtt.")


KIND = WorkloadKind(name="capacity", file=CapacityFile, build=build)
