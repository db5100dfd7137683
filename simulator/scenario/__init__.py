"""A question as data: one file per kind of question."""

from __future__ import annotations

from simulator.scenario.load import load_scenario
from simulator.scenario.root import Scenario

__all__ = ["Scenario", "load_scenario"]
