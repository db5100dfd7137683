"""Dispatch and combine of mixture-of-experts tokens by dedicated kernels (DeepEP and its kin).

Two kinds: low-latency kernels send a token once per chosen expert, straight to its rank; high-throughput ("bulk") ones
send it once per node over the network and from there once per rank over the scale-up links. Routing is taken as
balanced and random: a token picks ``topk`` of the experts, which are spread evenly over the ranks.

Source: DeepEP README and kernels, github.com/deepseek-ai/DeepEP, which also define its bottleneck bandwidth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from simulator.costs.collectives.reach import Array, Level, Reach
from simulator.foundation.errors import InputError

Mode = Literal["low-latency", "bulk"]
Direction = Literal["dispatch", "combine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Where tokens go.

    Attributes:
        topk: experts that a token picks.
        nodes_at_most: nodes that these may lie on (group-limited routing); 0: any number.
    """

    topk: float
    nodes_at_most: float = 0.0

    def nodes(self, nodes: Array) -> Array:
        """Return the mean number of distinct nodes that a token reaches, of so many."""
        limit = np.minimum(nodes, self.nodes_at_most or np.inf)
        return distinct(limit, self.topk)

    def ranks_in_node(self, nodes: Array, ranks: Array) -> Array:
        """Return the mean number of distinct ranks that a token reaches inside one node that it reaches."""
        return distinct(ranks, self.topk / self.nodes(nodes))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertCost:
    """Seconds of one dispatch or combine, and the bytes per second by which DeepEP measures it.

    Attributes:
        bottleneck_bandwidth: bytes that a rank sends over the network (over the scale-up links where there is one
            node only), those to itself included, over the time.
    """

    time: Array
    bottleneck_bandwidth: Array


def distinct(boxes: Any, balls: Any) -> Array:
    """Return the mean number of boxes hit by so many balls thrown at random.

    >>> float(distinct(2, 1))
    1.0
    """
    boxes = np.asarray(boxes, dtype=float)
    return np.asarray(boxes * (1 - (1 - 1 / boxes) ** np.asarray(balls, dtype=float)))


def expert_exchange(
    direction: Direction, tokens: Any, token_bytes: Any, routing: Routing, over: Reach, *, mode: Mode
) -> ExpertCost:
    """Return what a dispatch or combine costs.

    Args:
        direction: ``dispatch`` (tokens to experts) or ``combine`` (results back).
        tokens: per rank.
        token_bytes: of one token on the wire: hidden size x bytes of its precision, scales included.
        over: the expert-parallel group on its tiers.

    Raises:
        InputError: the group joins more than two tiers.
    """
    near, far = _two_levels(over)
    total = over.size
    tokens, token_bytes = np.asarray(tokens, dtype=float), np.asarray(token_bytes, dtype=float)
    if mode == "low-latency":
        sent = tokens * routing.topk * token_bytes
        local, remote = sent * (near.ranks - 1) / total, sent * (total - near.ranks) / total
        time = _launch(near, far) + _seconds(near, local, "expert_fraction")
        time = time + _seconds(far, remote, "expert_fraction")
        return ExpertCost(time=time, bottleneck_bandwidth=sent / time)
    nodes = total / near.ranks
    reached = routing.nodes(nodes)
    inside = routing.ranks_in_node(nodes, near.ranks)
    to_nodes = tokens * token_bytes * reached
    to_ranks = to_nodes * inside
    local = to_ranks * (near.ranks - 1) / near.ranks
    remote = to_nodes * (nodes - 1) / nodes
    slowest = np.maximum(_seconds(near, local, "expert_bulk_fraction"), _seconds(far, remote, "expert_bulk_fraction"))
    time = np.where(nodes > 1, _far(far, "expert_setup", near), near.fabric.expert_setup) + slowest
    return ExpertCost(time=time, bottleneck_bandwidth=np.where(nodes > 1, to_nodes, to_ranks) / time)


def _two_levels(over: Reach) -> tuple[Level, Level | None]:
    joined = [level for level in over.levels[1:] if np.any(level.ranks > 1)]
    if len(joined) > 1:
        raise InputError("an expert-parallel group joins a scale-up domain and one tier above; give two entries.")
    return over.inner, (joined[0] if joined else None)


def _launch(near: Level, far: Level | None) -> Array:
    return np.asarray(near.fabric.expert_launch + (far.fabric.expert_launch if far is not None else 0.0))


def _far(far: Level | None, constant: str, near: Level) -> float:
    return float(getattr((far or near).fabric, constant))


def _seconds(level: Level | None, sent: Array, fraction: str) -> Array:
    if level is None:
        return np.zeros_like(sent)
    return np.asarray(sent / (level.bandwidth * getattr(level.fabric, fraction)))
