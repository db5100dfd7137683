"""What no algorithm can beat: the least bytes and steps of each collective."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from simulator.costs.collectives.reach import Array, Reach
from simulator.costs.collectives.traffic import log2_steps, shared_wire
from simulator.foundation.errors import UnknownName

#: operation -> bytes that each rank must send per byte of the size, of p ranks and without help from the switches
_TRAFFIC: Final[dict[str, Callable[[Array], Array]]] = {
    "all-reduce": lambda p: 2 * (p - 1) / p,
    "all-gather": lambda p: (p - 1) / p,
    "reduce-scatter": lambda p: (p - 1) / p,
    "all-to-all": lambda p: (p - 1) / p,
    "broadcast": lambda p: np.where(p > 1, 1.0, 0.0),
    "reduce": lambda p: np.where(p > 1, 1.0, 0.0),
    "send-recv": lambda p: np.where(p > 1, 1.0, 0.0),
}


def bus_factor(operation: str, ranks: Any) -> Array:
    """Return the factor from size / time to bus bandwidth, as nccl-tests has it."""
    if operation not in _TRAFFIC:
        raise UnknownName("collective", operation, _TRAFFIC)
    return np.asarray(_TRAFFIC[operation](np.asarray(ranks, dtype=float)))


def lower_bound(operation: str, size: Any, over: Reach) -> Array:
    """Return seconds that no algorithm without reduction in the switch can beat, on ideal wires.

    The larger of: the bytes that must leave each rank over all the wires it has, those that must leave each domain
    over the tier that leaves it, and ``log2 p`` steps of the least latency (one step where every rank may write to all
    others at once).

    Source: Chan et al. 2007, doi:10.1002/cpe.1206, section 3.
    """
    sizes = np.asarray(size, dtype=float)
    sent = bus_factor(operation, over.size) * sizes
    all_wires = sum((level.bandwidth * (over.size > level.below) for level in over.levels), np.asarray(0.0))
    bound = np.where(over.size > 1, sent / np.where(all_wires > 0, all_wires, 1.0), 0.0)
    if operation in ("all-reduce", "all-gather", "reduce-scatter"):
        factor = 2.0 if operation == "all-reduce" else 1.0
        for wire, level in zip(shared_wire(over, sizes)[1:], over.levels[1:], strict=True):
            bound = np.maximum(bound, factor * wire / level.bandwidth)
    at_once = operation in ("send-recv", "all-to-all")  # each rank may write to all others in one step
    steps = np.where(over.size > 1, 1.0, 0.0) if at_once else log2_steps(over.size)
    least = np.min([np.where(level.ranks > 1, level.latency, np.inf) for level in over.levels], axis=0)
    return np.asarray(np.maximum(bound, steps * np.where(np.isfinite(least), least, 0.0)))
