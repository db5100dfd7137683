"""The space of deployments: machines, layouts, formats and batch limits of one service.

A *deployment* is a machine and how its replicas are set; how
many nodes of it are taken is found by the search. Every node is filled with replicas; a replica stays within one node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final

from simulator.costs.serving.layers import Layout
from simulator.costs.serving.numerics import FORMATS
from simulator.foundation.errors import UnknownName
from simulator.planner.machines import Machine
from simulator.scenario import Scenario
from simulator.scenario.serve import ServeWorkload
from simulator.topology import Fabric, build_cluster

#: batch limits tried where they are not chosen: powers of two around the engines' own (256 sequences, 8192 tokens)
SEQUENCES: Final = (16, 32, 64, 128, 256)
TOKENS: Final = (512, 2048, 8192)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """How every replica on a machine is set; ``prefill`` of each node compute prompts only and the others decode.

    With 0 every replica does both.
    """

    machine: Machine
    layout: Layout
    precision: str
    max_num_seqs: int
    max_num_batched_tokens: int
    prefill: int = 0

    @property
    def replicas_per_node(self) -> int:
        """Replicas that fill one node."""
        return self.machine.node.device_count // self.layout.devices

    @property
    def family(self) -> tuple[str, Layout, str, int]:
        """What makes two deployments differ by more than their batch limits."""
        return self.machine.node.name, self.layout, self.precision, self.prefill

    @property
    def known_by(self) -> dict[str, Any]:
        """Everything that tells it from another deployment of a service, as plain data."""
        return {
            "node": self.machine.node.name,
            "tp": self.layout.tp,
            "pp": self.layout.pp,
            "ep": self.layout.ep,
            "dp_attention": self.layout.dp_attention,
            "precision": self.precision,
            "max_num_seqs": self.max_num_seqs,
            "max_num_batched_tokens": self.max_num_batched_tokens,
            "prefill": self.prefill,
        }

    def workload(self, asked: ServeWorkload, nodes: int = 1) -> ServeWorkload:
        """Return the service as it would be deployed on so many nodes."""
        engine = asked.engine.model_copy(
            update={"max_num_seqs": self.max_num_seqs, "max_num_batched_tokens": self.max_num_batched_tokens}
        )
        prefill = self.prefill * nodes or None
        return replace(asked, layout=self.layout, precision=self.precision, engine=engine, count=None, prefill=prefill)

    def scenario(self, asked: Scenario, nodes: int) -> Scenario:
        """Return the scenario on so many of the machines.

        A replica stays within a node and hands nothing on, so the wiring is that of one node, whose adapters may be
        unknown. Where prompts are handed on, any replica may be meant, so that two nodes are wired.
        """
        group, wired = replace(self.machine.group, count=nodes), 2 if self.prefill else 1
        cluster = build_cluster(nodes=[(group.node, group.device, wired)], fabric=Fabric(), links=asked.catalogue.links)
        return replace(asked, groups=(group,), cluster=cluster)


def deployments_of(workload: ServeWorkload, machine: Machine, choices: Mapping[str, Any]) -> Iterator[Deployment]:
    """Yield every deployment on a machine; what is not chosen is tried over its usual values.

    TP takes powers of two that fit a node and divide heads and feed-forward width; PP, EP and the format stay the
    scenario's unless chosen, and every replica computes prompts and decodes.

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
    ways = product(widths, choices.get("pp", (asked.pp,)), choices.get("ep", (asked.ep,)), formats, sequences, tokens,
                   choices.get("prefill", (0,)))  # fmt: skip
    for tp, pp, ep, precision, seqs, budget, prefill in ways:
        layout = Layout(tp=tp, pp=pp, ep=ep, dp_attention=asked.dp_attention)
        if layout.devices <= inside and _divides(workload, layout) and prefill < inside // layout.devices:
            yield Deployment(machine=machine, layout=layout, precision=precision, max_num_seqs=seqs,
                             max_num_batched_tokens=budget, prefill=prefill)  # fmt: skip


def _given(value: int | None) -> tuple[int, ...]:
    return () if value is None else (value,)


def _divides(workload: ServeWorkload, layout: Layout) -> bool:
    model, tp = workload.model, layout.tp
    shared = model.kv_heads % tp == 0 or tp % model.kv_heads == 0
    experts = model.experts.count if model.experts else 1
    spread = experts % layout.ep == 0 and layout.ep <= tp * layout.dp_attention
    return model.heads % tp == 0 and shared and model.ffn % tp == 0 and spread
