"""Requests of a long traffic in windows of time, so that memory holds a window and not the day.

Any window is drawn alone and always the same, so that a run that was stopped begins again at the window it had reached.
All windows together are the traffic: :meth:`RequestStream.whole` is what a run with everything in memory gets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.foundation.errors import InputError
from simulator.workload.requests import COLUMNS, Chains, Requests

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestStream:
    """Windows one after another; the requests of window ``i`` arrive at ``edges[i]`` or later, before ``edges[i + 1]``.

    Attributes:
        edges: seconds; one more than windows.
        expected: requests of all windows, about.
        draw: window -> its requests, in order of time, perhaps none; all with the same columns and groups.
    """

    edges: Floats
    expected: float
    draw: Callable[[int], Requests]

    def __len__(self) -> int:
        return len(self.edges) - 1

    def whole(self) -> Requests:
        """Return the requests of all windows."""
        return joined([self.draw(i) for i in range(len(self))])


def in_slices(requests: Requests, size: int) -> RequestStream:
    """Return requests that are drawn already as windows of ``size`` requests.

    Raises:
        InputError: requests that follow the answers to others, which have no window of their own.
    """
    if requests.successor is not None:
        raise InputError("requests that follow answers cannot be served in windows; leave out run.window.")
    starts = np.arange(0, max(1, len(requests)), size)
    edges = np.append(requests.arrival_s[starts] if len(requests) else [0.0], np.inf)
    expected = replace(requests, expected=requests.typical)

    def draw(i: int) -> Requests:
        return expected.rows(slice(int(starts[i]), int(starts[i]) + size))

    return RequestStream(edges=edges, expected=float(len(requests)), draw=draw)


def joined(parts: list[Requests]) -> Requests:
    """Return parts that follow each other in time as one; all have the same optional columns."""
    first = parts[0]

    def column(name: str) -> Any:
        columns = [getattr(part, name) for part in parts]
        return None if columns[0] is None else np.concatenate(columns)

    columns: dict[str, Any] = {name: column(name) for name in ("arrival_s", *COLUMNS)}
    return replace(first, **columns, chains=_joined_chains([part.chains for part in parts]))


def _joined_chains(parts: list[Chains | None]) -> Chains | None:
    held = [part for part in parts if part is not None]
    if not held:
        return None
    sizes = np.concatenate([np.diff(part.start) for part in held])
    return Chains(
        start=np.concatenate([[0], np.cumsum(sizes)]),
        blocks=np.concatenate([part.blocks for part in held]),
        block_tokens=held[0].block_tokens,
    )
