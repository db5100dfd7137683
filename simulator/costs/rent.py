"""What a machine costs and draws while it runs: rent per node, and power."""

from __future__ import annotations

from simulator.profiles.catalogue import Catalogue
from simulator.profiles.device import Device
from simulator.profiles.node import Node

#: kind of price -> its figure in an offer
_FIGURES = {
    "on-demand": "on_demand_usd_per_s",
    "spot": "spot_usd_per_s",
    "reserved-1y": "reserved_1y_usd_per_s",
    "reserved-3y": "reserved_3y_usd_per_s",
}


def rent_usd_per_s(
    catalogue: Catalogue, node: Node, kind: str, *, provider: str | None = None, region: str | None = None
) -> float | None:
    """Return what one node costs per second by the catalogue; None where no offer has such a price.

    Args:
        kind: ``on-demand``, ``spot``, ``reserved-1y`` or ``reserved-3y``.
        provider, region: of the offer; the first one where they are not named.

    Raises:
        InputError: the node has prices, but none of that provider and region.
    """
    if node.name not in catalogue.prices:
        return None
    offer = catalogue.prices[node.name].offer(provider=provider, region=region)
    rate: float | None = getattr(offer, _FIGURES[kind])
    return rate


def power_w(node: Node, device: Device) -> float | None:
    """Return watts of a node at full load: its own figure, else that of its devices together; None if unknown."""
    if node.power_w is not None:
        return node.power_w
    return None if device.tdp_w is None else device.tdp_w * node.device_count
