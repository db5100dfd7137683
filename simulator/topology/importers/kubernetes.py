"""Kubernetes: ``kubectl get nodes -o json``, nested by well-known labels.

Region and zone are Kubernetes' own (https://kubernetes.io/docs/reference/labels-annotations-taints/); switch tiers and
accelerator domains are those that NVIDIA Topograph writes, newer and older (https://docs.nvidia.com/topograph).
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import networkx as nx

from simulator.foundation.errors import InputError, Place
from simulator.topology.importers.imported import IMPORTERS, MAX_VERTICES, Domains, Imported, domains

_TIER: Final = re.compile(r"(?:fabric\.topograph\.run|network\.topology\.nvidia\.com)/tier-(\d{1,2})")
_OLD: Final = "network.topology.nvidia.com/"
#: level, innermost first -> labels that name it, the first that a node carries counts
_LABELS: Final = (
    ("accelerator-sub-domain", ("accelerator.topograph.run/sub-domain",)),
    ("accelerator-domain", ("accelerator.topograph.run/domain", f"{_OLD}accelerator", "nvidia.com/gpu.clique")),
    ("leaf", (f"{_OLD}leaf", f"{_OLD}block")),
    ("spine", (f"{_OLD}spine",)),
    ("core", (f"{_OLD}core", f"{_OLD}datacenter")),
    ("zone", ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")),
    ("region", ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region")),
)
_INSTANCE: Final = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")
_GPUS: Final = ("nvidia.com/gpu", "amd.com/gpu", "google.com/tpu", "aws.amazon.com/neuron", "habana.ai/gaudi")


@IMPORTERS.register("kubernetes-json")
def kubernetes(text: str, file: str) -> Imported:
    """Return the nodes nested by their labels; raises :class:`InputError` for what is no list of nodes."""
    nodes = [_node(item, number, file) for number, item in enumerate(_items(text, file))]
    if not nodes or len(nodes) > MAX_VERTICES:
        raise InputError(f"{len(nodes)} nodes; 1 to {MAX_VERTICES} are read.", place=Place(file=file))
    graph: nx.Graph[str] = nx.Graph()
    members: dict[str, dict[str, int]] = {}
    for name, labels, devices in nodes:
        if f"host:{name}" in graph:
            raise InputError(f"the node {name!r} stands there twice.", place=Place(file=file))
        graph.add_node(f"host:{name}", kind="host", label=_first(labels, _INSTANCE) or "node", devices=devices)
        below = f"host:{name}"
        for level, value in _nesting(labels):
            above = f"{level}:{value}"
            graph.add_node(above, kind="switch", label=level)
            graph.add_edge(below, above, kind="network")
            counts = members.setdefault(level, {})
            counts[value] = counts.get(value, 0) + 1
            below = above
    return Imported(
        kind="kubernetes-json",
        graph=graph,
        members="nodes",
        count=len(nodes),
        levels=_levels(members),
        notes=_notes(nodes, members),
    )


def _items(text: str, file: str) -> list[Any]:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        place = Place(file=file, line=error.lineno, column=error.colno)
        raise InputError(f"not JSON: {error.msg}.", place=place) from None
    except RecursionError:
        raise InputError("JSON nested too deep.", place=Place(file=file)) from None
    items = data.get("items") if isinstance(data, dict) else None
    if not isinstance(items, list):
        raise InputError(
            "no list of nodes; write it with 'kubectl get nodes -o json'.", place=Place(file=file, key="items")
        )
    return items


def _node(item: Any, number: int, file: str) -> tuple[str, dict[str, str], int]:
    """Return name, labels and number of devices of one node."""
    metadata = item.get("metadata") if isinstance(item, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(name, str):
        raise InputError("a node without metadata.name.", place=Place(file=file, key=f"items[{number}]"))
    labels = metadata.get("labels")
    texts = {key: value for key, value in labels.items() if isinstance(value, str)} if isinstance(labels, dict) else {}
    status = item.get("status")
    capacity = status.get("capacity") if isinstance(status, dict) else None
    counts = [str(capacity.get(key, "0")) for key in _GPUS] if isinstance(capacity, dict) else []
    return name, texts, sum(int(count) for count in counts if re.fullmatch(r"\d{1,6}", count))


def _first(labels: dict[str, str], keys: tuple[str, ...]) -> str:
    return next((labels[key] for key in keys if labels.get(key)), "")


def _nesting(labels: dict[str, str]) -> list[tuple[str, str]]:
    """Return (level, domain) from the innermost outward; numbered switch tiers stand for leaf, spine and core."""
    tiers = sorted(
        (int(match.group(1)), value) for key, value in labels.items() if (match := _TIER.fullmatch(key)) and value
    )
    found = []
    for level, keys in _LABELS:
        if level == "leaf":
            found += [(f"tier-{number}", value) for number, value in tiers]
        value = _first(labels, keys)
        if value and not (tiers and level in ("leaf", "spine", "core")):
            found.append((level, value))
    return found


def _levels(members: dict[str, dict[str, int]]) -> tuple[Domains, ...]:
    order = [level for level, _ in _LABELS]
    tiers = sorted((level for level in members if level.startswith("tier-")), key=lambda level: int(level[5:]))
    order[2:2] = tiers
    return tuple(domains(level, list(members[level].values())) for level in order if level in members)


def _notes(nodes: list[tuple[str, dict[str, str], int]], members: dict[str, dict[str, int]]) -> tuple[str, ...]:
    kinds: dict[tuple[str, int], int] = {}
    for _, labels, devices in nodes:
        kind = (_first(labels, _INSTANCE) or "unnamed instance type", devices)
        kinds[kind] = kinds.get(kind, 0) + 1
    found = [f"{count} nodes of {name} with {devices} devices" for (name, devices), count in sorted(kinds.items())]
    bare = sum(1 for _, labels, _ in nodes if not _nesting(labels))
    if bare:
        found.append(f"{bare} nodes carry no label of a place and stand alone")
    if not any(level.startswith("tier-") or level in ("leaf", "spine", "core") for level in members):
        found.append("no label names a switch; NVIDIA Topograph writes such labels")
    return tuple(found)
