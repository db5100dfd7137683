"""Files that start what was decided on real software: one module per engine.

Each engine names the version its flags were checked against, and refuses what it cannot do. The layout, the batch, the
shape and what saves memory come from the decision; data, learning rates and paths are the user's, in variables.
"""

from __future__ import annotations

from simulator.planner.launch.engines import engines, launch_files
from simulator.planner.launch.order import Order, ServeOrder, TrainOrder

__all__ = ["Order", "ServeOrder", "TrainOrder", "engines", "launch_files"]
