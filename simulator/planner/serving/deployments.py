"""The space of deployments: machines, layouts, formats and batch limits of one service.

A *machine* is a kind of node that can be had, at a price. A *deployment* is a machine and how its replicas are set; how
many nodes of it are taken is found by the search. Every node is filled with replicas; a replica stays within one node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final

from simulator.costs.rent import power_w, rent_usd_per_s
from simulator.costs.serving.layers import Layout
from simulator.costs.serving.numerics import FORMATS
from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.units import HOUR
from simulator.profiles.device import Device
from simulator.profiles.node import Node
from simulator.scenario import Scenario
from simulator.scenario.hardware import NodeGroup
from simulator.scenario.serve import ServeWorkload
from simulator.topology import Fabric, build_cluster

#: nodes tried of a machine of the catalogue, unless ``plan.choices.count`` says how many
MOST_NODES: Final = 64
#: batch limits tried where they are not chosen: powers of two around the engines' own (256 sequences, 8192 tokens)
SEQUENCES: Final = (16, 32, 64, 128, 256)
TOKENS: Final = (512, 2048, 8192)

#: what one node costs, by objective
UNITS: Final = {"cost": "USD/h", "energy": "W"}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """How every replica on a machine is set."""

    machine: Machine
    layout: Layout
    precision: str
    max_num_seqs: int
    max_num_batched_tokens: int

    @property
    def replicas_per_node(self) -> int:
        """Replicas that fill one node."""
        return self.machine.node.device_count // self.layout.devices

    @property
    def family(self) -> tuple[str, Layout, str]:
        """What makes two deployments differ by more than their batch limits."""
        return self.machine.node.name, self.layout, self.precision

    def workload(self, asked: ServeWorkload) -> ServeWorkload:
        """Return the service as it would be deployed."""
        engine = asked.engine.model_copy(
            update={"max_num_seqs": self.max_num_seqs, "max_num_batched_tokens": self.max_num_batched_tokens}
        )
        return replace(asked, layout=self.layout, precision=self.precision, engine=engine, count=None)

    def scenario(self, asked: Scenario, nodes: int) -> Scenario:
        """Return the scenario on so many of the machines.

        A replica stays within a node and hands nothing on, so the wiring is that of one node, whose adapters may be
        unknown.
        """
        group = replace(self.machine.group, count=nodes)
        cluster = build_cluster(nodes=[(group.node, group.device, 1)], fabric=Fabric(), links=asked.catalogue.links)
        return replace(asked, groups=(group,), cluster=cluster)


def machines_of(scenario: Scenario, objective: str) -> tuple[Machine, ...]:
    """Return what may be taken: ``plan.choices.nodes``, or the machines of the cluster, as many as it has of each.

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
                    counts=counts or tuple(range(1, group.count + 1)))
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
                counts=counts or tuple(range(1, MOST_NODES + 1)))
        for group in groups
    )  # fmt: skip


def _price(scenario: Scenario, group: NodeGroup, objective: str) -> float:
    """Return what one node costs: USD/h of rent, or W at full load."""
    name, wishes = group.node.name, scenario.prices
    if objective == "energy":
        power = power_w(group.node, group.device)
        if power is None:
            raise InputError(f"what {name} draws is not known; give the node or its device a power in your own file.")
        return power
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


def deployments_of(workload: ServeWorkload, machine: Machine, choices: Mapping[str, Any]) -> Iterator[Deployment]:
    """Yield every deployment on a machine; what is not chosen is tried over its usual values.

    TP takes powers of two that fit a node and divide heads and feed-forward width; PP, EP and the format stay the
    scenario's unless chosen.

    Raises:
        UnknownName: a number format that is not known.
    """
    inside, asked = machine.node.device_count, workload.layout
    formats = [str(name) for name in choices.get("precision", (workload.precision,))]
    for name in formats:
        if name not in FORMATS:
            raise UnknownName("number format", name, FORMATS)
    widths = choices.get("tp") or [2**power for power in range(inside.bit_length())]
    sequences = choices.get("max_num_seqs") or sorted({*SEQUENCES, *_given(workload.engine.max_num_seqs)})
    tokens = choices.get("max_num_batched_tokens") or sorted({*TOKENS, *_given(workload.engine.max_num_batched_tokens)})
    ways = product(widths, choices.get("pp", (asked.pp,)), choices.get("ep", (asked.ep,)), formats, sequences, tokens)
    for tp, pp, ep, precision, seqs, budget in ways:
        layout = Layout(tp=tp, pp=pp, ep=ep, dp_attention=asked.dp_attention)
        if layout.devices <= inside and _divides(workload, layout):
            yield Deployment(machine=machine, layout=layout, precision=precision, max_num_seqs=seqs,
                             max_num_batched_tokens=budget)  # fmt: skip


def _given(value: int | None) -> tuple[int, ...]:
    return () if value is None else (value,)


def _divides(workload: ServeWorkload, layout: Layout) -> bool:
    model, tp = workload.model, layout.tp
    shared = model.kv_heads % tp == 0 or tp % model.kv_heads == 0
    experts = model.experts.count if model.experts else 1
    spread = experts % layout.ep == 0 and layout.ep <= tp * layout.dp_attention
    return model.heads % tp == 0 and shared and model.ffn % tp == 0 and spread
