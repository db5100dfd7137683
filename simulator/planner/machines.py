"""The machines that a plan may take: kinds of node at a price, and how many of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from simulator.costs.rent import rent_usd_per_s
from simulator.foundation.errors import InputError
from simulator.foundation.units import HOUR
from simulator.planner.emissions import node_grams_per_s, node_power_w
from simulator.profiles.device import Device
from simulator.profiles.node import Node
from simulator.scenario import Scenario
from simulator.scenario.hardware import NodeGroup

#: nodes tried of a machine of the catalogue, unless ``plan.choices.count`` says how many
MOST_NODES: Final = 64
#: the same for training, where they double from one try to the next
MOST_TRAINED: Final = 512

#: what one node costs, by objective
UNITS: Final = {"cost": "USD/h", "energy": "W", "carbon": "g CO2e/h"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Machine:
    """A kind of node that may be taken; ``price`` of one in the objective's unit, ``counts`` ascending.

    Two machines of one name are two offers, so machines are equal only if they are the same.
    """

    group: NodeGroup
    price: float
    counts: tuple[int, ...]

    @property
    def node(self) -> Node:
        """The hardware."""
        return self.group.node

    @property
    def device(self) -> Device:
        """What computes in it."""
        return self.group.device


def machines_of(scenario: Scenario, objective: str, *, doubling: bool = False) -> tuple[Machine, ...]:
    """Return what may be taken: ``plan.choices.nodes``, or the machines of the cluster, as many as it has of each.

    ``doubling``: where no count is chosen, powers of two and the most there are, instead of every number up to it.

    Raises:
        UnknownName: a node that the catalogue does not carry.
        InputError: a node without devices, or whose price or power nobody gives.
    """
    chosen = scenario.plan.choices
    counts = tuple(sorted({int(count) for count in chosen.get("count", ())}))
    owned: dict[str, NodeGroup] = {}
    for group in scenario.groups:
        held = owned.get(group.node.name)
        owned[group.node.name] = group if held is None else replace(held, count=held.count + group.count)
    if "nodes" not in chosen:
        return tuple(
            Machine(group=group, price=_price(scenario, group, objective),
                    counts=counts or _up_to(group.count, doubling))
            for group in owned.values()
        )  # fmt: skip
    groups = []
    for name in dict.fromkeys(str(name) for name in chosen["nodes"]):
        node = scenario.catalogue.nodes[name]
        if node.device is None or not node.device_count:
            raise InputError(f"plan.choices.nodes: {node.name} holds no device that computes; name another node.")
        device = scenario.catalogue.devices[node.device]
        bought = NodeGroup(node=node, device=device, count=1, site="site", price_kind=None, usd_per_s=None)
        groups.append(owned.get(node.name, bought))
    return tuple(
        Machine(group=group, price=_price(scenario, group, objective),
                counts=counts or _up_to(MOST_TRAINED if doubling else MOST_NODES, doubling))
        for group in groups
    )  # fmt: skip


def _up_to(most: int, doubling: bool) -> tuple[int, ...]:
    return tuple(sorted({2**k for k in range(most.bit_length())} | {most})) if doubling else tuple(range(1, most + 1))


def _price(scenario: Scenario, group: NodeGroup, objective: str) -> float:
    """Return what one node costs: USD/h of rent, W at full load, or the g CO2e/h of them."""
    name, wishes = group.node.name, scenario.prices
    if objective == "energy":
        return node_power_w(group)
    if objective == "carbon":
        return node_grams_per_s(scenario, group) * HOUR
    rent = group.usd_per_s
    if rent is None:
        rent = rent_usd_per_s(scenario.catalogue, group.node, group.price_kind or wishes.kind,
                              provider=wishes.provider, region=wishes.region)  # fmt: skip
    if rent is None:
        raise InputError(
            f"what {name} costs is not known; list it under cluster.nodes with price.rate, as in '12 USD/h', or leave "
            "it out of plan.choices.nodes."
        )
    return rent * HOUR
