"""A cluster: groups of like nodes and the wiring between them, folded however large it is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from simulator.profiles.device import Device
from simulator.profiles.node import Node
from simulator.topology.fabric import Fabric
from simulator.topology.scaleup import ScaleUp, devices_per_node
from simulator.topology.shapes.sites import Sites
from simulator.topology.tiers import Tier
from simulator.topology.wiring import Run, Wiring

if TYPE_CHECKING:
    import networkx as nx

    from simulator.topology.paths import Path

NodeGroup = tuple[Node, Device, int]


@dataclass(frozen=True, slots=True)
class PartClass:
    """Identical parts and how many there are: devices, nodes, adapters, switches by level, links by kind."""

    kind: str
    name: str
    count: int
    capacity: float | None = None  # bytes/s per direction, of links
    latency: float | None = None  # seconds, one way, of links


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The nodes of one place and the network that joins them (None for a lone node or domain that needs none).

    Attributes:
        name: of the site.
        groups: numbers of its groups, which follow each other.
        wiring: joins its nodes, in their order.
    """

    name: str
    groups: tuple[int, ...]
    wiring: Wiring | None


class Start(NamedTuple):
    """Numbers of the first device, node and scale-up domain of a group, and of that node in its site."""

    device: int
    node: int
    domain: int
    node_of_site: int


class Spot(NamedTuple):
    """Where a device stands; all numbers count from 0."""

    device: int  # in the cluster
    group: int
    node: int  # in the cluster
    slot: int  # in its node
    domain: int  # scale-up domain, in the cluster
    rank: int  # in its domain
    site: int
    node_of_site: int


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Devices, numbered group by group, node by node, and what joins them.

    Nothing here is kept per device, so that a cluster of 100,000 devices costs as much as one of eight.

    Attributes:
        name: for people.
        groups: (node, device, number of nodes), those of one site together.
        fabric: what was asked for.
        tiers: nested domains, innermost first, of the slowest group at each tier; see :meth:`tiers_of` for each group.
        scale_ups: the wiring inside the domains of each group.
        sites: the wiring between the nodes of each site.
        wan: the wiring between the sites.
        assumptions: what no source gives and was taken for granted, in words.
    """

    name: str
    groups: tuple[NodeGroup, ...]
    fabric: Fabric
    tiers: tuple[Tier, ...]
    group_tiers: tuple[tuple[Tier, ...], ...]
    scale_ups: tuple[ScaleUp, ...]
    sites: tuple[Site, ...]
    wan: Sites | None
    assumptions: tuple[str, ...] = ()

    @property
    def devices(self) -> int:
        """Number of devices."""
        return sum(devices_per_node(node) * count for node, _, count in self.groups)

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return sum(count for _, _, count in self.groups)

    @property
    def homogeneous(self) -> bool:
        """Whether all nodes are of one kind."""
        return len({(node.name, device.name) for node, device, _ in self.groups}) == 1

    def tiers_of(self, group: int) -> tuple[Tier, ...]:
        """Return the tiers that the devices of one group see, innermost first."""
        return self.group_tiers[group]

    def tier_between(self, one: int, other: int) -> Tier | None:
        """Return the innermost tier that holds two devices; None for one and the same device.

        Devices of different groups meet in a tier of the slower one.
        """
        if one == other:
            return None
        a, b = self.spot(one), self.spot(other)
        tiers = min((self.group_tiers[a.group], self.group_tiers[b.group]), key=lambda found: found[-1].bandwidth)
        if a.site != b.site:
            return tiers[-1]
        if a.domain == b.domain:
            return next(
                tier for tier in tiers if tier.span >= self.scale_ups[a.group].size or tier.span == self.devices
            )
        if a.node == b.node:
            return next(tier for tier in tiers if tier.span >= devices_per_node(self.groups[a.group][0]))
        return self._tier_of_fabric(a, b, tiers)

    def _tier_of_fabric(self, a: Spot, b: Spot, tiers: tuple[Tier, ...]) -> Tier:
        wiring = self.sites[a.site].wiring
        assert wiring is not None, "nodes of one site without a network between them"
        names = {tier.name: tier for tier in tiers}
        meeting = [
            names[level.name]
            for level in wiring.levels()
            if a.node_of_site // level.span == b.node_of_site // level.span and level.name in names
        ]
        return meeting[0] if meeting else tiers[-1]

    @cached_property
    def _starts(self) -> tuple[Start, ...]:
        found, device, node, domain, node_of_site = [], 0, 0, 0, 0
        first_of_site = {site.groups[0] for site in self.sites}
        for group, (kind, _, count) in enumerate(self.groups):
            node_of_site = 0 if group in first_of_site else node_of_site
            found.append(Start(device, node, domain, node_of_site))
            devices = devices_per_node(kind) * count
            device, node, node_of_site = device + devices, node + count, node_of_site + count
            domain += -(-devices // self.scale_ups[group].size)
        return tuple(found)

    def start(self, group: int) -> Start:
        """Return the numbers of the first device, node and scale-up domain of a group."""
        return self._starts[group]

    def first_node(self, site: int) -> int:
        """Return the number of the first node of a site."""
        return self._starts[self.sites[site].groups[0]].node

    def ports_of(self, group: int) -> Run | None:
        """Return the network adapters of a node of a group; None where no network is needed."""
        site = self.sites[self._site_of_group[group]]
        return site.wiring.ends.runs[site.groups.index(group)] if site.wiring is not None else None

    @cached_property
    def _site_of_group(self) -> tuple[int, ...]:
        return tuple(number for number, site in enumerate(self.sites) for _ in site.groups)

    def spot(self, device: int) -> Spot:
        """Return where a device stands; its number must be below :attr:`devices`."""
        assert 0 <= device < self.devices, f"no device {device} in a cluster of {self.devices}"
        group = max(number for number, start in enumerate(self._starts) if start.device <= device)
        first, node, domain, node_of_site = self._starts[group]
        inside = device - first
        along, slot = divmod(inside, devices_per_node(self.groups[group][0]))
        block, rank = divmod(inside, self.scale_ups[group].size)
        return Spot(
            device, group, node + along, slot, domain + block, rank, self._site_of_group[group], node_of_site + along
        )

    def bisection(self) -> float:
        """Return the least capacity in bytes/s per direction between two halves of the cluster.

        Halves are of devices inside one scale-up domain; of whole nodes in one site, over the network between them; of
        whole sites over a WAN: equal to within one of these.
        """
        if self.wan is not None:
            return min(self.wan.bisection(), sum(sorted(self.sent_by_sites())[: len(self.sites) // 2]))
        wiring = self.sites[0].wiring
        return wiring.bisection() if wiring is not None else self.scale_ups[0].whole.bisection()

    def sent_by_sites(self) -> tuple[float, ...]:
        """Return bytes/s that all nodes of each site can send out together, as far as the site's own network goes."""
        found = []
        for site in self.sites:
            nodes = sum(self.groups[group][2] for group in site.groups)
            found.append(site.wiring.levels()[-1].bandwidth * nodes if site.wiring is not None else math.inf)
        return tuple(found)

    def classes(self) -> tuple[PartClass, ...]:
        """Return all parts, identical ones folded, in a fixed order."""
        return tuple(self._devices_and_nodes()) + tuple(self._switches_and_links())

    def _devices_and_nodes(self) -> Iterator[PartClass]:
        for node, device, count in self.groups:
            yield PartClass("device", device.name, devices_per_node(node) * count)
            yield PartClass("node", node.name, count)

    def _switches_and_links(self) -> Iterator[PartClass]:
        for group, scale_up in enumerate(self.scale_ups):
            node, _, count = self.groups[group]
            full, rest = divmod(devices_per_node(node) * count, scale_up.size)
            yield from _parts(scale_up.whole, full, "")
            if rest:
                yield from _parts(scale_up.wiring(rest), 1, "")
        for site in self.sites:
            if site.wiring is not None:
                for group, run in zip(site.groups, site.wiring.ends.runs, strict=True):
                    nic = self.groups[group][0].nic or "network adapter"
                    yield PartClass("adapter", nic, run.count * run.ports, run.bandwidth / run.ports)
                yield from _parts(site.wiring, 1, f"{site.name}/" if len(self.sites) > 1 else "")
        if self.wan is not None:
            yield from _parts(self.wan, 1, "")

    def path(self, source: int, target: int, *, flow: int = 0) -> Path:
        """Return the links from one device to another, by the names of the graph, without unfolding anything.

        Args:
            source, target: numbers of devices.
            flow: number of the flow; with the two devices it decides by a fixed hash which of equal paths is taken.
        """
        from simulator.topology.paths import flow_hash, path_between

        return path_between(self, source, target, pick=flow_hash(source, target, flow))

    def graph(self) -> nx.Graph[str]:
        """Return every device, host, adapter, switch and link; see ``topology.graph`` for the attributes."""
        from simulator.topology.graph import graph_of

        return graph_of(self)


def _parts(wiring: Wiring, times: int, prefix: str) -> Iterator[PartClass]:
    for name, count in wiring.switches().items():
        yield PartClass("switch", prefix + name, count * times)
    for link in wiring.link_classes():
        if link.count:
            yield PartClass("link", prefix + link.name, link.count * times, link.capacity, link.latency)
