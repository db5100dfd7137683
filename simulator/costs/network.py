"""Collectives of a plan's groups, each with its links to itself, priced by the closed forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.costs.collectives import Fabric, collective_cost, fabrics_of, reach
from simulator.mapping.placement import Group
from simulator.topology.tiers import Tier

Floats = NDArray[np.float64]

#: a program's operation -> the collective that carries it
_CARRIED: Final = {
    "all_reduce": "all-reduce",
    "all_gather": "all-gather",
    "reduce_scatter": "reduce-scatter",
    "all_to_all": "all-to-all",
    "ring_pass": "send-recv",
    "send_receive": "send-recv",
}


@dataclass(frozen=True, slots=True)
class AnalyticNetwork:
    """Prices what a program sends on the tiers of one cluster; programs ask once per distinct layout."""

    tiers: Sequence[Tier]
    fabrics: Sequence[Fabric]

    @staticmethod
    def of(tiers: Sequence[Tier]) -> AnalyticNetwork:
        """Return the network of a cluster's tiers with the constants of their classes of fabric."""
        return AnalyticNetwork(tiers, fabrics_of(tiers))

    def time(self, operation: str, size: Floats, group: Group) -> Floats:
        """Return seconds of one operation of every plan; 0 where a group has one rank or nothing to send.

        ``ring_pass`` hands ``size`` bytes to the right-hand neighbour until all have seen all: n - 1 sends.
        ``send_receive`` goes to the neighbouring pipeline stage, over the outermost tier that the group spans.
        """
        size, spacing, *members = np.broadcast_arrays(np.asarray(size, dtype=float), group.spacing, *group.members)
        return self._price(operation, size, np.stack(members).astype(float), spacing)

    def _price(self, operation: str, size: Floats, members: Floats, spacing: Floats) -> Floats:
        ranks = members[-1]
        if operation in ("send_receive", "ring_pass"):
            members = np.where(members < ranks, 1.0, 2.0)  # a pair that spans as far as the group does
            members = np.where(ranks > 1, members, 1.0)
        inside = np.concatenate([np.ones((1, len(size))), members[:-1]])
        over = reach(tuple(members / inside), self.tiers, self.fabrics, spacing=spacing)
        seconds = collective_cost(_CARRIED[operation], size, over).time
        passes = ranks - 1 if operation == "ring_pass" else 1.0
        return np.where((ranks > 1) & (size > 0), seconds * passes, 0.0)
