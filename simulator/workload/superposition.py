"""Many copies of one recorded traffic laid over each other and one after another: the same users, many more of them.

Playing a trace faster squeezes its hour into seconds; laying copies over each other keeps its hour, its bursts' lengths
and its daily shape, and multiplies its rate. Each copy begins at another instant of the record and goes round, so that
bursts of one user do not fall together in all copies.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.workload.request_stream import RequestStream
from simulator.workload.requests import Requests

_WINDOW: Final = 500_000  # requests that are drawn at once, about
_MOST_BLOCKS: Final = 2**31  # numbers of prefix blocks there are


def superposed(requests: Requests, *, copies: int, repeats: int, streams: Streams) -> RequestStream:
    """Return ``copies`` of a recorded traffic at once, ``repeats`` times one after another.

    The record begins at 0, and the first copy is the record itself. Prefixes are shared inside a copy, never between
    copies or repeats: other users ask other things. A period is the record and one mean gap.

    Raises:
        InputError: requests that follow answers, or more prefix blocks than can be numbered.
    """
    if requests.successor is not None:
        raise InputError("requests that follow answers cannot be copied; give a recorded trace.")
    n = len(requests)
    last = float(requests.arrival_s[-1])
    period = last * n / (n - 1) if n > 1 and last > 0 else 1.0
    offsets = np.concatenate([[0.0], streams["copies"].random(copies - 1) * period])
    unique = 0 if requests.chains is None else int(requests.chains.blocks.max(initial=-1)) + 1
    if unique * copies * repeats >= _MOST_BLOCKS:
        raise InputError(
            f"{copies * repeats} copies of {unique} prefix blocks are more than can be numbered; "
            f"take at most {(_MOST_BLOCKS - 1) // unique}."
        )
    slabs = -(-n * copies // _WINDOW)
    cuts = np.append(np.arange(slabs) * (period / slabs), period)

    def draw(i: int) -> Requests:
        repeat, slab = divmod(i, slabs)
        index, times, copy = _within(requests.arrival_s, offsets, period, cuts[slab], cuts[slab + 1])
        order = np.argsort(times, kind="stable")
        found = requests.rows(index[order], arrival_s=times[order] + repeat * period)
        chains = found.chains
        if chains is not None:
            shift = np.repeat((copy[order] + repeat * copies) * unique, np.diff(chains.start))
            chains = replace(chains, blocks=(chains.blocks + shift).astype(np.int32))
        return replace(found, chains=chains, expected=requests.typical)

    edges = np.concatenate([*(cuts[:-1] + repeat * period for repeat in range(repeats)), [repeats * period]])
    return RequestStream(edges=edges, expected=float(n) * copies * repeats, draw=draw)


def _within(
    arrival: npt.NDArray[np.float64], offsets: npt.NDArray[np.float64], period: float, begin: float, end: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return rows, instants and copies of what arrives in a part of the period."""
    rows, times, copies = [], [], []
    last = np.nextafter(period, 0.0)
    for copy, offset in enumerate(offsets.tolist()):
        split = int(np.searchsorted(arrival, period - offset))  # from here on a row goes round
        ahead = np.minimum(arrival[:split] + offset, last)
        round_ = np.maximum(arrival[split:] + (offset - period), 0.0)
        for first, own in ((split, round_), (0, ahead)):
            low, high = np.searchsorted(own, (begin, end), side="left")
            rows.append(np.arange(first + low, first + high))
            times.append(own[low:high])
            copies.append(np.full(high - low, copy))
    return np.concatenate(rows), np.concatenate(times), np.concatenate(copies)
