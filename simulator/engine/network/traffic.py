"""Which flows a collective puts on a fabric: pairs of ranks with bytes, laid out as the libraries lay their rings.

Ranks that stand alike in neighbouring domains of a tier form a ring, tier by tier, so that every adapter of a node
carries its share: these are the bytes of ``costs.collectives.traffic.shared_wire``.
"""

from __future__ import annotations

import math
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
    operation: str, size: float, ranks: Sequence[int], group: Sequence[int], *, in_network: bool = False
) -> tuple[Transfer, ...]:
    """Return what the ranks send to each other.

    Args:
        operation: a collective by its name, see ``costs.collectives``.
        size: bytes, as nccl-tests counts them.
        ranks: devices in the order of their domains.
        group: ranks per tier, innermost first; their product is the number of ranks.
        in_network: the scale-up switch reduces, so that an all-reduce sends each byte once, and a share once more.

    Raises:
        InputError: an operation that has no pattern here.
    """
    assert math.prod(group) == len(ranks), f"{len(ranks)} ranks in a group of {group}"
    if operation in ("all-reduce", "all-gather", "reduce-scatter"):
        return _nested_rings(size * (2.0 if operation == "all-reduce" else 1.0), ranks, group, in_network=in_network)
    if operation in ("broadcast", "reduce"):
        chain = ranks if operation == "broadcast" else ranks[::-1]
        return tuple(Transfer(one, other, size) for one, other in pairwise(chain))
    if operation == "all-to-all":
        share = size / len(ranks)
        return tuple(Transfer(one, other, share) for one in ranks for other in ranks if one != other)
    if operation == "send-recv":
        half = len(ranks) // 2  # partners stand as far from each other as the group allows
        return tuple(Transfer(one, other, size) for one, other in zip(ranks[:half], ranks[half:], strict=False))
    raise InputError(
        f"no pattern of flows for {operation!r}; there is one for all-reduce, all-gather, reduce-scatter, broadcast, "
        "reduce, all-to-all and send-recv."
    )


def _nested_rings(size: float, ranks: Sequence[int], group: Sequence[int], *, in_network: bool) -> tuple[Transfer, ...]:
    """Return the edges of the rings of every tier; ``size`` is what a rank would send round an endless ring."""
    edges: list[Transfer] = []
    below = 1
    for tier, length in enumerate(group):
        sent = size / below * (length - 1) / length
        if tier == 0 and in_network:
            sent = size / 2 * (1 + 1 / length)
        if length > 1:
            for first in range(0, len(ranks), below * length):
                for place in range(below):
                    line = [ranks[first + place + step * below] for step in range(length)]
                    edges += [Transfer(a, b, sent) for a, b in zip(line, [*line[1:], line[0]], strict=True)]
        below *= length
    return tuple(edges)
