"""Who gets which records: sharders, what their imbalance costs, and what moves when the workers change.

Read in this order: :mod:`~simulator.mapping.sharding.shards` (what a sharding is),
:mod:`~simulator.mapping.sharding.request` (what a sharder is asked), then one file per family of methods, then
:mod:`~simulator.mapping.sharding.expectation` (closed forms) and :mod:`~simulator.mapping.sharding.reshard`.
"""

from __future__ import annotations

from simulator.mapping.sharding import contiguous, hashing, random_cuts, strata
from simulator.mapping.sharding.request import Request, shard, sharders
from simulator.mapping.sharding.shards import Contiguous, Scattered, Sharding, imbalance

__all__ = [
    "Contiguous",
    "Request",
    "Scattered",
    "Sharding",
    "contiguous",
    "hashing",
    "imbalance",
    "random_cuts",
    "shard",
    "sharders",
    "strata",
]
