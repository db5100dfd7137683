"""From parts and a user's words to a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from simulator.foundation.errors import InputError
from simulator.profiles.link import Link
from simulator.topology.adapters import Adapters, adapters_of
from simulator.topology.cluster import Cluster, NodeGroup, Site
from simulator.topology.fabric import Fabric
from simulator.topology.latency import adapter_latency, switch_latency
from simulator.topology.scaleup import ScaleUp, devices_per_node, scale_up
from simulator.topology.seen import slowest, tiers_seen
from simulator.topology.shapes import SHAPES
from simulator.topology.shapes.sites import Sites
from simulator.topology.wiring import Ends, Run

NO_LINKS: Final[Mapping[str, Link]] = MappingProxyType({})


def build_cluster(
    *, nodes: Sequence[NodeGroup], fabric: Fabric, links: Mapping[str, Link] = NO_LINKS, name: str = ""
) -> Cluster:
    """Return the cluster of some groups of nodes, joined by a fabric.

    Args:
        nodes: (node, its device, number of nodes) per group; devices are numbered in this order, the groups of one site
            together in order of the site's first mention.
        fabric: shape and parameters of the network between nodes, sites and WAN links.
        links: profiles by name, for latencies and shapes of the scale-up domains; ``catalogue.links``.
        name: for people; by default the groups in words.

    Raises:
        InputError: no nodes, a figure that no source gives, or parameters that a shape refuses.
        UnknownName: no such shape.
        Infeasible: the switches do not hold the nodes.
    """
    groups, names = _by_site(nodes, fabric)
    scale_ups = tuple(scale_up(node, device, count, fabric, links) for node, device, count in groups)
    needs = [_needs_network(site, groups, names, scale_ups) for site in names]
    ports = tuple(
        adapters_of(group[0], fabric, links) if needed else None for group, needed in zip(groups, needs, strict=True)
    )
    sites = tuple(_site(site, groups, names, ports, fabric) for site in dict.fromkeys(names))
    wan = _wan(sites, fabric)
    group_tiers = tuple(tiers_seen(group, groups, scale_ups[group], ports, sites, wan) for group in range(len(groups)))
    return Cluster(
        name=name or " + ".join(f"{count} x {node.name}" for node, _, count in groups),
        groups=groups,
        fabric=fabric,
        tiers=slowest(group_tiers),
        group_tiers=group_tiers,
        scale_ups=scale_ups,
        sites=sites,
        wan=wan,
        assumptions=tuple(dict.fromkeys(one.assumption for one in ports if one is not None and one.assumption)),
    )


def _by_site(nodes: Sequence[NodeGroup], fabric: Fabric) -> tuple[tuple[NodeGroup, ...], tuple[str, ...]]:
    """Return the groups and their sites, those of one site together."""
    if not nodes:
        raise InputError("a cluster needs at least one group of nodes.")
    for node, _, count in nodes:
        if count < 1:
            raise InputError(f"{count} nodes of {node.name!r}; at least 1 is needed.")
    names = fabric.sites or ("site",) * len(nodes)
    if len(names) != len(nodes):
        raise InputError(f"{len(names)} sites for {len(nodes)} groups of nodes; give one site for each group.")
    order = [index for site in dict.fromkeys(names) for index, name in enumerate(names) if name == site]
    return tuple(nodes[index] for index in order), tuple(names[index] for index in order)


def _needs_network(
    site: str, groups: tuple[NodeGroup, ...], names: tuple[str, ...], scale_ups: tuple[ScaleUp, ...]
) -> bool:
    """Return whether a site has more than one node that no single scale-up domain holds."""
    numbers = [group for group, name in enumerate(names) if name == site]
    devices = sum(devices_per_node(groups[group][0]) * groups[group][2] for group in numbers)
    if len(numbers) > 1:
        return True
    return groups[numbers[0]][2] > 1 and scale_ups[numbers[0]].size < devices


def _site(
    name: str, groups: tuple[NodeGroup, ...], names: tuple[str, ...], ports: tuple[Adapters | None, ...], fabric: Fabric
) -> Site:
    numbers = tuple(group for group, site in enumerate(names) if site == name)
    found = [(groups[group], port) for group in numbers if (port := ports[group]) is not None]
    if not found:
        return Site(name=name, groups=numbers, wiring=None)
    ends = Ends(
        runs=tuple(Run(group[2], port.bandwidth, port.count) for group, port in found),
        latency=max(adapter_latency(port.link) for _, port in found),
        switch_latency=max(switch_latency(port.link, group[0].nic) for group, port in found),
    )
    return Site(name=name, groups=numbers, wiring=SHAPES[fabric.shape](ends, fabric))


def _wan(sites: tuple[Site, ...], fabric: Fabric) -> Sites | None:
    if len(sites) < 2:
        return None
    fastest = max((link.throughput for link in fabric.wan), default=1.0)
    latency = max((link.latency for link in fabric.wan), default=0.0)
    wiring = SHAPES["sites"](Ends(runs=(Run(len(sites), fastest, 1),), latency=latency), fabric)
    assert isinstance(wiring, Sites)
    return wiring
