"""Requests as columns: what arrives, when, how long it is, and what it depends on. No hardware here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simulator.foundation.errors import InputError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Shorts = npt.NDArray[np.int32]

#: columns that say what each request is, beside its arrival and who follows whom
COLUMNS: Final = ("prompt", "output", "group", "priority", "session")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chains:
    """The shareable prefix of each request, as numbered blocks of equal size.

    Equal numbers mean equal tokens after an equal history, so a block found in a cache need not be computed again.
    """

    start: Ints  # request k owns blocks[start[k]:start[k + 1]]
    blocks: Shorts
    block_tokens: int

    def rows(self, order: Ints) -> Chains:
        """Return the prefixes of some requests, in the order given."""
        sizes = np.diff(self.start)[order]
        start = np.concatenate([[0], np.cumsum(sizes)])
        index = np.repeat(self.start[order] - start[:-1], sizes) + np.arange(start[-1])
        return Chains(start=start, blocks=self.blocks[index], block_tokens=self.block_tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Columns of one workload, sorted by arrival; optional columns are None.

    A request with a predecessor has an infinite arrival: it comes ``think_s`` after the predecessor's end.
    """

    arrival_s: Floats
    prompt: Shorts  # tokens in
    output: Shorts  # tokens out, at least 1
    group: Shorts | None = None  # index into ``groups``: a class of traffic or a tenant
    groups: tuple[str, ...] = ()
    priority: npt.NDArray[np.int8] | None = None  # 0 is served first
    session: Shorts | None = None
    successor: Shorts | None = None  # request that follows this one; -1: none
    think_s: Floats | None = None  # from the end of this request to the arrival of its successor
    chains: Chains | None = field(default=None)
    expected: tuple[float, float] | None = None  # mean prompt and output of the law these were drawn from

    def __post_init__(self) -> None:
        n = len(self.arrival_s)
        for name in ("prompt", "output", "group", "priority", "session", "successor", "think_s"):
            column = getattr(self, name)
            if column is not None and len(column) != n:
                raise InputError(f"column {name} has {len(column)} rows, arrival_s has {n}; give one row per request.")
        if n and (np.any(np.diff(self.arrival_s[np.isfinite(self.arrival_s)]) < 0) or self.arrival_s[0] < 0):
            raise InputError("arrivals must be in order of time and not negative; sort the rows by arrival.")
        if n and (int(self.prompt.min()) < 1 or int(self.output.min()) < 1):
            raise InputError("every request needs at least one prompt token and one output token.")

    def __len__(self) -> int:
        return len(self.arrival_s)

    @property
    def typical(self) -> tuple[float, float]:
        """Mean prompt and output tokens: of the law, or of these requests where none is known; 1 of no requests."""
        if self.expected is not None:
            return self.expected
        return (float(self.prompt.mean()), float(self.output.mean())) if len(self) else (1.0, 1.0)

    def rows(
        self, chosen: Ints | slice, *, arrival_s: Floats | None = None, successor: Shorts | None = None
    ) -> Requests:
        """Return some requests in the order given; with other arrivals where those are given.

        ``successor``: who follows whom among them, where anybody follows.
        """

        def column(name: str) -> Any:
            values = getattr(self, name)
            return None if values is None else values[chosen]

        columns: dict[str, Any] = {name: column(name) for name in (*COLUMNS, "think_s")}
        columns["arrival_s"] = self.arrival_s[chosen] if arrival_s is None else arrival_s
        columns["successor"] = self.successor if successor is None else successor
        chains = None if self.chains is None else self.chains.rows(np.arange(len(self))[chosen])
        return replace(self, **columns, chains=chains)

    @property
    def given(self) -> int:
        """Requests whose arrival is given; the rest follow a predecessor."""
        return int(np.isfinite(self.arrival_s).sum())

    @property
    def rate(self) -> float:
        """Mean arrivals per second between the first and the last given arrival."""
        given = self.arrival_s[: self.given]
        if len(given) < 2 or given[-1] == given[0]:
            return float("nan")
        return float((len(given) - 1) / (given[-1] - given[0]))

    def faster(self, factor: float) -> Requests:
        """Return the same requests arriving ``factor`` times as fast."""
        if factor <= 0:
            raise InputError(f"a speed-up of {factor:g} is not above 0.")
        return replace(self, arrival_s=self.arrival_s / factor)


def merged(parts: dict[str, Requests]) -> Requests:
    """Return several workloads as one in order of time, each under its name as group, without chains and sessions."""
    names = tuple(parts)
    if any(part.successor is not None for part in parts.values()):
        raise InputError("workloads with follow-up requests cannot be mixed with others; serve them apart.")
    arrival = np.concatenate([part.arrival_s for part in parts.values()])
    order = np.argsort(arrival, kind="stable")

    def column(values: list[npt.NDArray[np.int32]]) -> Shorts:
        return np.concatenate(values).astype(np.int32)[order]

    lengths = [len(part) for part in parts.values()]
    priorities = [
        np.zeros(len(p), np.int32) if p.priority is None else p.priority.astype(np.int32) for p in parts.values()
    ]
    return Requests(
        arrival_s=arrival[order],
        prompt=column([part.prompt for part in parts.values()]),
        output=column([part.output for part in parts.values()]),
        group=column([np.full(size, index, np.int32) for index, size in enumerate(lengths)]),
        groups=names,
        priority=column(priorities).astype(np.int8),
    )
