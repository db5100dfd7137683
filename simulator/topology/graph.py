"""The unfolded cluster: a networkx graph of every device, host, adapter, switch and link.

Vertices have ``kind`` (``device``, ``host``, ``nic``, ``switch``, ``gateway``) and ``label``; links have ``capacity``
(bytes/s per direction), ``latency`` (seconds, one way), ``weight`` and ``kind``. Both directions of a link have the
same capacity and don't disturb each other. The weight, by which routing compares paths, is the latency in whole
picoseconds and an extra cost for a bus: devices prefer scale-up links, and an adapter forwards nothing between devices
of its node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import networkx as nx

from simulator.foundation.units import PICO
from simulator.topology.latency import DEVICE_TO_ADAPTER, HOST_BUS
from simulator.topology.names import (
    adapter_name,
    device_name,
    fabric_name,
    gateway_name,
    host_name,
    scale_up_name,
)
from simulator.topology.scaleup import devices_per_node
from simulator.topology.wiring import Run, Vertex

if TYPE_CHECKING:
    from simulator.topology.cluster import Cluster


#: extra weight of links to hosts and to adapters, in picoseconds: more than any way over scale-up links takes
_HOST_COST: Final = 10**8
_ADAPTER_COST: Final = 2 * _HOST_COST
_COSTS: Final = {"host": _HOST_COST, "adapter": _ADAPTER_COST}


def graph_of(cluster: Cluster) -> nx.Graph[str]:
    """Return the graph of a cluster; vertices and links come in the order of their numbers."""
    graph: nx.Graph[str] = nx.Graph(name=cluster.name)
    for group in range(len(cluster.groups)):
        _add_nodes(graph, cluster, group)
        _add_scale_up(graph, cluster, group)
    for site in range(len(cluster.sites)):
        _add_network(graph, cluster, site)
    if cluster.wan is not None:
        _add_wan(graph, cluster)
    return graph


def join(graph: nx.Graph[str], one: str, other: str, capacity: float, latency: float, kind: str) -> None:
    """Add a link; parallel links between two vertices count as one of their summed capacity."""
    if graph.has_edge(one, other):
        graph.edges[one, other]["capacity"] += capacity
        return
    weight = round(latency / PICO) + _COSTS.get(kind, 0)
    graph.add_edge(one, other, capacity=capacity, latency=latency, weight=weight, kind=kind)


def adapters_of_slot(slot: int, devices: int, adapters: int) -> range:
    """Return the adapters that a device drives: its share of them, or the one it shares with its neighbours."""
    first = slot * adapters // devices
    return range(first, max((slot + 1) * adapters // devices, first + 1))


def _add_nodes(graph: nx.Graph[str], cluster: Cluster, group: int) -> None:
    node, device, count = cluster.groups[group]
    start, own, ports = cluster.start(group), devices_per_node(node), cluster.ports_of(group)
    limit = device.host_bandwidth
    if cluster.wan is not None and ports is None:  # the only way to the other sites
        limit = limit or cluster.wan.egress(cluster.spot(start.device).site)
    for number in range(start.node, start.node + count):
        first = start.device + (number - start.node) * own
        host = host_name(number)
        graph.add_node(host, kind="host", label=node.name)
        for slot in range(own):
            here = device_name(first + slot)
            graph.add_node(here, kind="device", label=device.name)
            if limit is not None and not cluster.scale_ups[group].over_host:
                join(graph, here, host, limit, HOST_BUS / 2, "host")
        if ports is not None:
            _add_adapters(
                graph, number, [device_name(first + slot) for slot in range(own)], ports, device.host_bandwidth
            )


def _add_adapters(graph: nx.Graph[str], node: int, devices: list[str], ports: Run, limit: float | None) -> None:
    one = ports.bandwidth / ports.ports
    for port in range(ports.ports):
        nic = adapter_name(node, port)
        graph.add_node(nic, kind="nic", label="nic")
        join(graph, host_name(node), nic, one, HOST_BUS / 2, "adapter")
    for slot, device in enumerate(devices):
        for port in adapters_of_slot(slot, len(devices), ports.ports):
            join(graph, device, adapter_name(node, port), limit or one, DEVICE_TO_ADAPTER, "adapter")


def _add_scale_up(graph: nx.Graph[str], cluster: Cluster, group: int) -> None:
    node, _, count = cluster.groups[group]
    inner, start = cluster.scale_ups[group], cluster.start(group)
    left, domain = devices_per_node(node) * count, start.domain
    while left > 0:
        wiring = inner.wiring(left)
        for hop in wiring.links():
            one, other = (scale_up_name(cluster, group, domain, end) for end in (hop.source, hop.target))
            for name in (one, other):
                if name not in graph:
                    graph.add_node(name, kind="switch", label=name.partition(":")[0])
            join(graph, one, other, hop.capacity, hop.latency, wiring.levels()[-1].name)
        left, domain = left - inner.size, domain + 1


def _add_network(graph: nx.Graph[str], cluster: Cluster, site: int) -> None:
    wiring = cluster.sites[site].wiring
    if wiring is None:
        return
    for hop in wiring.links():
        one, other = fabric_name(cluster, site, hop.source), fabric_name(cluster, site, hop.target)
        for name, vertex in ((one, hop.source), (other, hop.target)):
            if name not in graph:
                graph.add_node(name, kind="switch", label=vertex.kind)
        join(graph, one, other, hop.capacity, hop.latency, "network")


def _add_wan(graph: nx.Graph[str], cluster: Cluster) -> None:
    wan = cluster.wan
    assert wan is not None
    for site in range(len(cluster.sites)):
        graph.add_node(gateway_name(cluster, site), kind="gateway", label=cluster.sites[site].name)
        for gate in gates(cluster, site):
            join(graph, gate, gateway_name(cluster, site), wan.egress(site), HOST_BUS / 2, "gateway")
    for hop in wan.links():
        one, other = (gateway_name(cluster, end.domain) for end in (hop.source, hop.target))
        join(graph, one, other, hop.capacity, hop.latency, "wan")


def gates(cluster: Cluster, site: int) -> list[str]:
    """Return the vertices of a site that its gateway is joined to; its hosts where it has no network."""
    wiring = cluster.sites[site].wiring
    if wiring is None:
        first = cluster.first_node(site)
        nodes = sum(cluster.groups[group][2] for group in cluster.sites[site].groups)
        return [host_name(number) for number in range(first, first + nodes)]
    found: list[str] = []
    for gate in wiring.gates():
        ports = wiring.ends.of(gate.domain).ports if gate.kind == "end" else 1
        found += [
            fabric_name(cluster, site, Vertex(gate.kind, gate.domain, gate.number + port)) for port in range(ports)
        ]
    return found
