"""What each way of cutting costs: the expected largest shard over the mean shard, in closed form.

A synchronous step waits for its largest shard, so an imbalance of 2 doubles every step. The figures hold for many
equal records; with few or unequal ones, measure with :func:`simulator.mapping.sharding.shards.imbalance`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

#: mean share of the largest piece of a stick broken for ever; Golomb and Dickman, OEIS A084945
GOLOMB_DICKMAN: Final = 0.62432998854355087

_GRID: Final = 2001  # shares at which the distribution is kept; five digits
_STEPS: Final = 129  # points of each integral
_PIECES: Final = 24  # further pieces hold 2^-23 of the stick: they change nothing


def harmonic(n: int) -> float:
    """Return 1 + 1/2 + ... + 1/n."""
    return float(np.sum(1.0 / np.arange(1, n + 1)))


def seed_literal(shards: int) -> float:
    """Expected largest shard over the mean for the recursive split read literally; tends to 0.624 ``shards``.

    The chance F_n(x) that none of n pieces exceeds the share x obeys, with the innermost part u uniform on (0, 1),
    ``F_n(x) = integral of F_(n-1)(x / u) du over (1 - x, 1)``, and the mean of the largest is the integral of 1 - F_n.

    >>> round(seed_literal(2), 4), round(seed_literal(8) / 8, 2)
    (1.5, 0.63)
    """
    if shards == 1:
        return 1.0
    x = np.linspace(0.0, 1.0, _GRID)
    chance = np.clip(2.0 * x - 1.0, 0.0, 1.0)  # two pieces: max(u, 1 - u) is uniform on (1/2, 1)
    share, low = x[1:], np.maximum(x[1:], 1.0 - x[1:])
    surely = np.maximum(0.0, 2.0 * share - 1.0)  # innermost parts u between 1 - share and share: nothing exceeds
    u = low + (1.0 - low) * np.linspace(0.0, 1.0, _STEPS)[:, np.newaxis]
    for _ in range(min(shards, _PIECES) - 2):
        within = np.interp(share / u, x, chance)
        chance = np.append(0.0, surely + _integral(within, (1.0 - low) / (_STEPS - 1)))
    return float(shards * (1.0 - _integral(chance, x[1])))


def _integral(values: np.ndarray, step: np.ndarray | float) -> np.ndarray:
    """Integral over axis 0 by trapezoids of equal steps."""
    total: np.ndarray = (values.sum(axis=0) - 0.5 * (values[0] + values[-1])) * step
    return total


def uniform_cuts(shards: int) -> float:
    """H_n: the expected largest of n uniform spacings is H_n / n (Rényi 1953).

    >>> round(uniform_cuts(8), 3)
    2.718
    """
    return harmonic(shards)


def even(shards: int) -> float:
    """1: whatever looks at the sizes (or deals in turn) is even up to one record."""
    del shards
    return 1.0


def hashed(shards: int, records: float) -> float:
    """Hash remainders of equal records: about ``1 + sqrt(2 ln n (n - 1) / records)``, for many records a shard.

    Source: the largest of n nearly normal counts (Raab & Steger 1998, doi:10.1007/3-540-49543-6_13); an upper
    estimate, since the largest of n normals is a little below ``sqrt(2 ln n)``.
    """
    return 1.0 + math.sqrt(2.0 * math.log(shards) * (shards - 1) / records) if shards > 1 else 1.0


def ring_spread(shards: int, virtual_nodes: int) -> float:
    """Relative standard deviation of a worker's share of a hash ring: ``sqrt((n - 1) / (n v + 1))``.

    The arcs of n v uniform points are Dirichlet distributed, and a worker owns v of them: Beta(v, v (n - 1)).
    """
    return math.sqrt((shards - 1) / (shards * virtual_nodes + 1))


def ring(shards: int, virtual_nodes: int) -> float:
    """Consistent hashing: H_n with one point each; with more, ``1 + sqrt(2 ln n) x`` the spread (an upper estimate)."""
    if virtual_nodes == 1 or shards == 1:
        return harmonic(shards)
    return 1.0 + math.sqrt(2.0 * math.log(shards)) * ring_spread(shards, virtual_nodes)


#: method -> expected largest shard over the mean, for methods that depend on the number of shards alone
EXPECTED: Final[dict[str, Callable[[int], float]]] = {
    "seed-literal": seed_literal,
    "uniform-cuts": uniform_cuts,
    "balanced": even,
    "recursive-bisect": even,
    "by-speed": even,
    "stratified": even,
}
