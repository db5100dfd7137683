"""Names of vertices in a cluster: ``device:17``, ``host:2``, ``nic:2.1``, ``leaf:0.3``, ``north/spine:0.1``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.topology.wiring import Vertex

if TYPE_CHECKING:
    from simulator.topology.cluster import Cluster


def device_name(device: int) -> str:
    """Return the name of a device by its number in the cluster."""
    return f"device:{device}"


def host_name(node: int) -> str:
    """Return the name of the host of a node."""
    return f"host:{node}"


def adapter_name(node: int, port: int) -> str:
    """Return the name of a network adapter."""
    return f"nic:{node}.{port}"


def gateway_name(cluster: Cluster, site: int) -> str:
    """Return the name of what joins a site to the WAN."""
    return f"{cluster.sites[site].name}/gateway"


def scale_up_name(cluster: Cluster, group: int, domain: int, vertex: Vertex) -> str:
    """Return the name of a vertex of the wiring inside scale-up domain ``domain`` (counted in the cluster)."""
    start = cluster.start(group)
    inner = cluster.scale_ups[group]
    if vertex.kind == "end":
        return device_name(start.device + (domain - start.domain) * inner.size + vertex.domain)
    if inner.over_host and vertex.kind == inner.whole.levels()[-1].name:
        return host_name(start.node + domain - start.domain)  # the root of a PCIe tree
    return f"{vertex.kind}-switch:{domain}.{vertex.domain}.{vertex.number}".replace("switch-switch", "switch")


def fabric_name(cluster: Cluster, site: int, vertex: Vertex) -> str:
    """Return the name of a vertex of the network of a site."""
    if vertex.kind == "end":
        return adapter_name(cluster.first_node(site) + vertex.domain, vertex.number)
    prefix = f"{cluster.sites[site].name}/" if len(cluster.sites) > 1 else ""
    return f"{prefix}{vertex.kind}:{vertex.domain}.{vertex.number}"
