"""Rounds that wait for many clients, in closed form: order statistics.

Times of clients are independent and alike. Seconds in, seconds out; formulas take numbers or arrays where they say so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: points at which a distribution is read to integrate it
_POINTS: Final = 20_001


def exponential_order(mean: float, rank: int, clients: int) -> float:
    """Return the expected ``rank``-th smallest of ``clients`` exponential times: mean (1/n + ... + 1/(n - rank + 1)).

    The last of n takes the harmonic number H_n times the mean.

    Source: Renyi 1953; David and Nagaraja 2003, Order Statistics, section 2.5.

    >>> round(exponential_order(1.0, 100, 100), 3)
    5.187
    """
    return mean * float((1.0 / np.arange(clients - rank + 1, clients + 1)).sum())


def expected_order(quantile: Callable[[Any], Any], rank: int, clients: int) -> float:
    """Return the expected ``rank``-th smallest of ``clients`` times with a quantile function.

    The rank-th smallest of n uniform numbers has a Beta(rank, n - rank + 1) density; the quantile is averaged over it.

    Source: David and Nagaraja 2003, section 3.1.
    """
    share = (np.arange(_POINTS) + 0.5) / _POINTS
    log_density = (rank - 1) * np.log(share) + (clients - rank) * np.log1p(-share)
    weights = np.exp(log_density - log_density.max())
    return float(np.average(np.asarray(quantile(share), dtype=float), weights=weights))
