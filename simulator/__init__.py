"""rackcast: a hardware-aware cluster simulator and planner."""

__version__ = "0.1.0"
