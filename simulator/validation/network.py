"""Predicts measured collectives, point-to-point transfers and expert exchanges.

A row says how many ranks ran on how many nodes of which kind; :func:`question_of` lays them on the tiers of that
machine, and the closed forms of ``costs.collectives`` answer. Nothing here looks at the measured value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from simulator.costs.collectives import Cost, Fabric, FabricTable, Reach, collective_cost, load_fabrics, reach
from simulator.costs.collectives.experts import Direction, ExpertCost, Mode, Routing, expert_exchange
from simulator.costs.collectives.reach import Array
from simulator.foundation.errors import InputError
from simulator.foundation.units import BITS_PER_BYTE, GIGA, MICRO
from simulator.profiles.catalogue import Catalogue
from simulator.profiles.device import Device
from simulator.topology.tiers import Tier
from simulator.validation.prediction import Label, Prediction

_OPERATIONS: Final = {
    "all_reduce": "all-reduce",
    "all_gather": "all-gather",
    "reduce_scatter": "reduce-scatter",
    "alltoall": "all-to-all",
    "broadcast": "broadcast",
    "reduce": "reduce",
    "send_recv": "send-recv",
}
#: what the text of a link says about it, tried in order -> class of fabric
_WIRES: Final = (
    ("NVLink pairs", "host-staged"),  # the pair measured exchanged 4 GB/s: through the host, not the bridge
    ("NVLink bridge", "nvlink-bridge"),
    ("NVLink3 bridge", "nvlink3"),
    ("PCIe (", "pcie"),
)
#: servers whose devices reach each other through host memory beyond a pair
_HOST_COPIES: Final = frozenset({"oem-8x-l40s-pcie"})
_NETWORKS: Final = (
    ("sockets", "tcp"),
    ("EFA", "efa"),
    ("ConnectX", "roce"),
    ("IB", "infiniband"),
    ("HDR", "infiniband"),
)
_RATE: Final = re.compile(r"(?:(\d+)\s*x\s*)?(\d+(?:\.\d+)?)\s*Gb/s")
_ENGINES: Final = (("TRTLLM", "trtllm"), ("vLLM", "vllm"))
_GROUPS: Final = re.compile(r"top-(\d+) groups")
#: adapters of a node whose rate is not stated: one of this rate per device of the generation (assumed)
_ASSUMED_NIC: Final = {"nvlink3": 25 * GIGA, "nvlink4": 50 * GIGA, "nvlink5": 50 * GIGA}
_DEFAULT_NIC: Final = 50 * GIGA
_FP8_SCALE: Final = 4 / 128  # one fp32 scale for every 128 values


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One row, laid on its machine: what is asked of the closed forms, and whether a rate had to be assumed."""

    over: Reach
    operation: str
    size: float
    algorithm: str | None = None
    protocol: str | None = None
    engine: str | None = None
    assumed: bool = False


def predict_network_row(
    row: Mapping[str, str], catalogue: Catalogue, *, constants: FabricTable | None = None
) -> Prediction:
    """Return the prediction for one row of ``network.csv``; ``constants`` replaces the shipped classes of fabric."""
    table = constants or load_fabrics()
    if row["op"].startswith("moe_"):
        return _predict_experts(row, catalogue, table)
    if row["op"] not in _OPERATIONS:
        return Prediction.missing(f"the operation {row['op']!r} is no collective that is modelled.")
    asked = question_of(row, catalogue, table)
    cost = cost_of(asked, asked.size, table)
    label: Label = "assumed" if asked.assumed or _is_assumed(asked.over) else "calibrated"
    if row["metric"] == "busbw_GBps":
        return Prediction(float(cost.bus_bandwidth) / GIGA, label, "")
    return Prediction(float(cost.time) / MICRO, label, "")


def operation_of(row: Mapping[str, str]) -> str:
    """Return the name of a row's collective in ``costs.collectives``; empty if it is none."""
    return _OPERATIONS.get(row.get("op", ""), "")


def cost_of(asked: Question, sizes: float | Array, table: FabricTable) -> Cost:
    """Return the cost of a question for one size or many."""
    return collective_cost(
        asked.operation,
        sizes,
        asked.over,
        algorithm=asked.algorithm,
        protocol=asked.protocol,
        engine=asked.engine,
        engine_launch=table.engine_launch(asked.engine) if asked.engine else None,
    )


def question_of(row: Mapping[str, str], catalogue: Catalogue, table: FabricTable) -> Question:
    """Lay a collective's row on its machine.

    Raises:
        InputError: the row lacks its message size, or the device has no known link.
    """
    if not row.get("message_bytes"):
        raise InputError("the message size is not printed.")
    over, assumed = reach_of(row, catalogue, table)
    algorithm = row.get("algorithm", "")
    name, _, protocol = algorithm.lower().partition("/")
    forced = name if name in ("ring", "tree") else None
    return Question(
        over=over,
        operation=_OPERATIONS[row["op"]],
        size=float(row["message_bytes"]),
        algorithm=forced,
        protocol=protocol or None,
        engine=next((engine for text, engine in _ENGINES if algorithm.startswith(text)), None),
        assumed=assumed,
    )


def reach_of(row: Mapping[str, str], catalogue: Catalogue, table: FabricTable) -> tuple[Reach, bool]:
    """Return the ranks of a row on the tiers of its machine, and whether a rate had to be assumed."""
    device = catalogue.devices[row["device_id"]]
    ranks, nodes = int(float(row["n_accel"])), max(int(float(row.get("n_nodes") or 1)), 1)
    per_node = ranks // nodes
    whole = float(row.get("devices_per_accel") or 1.0)
    node = catalogue.nodes[row["node_id"]] if row.get("node_id") else None
    inside, fabric = _scale_up(row, device, whole, max(per_node, node.device_count if node else 8), table)
    if nodes == 1:
        return reach((per_node,), (inside,), (fabric,)), False
    rate, outside, assumed = _network(row, device, catalogue, table)
    adapters = max(1.0, rate[1])
    port = rate[0] / adapters
    tier = Tier(
        name="network", span=inside.span * nodes, bandwidth=rate[0] / inside.span, port_bandwidth=port, latency=0.0
    )
    return reach((per_node, nodes), (inside, tier), (fabric, outside), alone=True), assumed


def _scale_up(
    row: Mapping[str, str], device: Device, whole: float, span: int, table: FabricTable
) -> tuple[Tier, Fabric]:
    link = row.get("link", "")
    name = next((fabric for text, fabric in _WIRES if text in link), None)
    if row.get("node_id") in _HOST_COPIES:
        name = "host-memory"
    scale_up = device.scaleup_bandwidth if name not in ("pcie", "host-memory", "host-staged") else None
    rate = scale_up or device.host_bandwidth or _DEFAULT_NIC
    name = name or (device.scaleup_link if scale_up else device.host_link) or "nvlink5"
    spread = max(span / whole, 1)
    tier = Tier(name=name, span=int(spread), bandwidth=rate * whole, port_bandwidth=rate * whole, latency=0.0)
    return tier, table[name]


def _network(
    row: Mapping[str, str], device: Device, catalogue: Catalogue, table: FabricTable
) -> tuple[tuple[float, float], Fabric, bool]:
    """Return (B/s of a node, its adapters), the class of its network, and whether the rate is assumed."""
    link = row.get("link", "")
    node = catalogue.nodes[row["node_id"]] if row.get("node_id") else None
    name = next((fabric for text, fabric in _NETWORKS if text in link), "infiniband")
    found = _RATE.search(link)
    if found:
        each = float(found[2]) * GIGA / BITS_PER_BYTE
        count = float(found[1] or (8 if "per GPU" in link else 1))
        return (each * count, count), table[name], False
    if node is not None and node.nic_bandwidth:
        return (node.nic_bandwidth, float(node.nic_count or 1)), table[name], True
    each = _ASSUMED_NIC.get(device.scaleup_link or "", _DEFAULT_NIC)
    devices = float(node.device_count if node else 8)
    return (each * devices, devices), table[name], True


def _predict_experts(row: Mapping[str, str], catalogue: Catalogue, table: FabricTable) -> Prediction:
    over, assumed = reach_of(row, catalogue, table)
    cost = expert_cost_of(row, over)
    label: Label = "assumed" if assumed or _is_assumed(over) else "calibrated"
    if row["metric"] == "GBps":
        return Prediction(float(cost.bottleneck_bandwidth) / GIGA, label, "")
    return Prediction(float(cost.time) / MICRO, label, "")


def expert_cost_of(row: Mapping[str, str], over: Reach) -> ExpertCost:
    """Return what the dispatch or combine of a row costs; raises :class:`InputError` where tokens are not printed."""
    if not (row.get("tokens_per_rank") and row.get("hidden")):
        raise InputError("tokens per rank or hidden size are not printed.")
    direction: Direction = "dispatch" if "dispatch" in row["op"] else "combine"
    mode: Mode = "low-latency" if row["op"].endswith("low_latency") else "bulk"
    hidden = float(row["hidden"])
    size = hidden * (1 + _FP8_SCALE) if direction == "dispatch" else hidden * 2
    limit = _GROUPS.search(row.get("notes", ""))
    routing = Routing(topk=float(row.get("topk") or 8), nodes_at_most=float(limit[1]) if limit else 0.0)
    return expert_exchange(direction, float(row["tokens_per_rank"]), size, routing, over, mode=mode)


def _is_assumed(over: Reach) -> bool:
    return any(level.fabric.origin("link_fraction") == "assumed" for level in over.levels)
