"""The spine: a scenario goes in, what happens comes out."""

from __future__ import annotations

from simulator.simulation.simulate import SIMULATORS, chosen_workload, simulate

__all__ = ["SIMULATORS", "chosen_workload", "simulate"]
