"""What an answer rests on: the scenario as it was asked, and a fingerprint of every part that it names.

Two answers differ for a reason: another scenario, another profile or model, another version. Bundles carry the first
two so that the reason can be named later.
"""

from __future__ import annotations

import hashlib
from typing import Any

from simulator.foundation.files import canonical_json
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
    """Return a fingerprint of the content of every device, node and model that the scenario uses, by name."""
    parts: dict[str, object] = {}
    for group in scenario.groups:
        parts[f"node {group.node.name}"] = group.node
        parts[f"device {group.device.name}"] = group.device
    for workload in scenario.workloads:
        model = getattr(getattr(workload, "job", workload), "model", None)
        if model is not None:
            parts[f"model {model.name}"] = model
    parts |= {f"model {model.name}": model for model in scenario.models.values()}
    return {name: _fingerprint(part) for name, part in sorted(parts.items())}


def parts_sha256(scenario: Scenario) -> str:
    """Return one fingerprint of all parts."""
    return hashlib.sha256(canonical_json(part_fingerprints(scenario)).encode()).hexdigest()


def _fingerprint(part: object) -> str:
    """Return a digest of a frozen dataclass: its representation names every field and value."""
    return hashlib.sha256(repr(part).encode()).hexdigest()[:_DIGITS]
