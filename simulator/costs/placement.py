"""Where shards lie, as a decision: what part of the reads a node's own drives serve, and what crosses the network."""

from __future__ import annotations

from typing import Literal

from simulator.costs.storage import local_fraction

#: ``remote``: never on the node that reads; ``local``: readers are given the shards of their node; ``random``: blindly
Placement = Literal["remote", "local", "random"]


def local_share(placement: Placement, *, everywhere: bool, copies: int, nodes: int) -> float:
    """Share of the reads that find their bytes on the reader's own drives.

    Readers that keep to the shards of their node read everything there. Reads that go everywhere, as a global shuffle
    draws them, or whose shards lie blindly, find one of ``copies`` at home on ``copies / nodes`` of the times.

    Args:
        everywhere: whether a sample is drawn from all nodes alike, whatever lies where.
        copies: of every byte, on different nodes.
        nodes: over which the data lie, the readers' own.

    >>> local_share("random", everywhere=False, copies=1, nodes=4)
    0.25
    """
    if placement == "remote":
        return 0.0
    if placement == "local" and not everywhere:
        return 1.0
    return float(local_fraction(copies, nodes))
