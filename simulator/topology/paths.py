"""The way from one device of a cluster to another, in closed form: nothing is unfolded."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from simulator.topology.graph import adapters_of_slot
from simulator.topology.latency import DEVICE_TO_ADAPTER, HOST_BUS
from simulator.topology.names import adapter_name, device_name, fabric_name, gateway_name, host_name, scale_up_name
from simulator.topology.scaleup import devices_per_node
from simulator.topology.wiring import Hop, Vertex, Wiring

if TYPE_CHECKING:
    from simulator.topology.cluster import Cluster, Spot

_HASH_BYTES: Final = 8


class Step(NamedTuple):
    """One link of a path, by the names of the graph; capacity in bytes/s per direction, latency in seconds."""

    source: str
    target: str
    capacity: float
    latency: float


Path = tuple[Step, ...]


def flow_hash(*parts: object) -> int:
    """Return a number that spreads flows evenly over equal paths, the same on every machine and in every run.

    >>> flow_hash("device:0", "device:8", 0) == flow_hash("device:0", "device:8", 0)
    True
    """
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=_HASH_BYTES).digest(), "big")


def path_between(cluster: Cluster, source: int, target: int, *, pick: int = 0) -> Path:
    """Return the links from one device to another; ``pick`` chooses among equal paths, always in the same way.

    Inside a scale-up domain over its links; else through the device's own adapter and the network. Where rails do not
    meet, the sender first hands over to the device of its domain that stands on the target's rail.
    """
    if source == target:
        return ()
    a, b = cluster.spot(source), cluster.spot(target)
    if a.domain == b.domain:
        return _inside(cluster, a, b, pick)
    if a.site != b.site:
        return _over_wan(cluster, a, b, pick)
    if a.node == b.node:
        return _over_host(cluster, a, b)
    return _over_network(cluster, a, b, pick)


def _inside(cluster: Cluster, a: Spot, b: Spot, pick: int) -> Path:
    inner, start = cluster.scale_ups[a.group], cluster.start(a.group)
    node, _, count = cluster.groups[a.group]
    left = devices_per_node(node) * count - (a.domain - start.domain) * inner.size
    hops = inner.wiring(left).route(Vertex("end", a.rank, 0), Vertex("end", b.rank, 0), pick)
    return tuple(
        Step(
            scale_up_name(cluster, a.group, a.domain, hop.source),
            scale_up_name(cluster, a.group, a.domain, hop.target),
            hop.capacity,
            hop.latency,
        )
        for hop in hops
    )


def _over_host(cluster: Cluster, a: Spot, b: Spot) -> Path:
    """Return the way over the host's bus, between scale-up domains of one node."""
    limit = cluster.groups[a.group][1].host_bandwidth
    assert limit is not None, "devices of one node without a link between them"
    host = host_name(a.node)
    return (
        Step(device_name(a.device), host, limit, HOST_BUS / 2),
        Step(host, device_name(b.device), limit, HOST_BUS / 2),
    )


def _over_network(cluster: Cluster, a: Spot, b: Spot, pick: int) -> Path:
    wiring = cluster.sites[a.site].wiring
    assert wiring is not None, "nodes of one site without a network between them"
    out, into = _port(cluster, a, pick), _port(cluster, b, pick)
    if not wiring.joins_planes() and wiring.plane(out) != wiring.plane(into):
        helper = _on_rail(cluster, a, into, wiring)
        return path_between(cluster, a.device, helper, pick=pick) + path_between(cluster, helper, b.device, pick=pick)
    middle = _named(cluster, a.site, wiring.route(out, into, pick))
    return (_to_adapter(cluster, a, out), *middle, _turned(_to_adapter(cluster, b, into)))


def _on_rail(cluster: Cluster, a: Spot, into: Vertex, wiring: Wiring) -> int:
    """Return the device of the same node that stands on the rail of ``into``."""
    own = devices_per_node(cluster.groups[a.group][0])
    first = a.device - a.slot
    return next(
        first + slot
        for slot in range(own)
        if wiring.plane(_port(cluster, cluster.spot(first + slot), 0)) == wiring.plane(into)
    )


def _over_wan(cluster: Cluster, a: Spot, b: Spot, pick: int) -> Path:
    wan = cluster.wan
    assert wan is not None
    hops = wan.route(Vertex("end", a.site, 0), Vertex("end", b.site, 0), pick)
    between = tuple(
        Step(
            gateway_name(cluster, hop.source.domain),
            gateway_name(cluster, hop.target.domain),
            hop.capacity,
            hop.latency,
        )
        for hop in hops
    )
    back = tuple(_turned(step) for step in reversed(_to_gateway(cluster, b, pick)))
    return _to_gateway(cluster, a, pick) + between + back


def _to_gateway(cluster: Cluster, spot: Spot, pick: int) -> Path:
    assert cluster.wan is not None
    wiring, egress = cluster.sites[spot.site].wiring, cluster.wan.egress(spot.site)
    gateway = gateway_name(cluster, spot.site)
    if wiring is None:
        limit = cluster.groups[spot.group][1].host_bandwidth or egress
        host = host_name(spot.node)
        return (Step(device_name(spot.device), host, limit, HOST_BUS / 2), Step(host, gateway, egress, HOST_BUS / 2))
    out = _port(cluster, spot, pick)
    way = (_to_adapter(cluster, spot, out), *_named(cluster, spot.site, wiring.way_out(out, pick)))
    return (*way, Step(way[-1].target, gateway, egress, HOST_BUS / 2))


def _port(cluster: Cluster, spot: Spot, pick: int) -> Vertex:
    """Return the adapter that a device sends through, one of its own."""
    ports = cluster.ports_of(spot.group)
    assert ports is not None
    own = adapters_of_slot(spot.slot, devices_per_node(cluster.groups[spot.group][0]), ports.ports)
    return Vertex("end", spot.node_of_site, own[pick % len(own)])


def _to_adapter(cluster: Cluster, spot: Spot, port: Vertex) -> Step:
    ports = cluster.ports_of(spot.group)
    assert ports is not None
    limit = cluster.groups[spot.group][1].host_bandwidth or ports.bandwidth / ports.ports
    return Step(device_name(spot.device), adapter_name(spot.node, port.number), limit, DEVICE_TO_ADAPTER)


def _named(cluster: Cluster, site: int, hops: tuple[Hop, ...]) -> Path:
    return tuple(
        Step(fabric_name(cluster, site, hop.source), fabric_name(cluster, site, hop.target), hop.capacity, hop.latency)
        for hop in hops
    )


def _turned(step: Step) -> Step:
    return Step(step.target, step.source, step.capacity, step.latency)
