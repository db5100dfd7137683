"""What it costs a job to be spread: its all-reduce within one node, below one leaf, and across leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.costs.network import AnalyticNetwork
from simulator.mapping.placement import Group
from simulator.planner.placing.jobs import Job
from simulator.topology import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """Seconds of the all-reduce of a step by how far the job is spread; never less further out."""

    node: float
    leaf: float
    leaves: float


def crossing(job: Job, cluster: Cluster, *, in_node: int, in_leaf: int) -> Crossing:
    """Return what a job's all-reduce takes on a cluster's tiers; where it is too large, what it takes further out.

    Across leaves it is priced as if its devices stood half and half below two of them.

    Args:
        in_node, in_leaf: devices of the largest node, and below the largest leaf.
    """
    if job.exchange <= 0.0 or job.ranks < 2:
        return Crossing(node=0.0, leaf=0.0, leaves=0.0)
    network = AnalyticNetwork.of(cluster.tiers)

    def seconds(together: int, below: int) -> float:
        """Return the time with so many ranks on one node and below one leaf."""
        held = [min(tier.span, together if tier.span <= in_node else below) for tier in cluster.tiers]
        held[-1] = job.ranks
        members = tuple(np.array([count], dtype=np.int64) for count in np.maximum.accumulate(held))
        group = Group(members=members, spacing=np.ones(1, dtype=np.int64))
        return float(network.time("all_reduce", np.array([job.exchange]), group)[0])

    leaves = seconds(job.devices, max(job.devices, min(in_leaf, -(-job.ranks // 2))))
    leaf = leaves if job.ranks > in_leaf else min(leaves, seconds(job.devices, job.ranks))
    node = leaf if job.ranks > in_node else min(leaf, seconds(job.ranks, job.ranks))
    return Crossing(node=node, leaf=leaf, leaves=leaves)
