"""The network as one device sees it: from wirings of devices, nodes and sites to nested tiers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from simulator.profiles.device import Device
from simulator.profiles.node import Node
from simulator.topology.adapters import Adapters
from simulator.topology.cluster import NodeGroup, Site
from simulator.topology.latency import DEVICE_TO_ADAPTER, HOST_BUS
from simulator.topology.scaleup import ScaleUp, devices_per_node
from simulator.topology.shapes.sites import Sites
from simulator.topology.tiers import Tier


def tiers_seen(
    group: int,
    groups: tuple[NodeGroup, ...],
    scale_up: ScaleUp,
    ports: tuple[Adapters | None, ...],
    sites: tuple[Site, ...],
    wan: Sites | None,
) -> tuple[Tier, ...]:
    """Return the tiers that the devices of one group see, innermost first.

    A tier that adds no device to the one further in is left out (a lone device keeps its own). Spans nest: where the
    domain of a switch is no whole number of scale-up domains, it is counted as the whole ones in it.
    """
    node, device, _ = groups[group]
    number, site = next((number, site) for number, site in enumerate(sites) if group in site.groups)
    here = sum(devices_per_node(groups[one][0]) * groups[one][2] for one in site.groups)
    found: list[Tier] = []
    port = ports[group]
    between = _between_nodes(node, device, site, here, port) if port is not None else iter(())
    for tier in (*_inside(node, device, scale_up), *between):
        reached = found[-1].span if found else 1
        span = tier.span if tier.span >= here else tier.span // reached * reached
        if span > reached or here == 1:
            found.append(replace(tier, span=span))
    if wan is not None:
        total = sum(devices_per_node(kind) * count for kind, _, count in groups)
        found.append(_over_wan(found[-1], number, site, here, total, wan))
    return tuple(found)


def _over_wan(last: Tier, number: int, site: Site, here: int, total: int, wan: Sites) -> Tier:
    """Return the tier between sites: the egress of a site is shared by its devices, and their network is a limit."""
    share, port = wan.egress(number) / here, wan.egress(number)
    if site.wiring is not None:
        share, port = min(share, last.bandwidth), min(port, last.port_bandwidth)
    return Tier(
        name="wan",
        span=total,
        bandwidth=share,
        port_bandwidth=port,
        latency=wan.levels()[0].latency + last.latency,
        shape="sites",
    )


def _inside(node: Node, device: Device, inner: ScaleUp) -> Iterator[Tier]:
    level = inner.whole.levels()[-1]
    yield Tier(
        name=level.name,
        span=level.span,
        bandwidth=level.bandwidth,
        port_bandwidth=level.port,
        latency=level.latency,
        pair_limit=inner.whole.pair_limit,
        uniform_limit=inner.whole.uniform_limit(),
        shape=inner.whole.shape,
        torus=inner.whole.torus,
        link=inner.link,
    )
    own = devices_per_node(node)
    if inner.size < own and device.host_bandwidth is not None:  # bridged pairs, say, meet over the host
        bandwidth = min(device.host_bandwidth, level.bandwidth)
        yield Tier(
            name="pcie",
            span=own,
            bandwidth=bandwidth,
            port_bandwidth=bandwidth,
            latency=HOST_BUS,
            shape="pcie-tree",
            link=device.host_link or "",
        )


def _between_nodes(node: Node, device: Device, site: Site, here: int, ports: Adapters) -> Iterator[Tier]:
    """Yield the levels of the network of a site: a device has its share of the adapters; alone, its own ones."""
    wiring = site.wiring
    assert wiring is not None
    own, limit = devices_per_node(node), device.host_bandwidth or math.inf
    alone = ports.bandwidth / ports.count * max(1, ports.count // own)  # the adapters that one device drives
    levels, pair, uniform = wiring.levels(ports.bandwidth), wiring.pair_limit, wiring.uniform_limit()
    for level in levels:
        share = min(level.bandwidth, ports.bandwidth) / own
        yield Tier(
            name=level.name,
            span=here if level is levels[-1] else level.span * own,
            bandwidth=min(share, limit),
            port_bandwidth=min(max(share, min(alone, level.port)), limit),
            latency=level.latency + 2 * DEVICE_TO_ADAPTER,
            pair_limit=pair if pair is not None and pair < alone else None,
            uniform_limit=uniform / own if uniform is not None and uniform < level.bandwidth else None,
            shape=wiring.shape,
            link=ports.link.name if ports.link is not None else "",
        )


def slowest(group_tiers: tuple[tuple[Tier, ...], ...]) -> tuple[Tier, ...]:
    """Return the tiers of the only kind of group, or per name the least of all groups that have it.

    A mixed cluster is as fast as its slowest group at each tier; spans are the smallest, except for the last tier,
    which holds all devices.
    """
    if len(set(group_tiers)) == 1:
        return group_tiers[0]
    by_name: dict[str, list[Tier]] = {}
    for tiers in group_tiers:
        for tier in tiers:
            by_name.setdefault(tier.name, []).append(tier)
    found = [_least(tiers) for tiers in by_name.values()]
    last = max(tiers[-1].span for tiers in group_tiers)
    return tuple(sorted(found, key=lambda tier: (tier.span == last, tier.span, -tier.bandwidth)))


def _least(tiers: list[Tier]) -> Tier:
    least = min(tiers, key=lambda tier: tier.bandwidth)
    limits = [tier.pair_limit for tier in tiers if tier.pair_limit is not None]
    uniform = [tier.uniform_limit for tier in tiers if tier.uniform_limit is not None]
    return Tier(
        name=least.name,
        span=min(tier.span for tier in tiers),
        bandwidth=least.bandwidth,
        port_bandwidth=min(tier.port_bandwidth for tier in tiers),
        latency=max(tier.latency for tier in tiers),
        pair_limit=min(limits, default=None),
        uniform_limit=min(uniform, default=None),
        shape=least.shape,
        torus=least.torus if len({tier.torus for tier in tiers}) == 1 else None,
        link=least.link,
    )
