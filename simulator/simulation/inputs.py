"""What an answer rests on: the scenario as it was asked, and a fingerprint of every part that it names.

Two answers differ for a reason: another scenario, another profile or model, another version. Bundles carry the first
two so that the reason can be named later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from simulator.foundation.files import canonical_json
from simulator.profiles.node import Node
from simulator.scenario import Scenario

_DIGITS = 16  # of a part's fingerprint; plenty for a few parts


def inputs_of(scenario: Scenario) -> dict[str, Any]:
    """Return the scenario's data after overrides, the overrides, and the fingerprints of its parts."""
    return {
        "scenario": scenario.resolved,
        "overrides": list(scenario.overrides),
        "parts": part_fingerprints(scenario),
        "parts_sha256": parts_sha256(scenario),
    }


def part_fingerprints(scenario: Scenario) -> dict[str, str]:
    """Return a fingerprint of every device, node, price and model that the scenario uses or may choose, by name."""
    parts: dict[str, object] = {}
    for group in scenario.groups:
        parts[f"node {group.node.name}"] = group.node
        parts[f"device {group.device.name}"] = group.device
        parts |= _price(scenario, group.node.name)
    for node in _may_be_taken(scenario):
        parts[f"node {node.name}"] = node
        if node.device is not None:
            parts[f"device {node.device}"] = scenario.catalogue.devices[node.device]
        parts |= _price(scenario, node.name)
    for workload in scenario.workloads:
        model = getattr(getattr(workload, "job", workload), "model", None)
        if model is not None:
            parts[f"model {model.name}"] = model
    parts |= {f"model {model.name}": model for model in scenario.models.values()}
    return {name: _fingerprint(part) for name, part in sorted(parts.items())}


def _may_be_taken(scenario: Scenario) -> Iterator[Node]:
    """Yield the machines of the catalogue that a plan may choose."""
    for name in dict.fromkeys(str(name) for name in scenario.plan.choices.get("nodes", ())):
        if name in scenario.catalogue.nodes:
            yield scenario.catalogue.nodes[name]


def _price(scenario: Scenario, node: str) -> dict[str, object]:
    prices = scenario.catalogue.prices
    return {f"price {node}": prices[node]} if node in prices else {}


def parts_sha256(scenario: Scenario) -> str:
    """Return one fingerprint of all parts."""
    return hashlib.sha256(canonical_json(part_fingerprints(scenario)).encode()).hexdigest()


def _fingerprint(part: object) -> str:
    """Return a digest of a frozen dataclass: its representation names every field and value."""
    return hashlib.sha256(repr(part).encode()).hexdigest()[:_DIGITS]
