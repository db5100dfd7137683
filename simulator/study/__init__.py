"""Many answers: a scenario over many values of its keys, and results held against each other."""

from __future__ import annotations

from simulator.study.compare import compare
from simulator.study.sweep import sweep

__all__ = ["compare", "sweep"]
