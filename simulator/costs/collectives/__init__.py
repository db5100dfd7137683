"""Closed forms of collectives: how long an all-reduce takes, by which algorithm, on which wires.

Read ``reach`` first (who takes part), then ``phases`` (what a step costs), ``algorithms`` and ``selector``.
"""

from __future__ import annotations

from simulator.costs.collectives.bounds import bus_factor, lower_bound
from simulator.costs.collectives.fabric import IDEAL, Fabric, FabricTable, load_fabrics
from simulator.costs.collectives.reach import Level, Reach, fabrics_of, reach, whole
from simulator.costs.collectives.selector import Cost, collective_cost, collective_time

__all__ = [
    "IDEAL",
    "Cost",
    "Fabric",
    "FabricTable",
    "Level",
    "Reach",
    "bus_factor",
    "collective_cost",
    "collective_time",
    "fabrics_of",
    "load_fabrics",
    "lower_bound",
    "reach",
    "whole",
]
