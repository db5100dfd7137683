"""The registry of shapes; each is one function from ends and a user's parameters to a wiring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simulator.foundation.registry import Registry
from simulator.topology.fabric import Fabric
from simulator.topology.wiring import Ends, Wiring

Shape = Callable[[Ends, Fabric], Wiring]

SHAPES: Final[Registry[Shape]] = Registry("topology shape")
