"""How unevenly tokens visit experts, and what the busiest group of experts sees.

Experts are spread over groups (expert-parallel ranks); a step ends when the busiest group ends, so that its load over
the mean is a factor on the time of the expert work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.foundation.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """How unevenly a router sends tokens, and the room of experts over their fair share (None: for all that come).

    ``skew`` is that of :func:`popularity`.
    """

    skew: float = 0.0
    capacity: float | None = None

    def busiest(self, *, experts: int, active: int, groups: int, tokens: float) -> float:
        """Return the load of the busiest group over the mean one; full experts take no more than their room."""
        found = imbalance(experts=experts, active=active, groups=groups, tokens=tokens, skew=self.skew)
        return found if self.capacity is None else min(found, self.capacity)


def popularity(experts: int, skew: float = 0.0) -> NDArray[np.float64]:
    """Return the share of visits of each expert, most popular first: proportional to rank ** -skew.

    Args:
        skew: 0 for balanced routing, as auxiliary losses and forced balance aim at; 1 is Zipf's law.

    Raises:
        InputError: no experts, or a negative skew.
    """
    if experts < 1 or skew < 0 or not math.isfinite(skew):
        raise InputError(f"{experts} experts with skew {skew} cannot be: at least one expert and a skew from 0 on.")
    weights = np.arange(1, experts + 1, dtype=float) ** -skew
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def group_shares(shares: NDArray[np.float64], groups: int) -> NDArray[np.float64]:
    """Return the share of visits of each group when experts are dealt out in turn, there and back again.

    Dealing in a snake pairs popular with rare experts, as placement by load does.

    Raises:
        InputError: the experts do not divide into the groups.
    """
    if groups < 1 or len(shares) % groups:
        raise InputError(f"{len(shares)} experts do not divide into {groups} groups.")
    rows = np.sort(shares)[::-1].reshape(-1, groups).copy()
    rows[1::2] = rows[1::2, ::-1]
    totals: NDArray[np.float64] = rows.sum(axis=0)
    return totals


def imbalance(*, experts: int, active: int, groups: int, tokens: float, skew: float = 0.0) -> float:
    """Return the expected load of the busiest group over the mean load: between 1 and ``groups``, as no load can leave.

    The popular group's share, plus the chance surplus of the largest of ``groups`` counts: each is near normal with the
    variance of a draw of ``tokens * active`` visits, and the largest of n stands about sqrt(2 ln n) deviations above
    the mean (less a correction for finite n; Cramér 1946, section 28.6).

    Args:
        tokens: tokens that the router sees in one pass over all groups.

    Raises:
        InputError: counts that cannot be.
    """
    if not 1 <= active <= experts or tokens <= 0:
        raise InputError(f"{active} of {experts} experts for {tokens} tokens cannot be.")
    if groups == 1:
        return 1.0
    shares = group_shares(popularity(experts, skew), groups)
    visits = tokens * active
    busiest = float(shares.max())
    deviation = math.sqrt(visits * busiest * (1 - busiest) * _without_repeats(experts, active))
    leaders = int((shares > busiest - deviation / visits).sum())  # groups that may turn out the busiest
    most = visits * busiest + deviation * _largest_of(leaders)
    return min(max(most / (visits / groups), 1.0), float(groups))


def _without_repeats(experts: int, active: int) -> float:
    """Return the factor on the variance because a token visits ``active`` different experts."""
    return 1.0 if experts == 1 else (experts - active) / (experts - 1)


def _largest_of(count: int) -> float:
    """Return the expected largest of ``count`` standard normal draws, to a few percent."""
    if count < 2:
        return 0.0
    if count == 2:
        return 1 / math.sqrt(math.pi)
    level = math.sqrt(2 * math.log(count))
    return level - (math.log(math.log(count)) + math.log(4 * math.pi) - 2 * 0.5772) / (2 * level)


def dropped(*, experts: int, skew: float, capacity: float) -> float:
    """Return the share of visits that find their expert full, for many tokens.

    Args:
        capacity: room of each expert over its fair share (the capacity factor); visits beyond it are dropped.
    """
    if capacity <= 0:
        raise InputError(f"a capacity factor of {capacity} cannot be; it must be above 0.")
    shares = popularity(experts, skew)
    return float(np.maximum(shares - capacity / experts, 0.0).sum())
