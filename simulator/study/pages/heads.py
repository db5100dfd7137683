"""What the pages of runs have in common: the line above, and whether limits are kept."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.results.report import Reason
from simulator.scenario import Scenario


def kicker(scenario: Scenario) -> str:
    """Return what stands above the answer: the scenario's name and words."""
    words = str(scenario.resolved.get("description") or "")
    return f"rackcast run · {scenario.name}" + (f" · {words}" if words else "")


def kept(missed: Sequence[str]) -> Reason:
    """Return whether the limits are kept."""
    return Reason(head="Limits", text=" ".join(missed) if missed else "all are kept.")
