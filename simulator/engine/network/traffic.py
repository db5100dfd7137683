"""Which flows a collective puts on a fabric: pairs of ranks with bytes, laid out as the libraries lay their rings.

Ranks of one node form a ring inside; ranks with the same place in their nodes form a ring over the nodes, so that every
adapter of a node carries its share. These are the bytes of ``costs.collectives.traffic.shared_wire``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from simulator.foundation.errors import InputError


class Transfer(NamedTuple):
    """Bytes from one rank to another."""

    source: int
    target: int
    size: float


def transfers(
    operation: str, size: float, nodes: Sequence[Sequence[int]], *, in_network: bool = False
) -> tuple[Transfer, ...]:
    """Return what the ranks send to each other.

    Args:
        operation: a collective by its name, see ``costs.collectives``.
        size: bytes, as nccl-tests counts them.
        nodes: devices by node, in the order of the rings; each node has equally many.
        in_network: the scale-up switch reduces, so that an all-reduce sends each byte once, and a share once more.

    Raises:
        InputError: nodes with different numbers of ranks, or an operation that has no pattern here.
    """
    per_node = {len(node) for node in nodes}
    if len(per_node) != 1:
        raise InputError(f"the nodes of a job hold {sorted(per_node)} ranks; give each the same number.")
    ranks = per_node.pop()
    flat = [device for node in nodes for device in node]
    if operation in ("all-reduce", "all-gather", "reduce-scatter"):
        rounds = 2.0 if operation == "all-reduce" else 1.0
        sent = size * (1 + 1 / ranks) if in_network else rounds * size * (ranks - 1) / ranks
        inside = _rings(nodes, sent)
        rails = [[node[place] for node in nodes] for place in range(ranks)]
        across = _rings(rails, rounds * size / ranks * (len(nodes) - 1) / len(nodes))
        return (*inside, *across)
    if operation in ("broadcast", "reduce"):
        chain = flat if operation == "broadcast" else flat[::-1]
        return tuple(Transfer(one, other, size) for one, other in pairwise(chain))
    if operation == "all-to-all":
        share = size / len(flat)
        return tuple(Transfer(one, other, share) for one in flat for other in flat if one != other)
    if operation == "send-recv":
        return tuple(Transfer(one, other, size) for one, other in zip(flat[::2], flat[1::2], strict=False))
    raise InputError(f"no pattern of flows for {operation!r}; there is one for all-reduce, all-gather, reduce-scatter, "
                     "broadcast, reduce, all-to-all and send-recv.")  # fmt: skip


def _rings(groups: Sequence[Sequence[int]], sent: float) -> list[Transfer]:
    """Return the edges of one ring per group; each rank passes on ``sent`` bytes."""
    edges = []
    for group in groups:
        if len(group) > 1:
            edges += [Transfer(one, other, sent) for one, other in zip(group, [*group[1:], group[0]], strict=True)]
    return edges
