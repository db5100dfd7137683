"""Runs that fail and go on from their last checkpoint, in closed form.

Failures come without memory at a rate of ``1 / mtbf`` while the run works; during a restart nothing fails. All formulas
take numbers or arrays of seconds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def cluster_mtbf(node_mtbf: Any, nodes: Any) -> Floats:
    """Return the mean time between failures of any of ``nodes`` alike: theirs over their number."""
    return np.asarray(np.asarray(node_mtbf, dtype=float) / nodes)


def young_interval(cost: Any, mtbf: Any) -> Floats:
    """Return the work between two checkpoints that wastes least, to first order: sqrt(2 C M).

    Source: Young 1974, CACM 17(9).

    >>> round(float(young_interval(60.0, 3.09 * 3600)) / 60, 1)
    19.3
    """
    return np.asarray(np.sqrt(2.0 * np.asarray(cost, dtype=float) * mtbf))


def daly_interval(cost: Any, mtbf: Any) -> Floats:
    """Return the same to higher order; the mean time between failures where a checkpoint takes twice as long.

    Source: Daly 2006, Future Generation Computer Systems 22(3), equation 37.
    """
    ratio = np.asarray(cost, dtype=float) / (2.0 * np.asarray(mtbf, dtype=float))
    found = young_interval(cost, mtbf) * (1.0 + np.sqrt(ratio) / 3.0 + ratio / 9.0) - cost
    return np.asarray(np.where(ratio < 1.0, found, mtbf))


def first_order_waste(interval: Any, cost: Any, mtbf: Any) -> Floats:
    """Return the share of time lost to checkpoints and to repeated work, restarts apart: C / tau + tau / (2 M).

    >>> round(float(first_order_waste(19.3 * 60, 60.0, 3.09 * 3600)), 2)
    0.1
    """
    interval = np.asarray(interval, dtype=float)
    return np.asarray(cost / interval + interval / (2.0 * np.asarray(mtbf, dtype=float)))


def expected_time(segments: Any, mtbf: Any, restart: Any) -> float:
    """Return the expected seconds of a run whose state is saved at the end of every segment.

    A segment of s seconds is tried until no failure falls into it: (M + R) (exp(s / M) - 1), exact for failures without
    memory.

    Args:
        segments: seconds of each, checkpoint included.
        restart: from a failure until work goes on.

    Source: Daly 2006, equation 13.
    """
    return float(((mtbf + restart) * np.expm1(np.asarray(segments, dtype=float) / mtbf)).sum())


def lost_per_failure(segment: Any, mtbf: Any) -> Floats:
    """Return the work that a failure undoes in the mean: M - s / (exp(s / M) - 1), about s / 2 where s is short."""
    segment = np.asarray(segment, dtype=float)
    return np.asarray(mtbf - segment / np.expm1(segment / mtbf))


def expected_run(steps: int, every: Any, step_s: float, save_s: float, mtbf: float, restart: float) -> Floats:
    """Return the expected seconds of a run that is saved every so many steps and at its end.

    :func:`expected_time` of its segments, of which all but the last are alike; ``every`` may be an array.
    """
    every = np.minimum(np.asarray(every, dtype=float), steps)
    alike = np.ceil(steps / every) - 1.0
    last = steps - alike * every
    grown = alike * np.expm1((every * step_s + save_s) / mtbf) + np.expm1((last * step_s + save_s) / mtbf)
    return np.asarray((mtbf + restart) * grown)


def waiting_share(most_spares: int, failed: float) -> Floats:
    """Return the share of time that a run waits for a node to be repaired, for 0 to ``most_spares`` nodes beside it.

    The run fails only while it works, and it waits while more nodes are under repair than stand by: with s spares it is
    a loss system of s + 1 servers, so that Erlang's formula B(s + 1, a) holds whatever the law of the repair.

    Args:
        failed: a, failures per second of work times seconds of a repair.

    Source: Erlang 1917; insensitivity: Sevastyanov 1957.

    >>> [round(float(share), 4) for share in waiting_share(2, 1.0)]
    [0.5, 0.2, 0.0625]
    """
    found, blocked = [], 1.0
    for servers in range(1, most_spares + 2):
        blocked = failed * blocked / (servers + failed * blocked)
        found.append(blocked)
    return np.array(found)
