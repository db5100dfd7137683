"""Further requests in the place of settled ones, so that a run holds those inside and not those of the whole day.

Rows keep their order, and so every comparison between requests: the run goes on bit for bit as if all rows were there.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.engine.serving.fleet import layout as at
from simulator.engine.serving.fleet.build import Rules, request_rows, within_the_clock
from simulator.workload.requests import Chains, Requests

#: arrays whose length follows the requests held, and along which axis
RESIZED: Final = {"times": 0, "facts": 0, "later": 1, "chain_start": 0, "chain": 0}
#: columns of ``replicas`` that hold a request
_NAMING: Final = (
    at.JOINING, at.JOINING_LAST, at.PARTIAL,
    *range(at.QUEUE_HEAD, at.QUEUE_HEAD + at.ENDS * at.MAX_CLASSES),
)  # fmt: skip


def renewed(fleet: at.Fleet, further: Requests, rules: Rules) -> tuple[at.Fleet, npt.NDArray[np.int64]]:
    """Return the fleet with its unsettled requests and further ones, and the rows of the unsettled ones before.

    ``replicas``, ``batch`` and ``world`` are changed in place.
    """
    within_the_clock(further)
    kept = np.flatnonzero(fleet.facts[:, at.OUTCOME] == at.PENDING)
    place = np.full(len(fleet.facts), at.NOBODY, np.int64)
    place[kept] = np.arange(len(kept))
    times, facts = request_rows(further, rules, lean=fleet.facts.shape[1] == at.LEAN)
    held = fleet.facts[kept]
    held[:, at.FOLLOWING] = _moved(held[:, at.FOLLOWING], place)
    arrived = int((kept < fleet.world[at.NEXT]).sum())
    _rename(fleet, place)
    world = fleet.world
    world[at.NEXT], world[at.PRIMARY] = arrived, len(kept) + len(facts)
    if further.priority is not None:
        world[at.CLASSES] = max(int(world[at.CLASSES]), int(further.priority.max(initial=0)) + 1)
    chain_start, chain = _chains(fleet, kept, further.chains, len(facts))
    rows = len(kept) + len(facts)
    later = np.zeros((2, rows if fleet.later.shape[1] else 0), np.int64)
    waiting = int(world[at.LATER])
    later[at.TIME, :waiting] = fleet.later[at.TIME, :waiting]
    later[at.NAME, :waiting] = place[fleet.later[at.NAME, :waiting]]
    found = fleet._replace(
        times=np.concatenate([fleet.times[kept], times]),
        facts=np.concatenate([held, facts]),
        later=later,
        chain_start=chain_start,
        chain=chain,
    )
    return found, kept


def _moved(names: npt.NDArray[np.signedinteger], place: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the new rows of requests; NOBODY stays, and stands for those that are settled."""
    return np.where(names == at.NOBODY, at.NOBODY, place[np.maximum(names, 0)])


def _rename(fleet: at.Fleet, place: npt.NDArray[np.int64]) -> None:
    """Name requests by their new rows wherever the fleet names one."""
    if not len(place):
        return
    for column in _NAMING:
        fleet.replicas[:, column] = _moved(fleet.replicas[:, column], place)
    for column in (at.HELD, at.HELD_LAST):
        fleet.world[column] = _moved(fleet.world[column : column + 1], place)[0]
    running = np.arange(fleet.batch.shape[1]) < fleet.replicas[:, at.RUNNING : at.RUNNING + 1]
    entries = fleet.batch[running]
    fleet.batch[running] = entries // at.REQUESTS * at.REQUESTS + place[entries % at.REQUESTS]


def _chains(
    fleet: at.Fleet, kept: npt.NDArray[np.int64], further: Chains | None, count: int
) -> tuple[at.Ints, at.Shorts]:
    """Return the prefixes of the requests that stay, then those of the further ones; none where no cache is kept."""
    if not len(fleet.chain_start):
        return fleet.chain_start, fleet.chain
    old = Chains(start=fleet.chain_start, blocks=fleet.chain, block_tokens=1).rows(kept)
    sizes = np.zeros(count, np.int64) if further is None else np.diff(further.start)
    start = np.concatenate([old.start, old.start[-1] + np.cumsum(sizes)])
    blocks = old.blocks if further is None else np.concatenate([old.blocks, further.blocks.astype(np.int32)])
    return start.astype(np.int64), blocks
