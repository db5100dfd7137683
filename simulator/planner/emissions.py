"""What the machines of a scenario emit, by the electricity that its prices name."""

from __future__ import annotations

from simulator.costs.carbon import grid_of
from simulator.costs.rent import power_w
from simulator.foundation.errors import InputError
from simulator.scenario import Scenario
from simulator.scenario.hardware import NodeGroup


def node_power_w(group: NodeGroup) -> float:
    """Return watts of one node at full load; raises :class:`InputError` where nobody gives them."""
    power = power_w(group.node, group.device)
    if power is None:
        name = group.node.name
        raise InputError(f"what {name} draws is not known; give the node or its device a power in your own file.")
    return power


def node_grams_per_s(scenario: Scenario, group: NodeGroup) -> float:
    """Return g CO2e/s of one node at full load; raises :class:`InputError` where a figure is not known."""
    wishes = scenario.prices
    grid = grid_of(scenario.catalogue, group.node, provider=wishes.provider, region=wishes.region, grid=wishes.grid,
                   intensity=wishes.carbon_g_per_j, pue=wishes.pue)  # fmt: skip
    return node_power_w(group) * grid.grams_per_joule
