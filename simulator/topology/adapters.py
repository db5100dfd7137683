"""The network ports of a node: how many, how fast, of which link; with what had to be assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simulator.foundation.errors import InputError
from simulator.profiles.link import Link
from simulator.profiles.node import Node
from simulator.topology.fabric import Fabric


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """The network adapters of one node.

    Attributes:
        count: adapters; 1 where only their bandwidth is known.
        bandwidth: bytes/s per direction of all together.
        link: profile of their link, if there is one.
        assumption: in words, what no source gives; empty if all is known.
    """

    count: int
    bandwidth: float
    link: Link | None
    assumption: str = ""


def adapters_of(node: Node, fabric: Fabric, links: Mapping[str, Link]) -> Adapters:
    """Return the adapters of a node; the fabric's own link is a limit to each of them.

    Where a node names the link of its adapters but not their number, each of its devices is taken to have one.

    Raises:
        InputError: neither the node nor a link gives a bandwidth.
    """
    link = fabric.link or (links.get(node.nic_link) if node.nic_link is not None else None)
    port = link.bandwidth if link is not None else None
    count, assumption = node.nic_count or 1, ""
    if node.nic_bandwidth is None and node.nic_count is None and node.device_count > 1:
        count = node.device_count
        assumption = f"{node.name}: no source gives the number of its network adapters; one for each device is assumed"
    known = [node.nic_bandwidth, port * count if port is not None and fabric.link is not None else None]
    if node.nic_bandwidth is None and port is not None:
        known.append(port * count)
    given = [bandwidth for bandwidth in known if bandwidth is not None]
    if not given:
        raise InputError(
            f"no source gives the network bandwidth of {node.name!r}; name a link for the fabric, as in 'ib-hdr', "
            "or add 'nic.bandwidth' to the node."
        )
    return Adapters(count=count, bandwidth=min(given), link=link, assumption=assumption)
