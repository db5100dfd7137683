"""What requests came to, counted as they end: numbers and sums exactly, distributions by bucket.

A bucket is 1/128 of an octave or finer, so a quantile read from it is within 0.4 % of the exact one; nothing grows with
the requests. :class:`Exact` answers the same questions from all values, where they are held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from simulator.engine.clock import TICKS_PER_SECOND

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_PARTS: Final = 128  # buckets per doubling
_OCTAVES: Final = 63  # of ticks: all that the clock tells
BUCKETS: Final = 1 + _OCTAVES * _PARTS  # the first holds what is below a tick
#: greatest relative error of a quantile: half a bucket at its wide end
QUANTILE_ERROR: Final = 1.0 / (2 * _PARTS)

SERIES: Final = ("ttft", "tpot", "latency", "queueing")
_NUMBERS: Final = ("requests", "finished", "good", "output_tokens", "prompt_tokens", "asked_tokens", "reused_tokens")


class Spread(Protocol):
    """A distribution of seconds."""

    @property
    def mean(self) -> float:
        """Mean; NaN where there is nothing."""

    def quantiles(self, fractions: Sequence[float]) -> Floats:
        """Return quantiles, linear between two ranks; NaN where there is nothing."""

    def curve(self) -> tuple[Floats, Floats]:
        """Return seconds above 0 in order, and the share of what is above 0 that is at most so much."""


@dataclass(frozen=True, slots=True)
class Exact:
    """All values; what is not finite does not count."""

    values: Floats

    @property
    def mean(self) -> float:
        """Mean; NaN where there is nothing."""
        held = self.values[np.isfinite(self.values)]
        return float(held.mean()) if len(held) else float("nan")

    def quantiles(self, fractions: Sequence[float]) -> Floats:
        """Return quantiles, linear between two ranks; NaN where there is nothing."""
        held = self.values[np.isfinite(self.values)]
        if not len(held):
            return np.full(len(fractions), np.nan)
        found: Floats = np.percentile(held, [100.0 * fraction for fraction in fractions])
        return found

    def curve(self) -> tuple[Floats, Floats]:
        """Return seconds above 0 in order, and the share of what is above 0 that is at most so much."""
        held = np.sort(self.values[np.isfinite(self.values) & (self.values > 0)])
        return held, np.arange(1, len(held) + 1) / max(1, len(held))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """Counts by bucket and the exact sum."""

    counts: Ints
    total: float

    @property
    def mean(self) -> float:
        """Mean; NaN where there is nothing."""
        number = int(self.counts.sum())
        return self.total / number if number else float("nan")

    def quantiles(self, fractions: Sequence[float]) -> Floats:
        """Return quantiles, linear between two ranks, each from the middle of its bucket; NaN where nothing is."""
        number = int(self.counts.sum())
        if not number:
            return np.full(len(fractions), np.nan)
        rank = np.asarray(fractions) * (number - 1)
        low = np.floor(rank)
        values = middle_of(np.searchsorted(np.cumsum(self.counts), np.stack([low, np.ceil(rank)]), side="right"))
        found: Floats = values[0] + (rank - low) * (values[1] - values[0])
        return found

    def curve(self) -> tuple[Floats, Floats]:
        """Return seconds above 0 in order, and the share of what is above 0 that is at most so much."""
        used = np.flatnonzero(self.counts[1:]) + 1
        reached = np.cumsum(self.counts[used])
        return middle_of(used), reached / max(1, int(reached[-1]) if len(reached) else 1)


def bucket_of(seconds: Floats) -> Ints:
    """Return the bucket of each duration."""
    ticks = seconds * TICKS_PER_SECOND
    mantissa, exponent = np.frexp(np.maximum(ticks, 1.0))
    place = 1 + (exponent.astype(np.int64) - 1) * _PARTS + ((mantissa - 0.5) * (2 * _PARTS)).astype(np.int64)
    found: Ints = np.where(ticks < 1.0, 0, np.minimum(place, BUCKETS - 1))
    return found


def middle_of(bucket: Ints) -> Floats:
    """Return the seconds in the middle of each bucket."""
    exponent, part = np.divmod(np.asarray(bucket) - 1, _PARTS)
    ticks = np.ldexp(0.5 + (part + 0.5) / (2 * _PARTS), exponent + 1)
    found: Floats = np.where(np.asarray(bucket) == 0, 0.0, ticks / TICKS_PER_SECOND)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What some requests came to.

    Attributes:
        requests, finished, good: arrived; wholly answered; of those, inside every limit.
        output_tokens, prompt_tokens: of finished requests.
        asked_tokens, reused_tokens: prompt tokens of all requests, and those found in a prefix cache.
        series: distributions in seconds, by name in :data:`SERIES`.
    """

    requests: int
    finished: int
    good: int
    output_tokens: int
    prompt_tokens: int
    asked_tokens: int
    reused_tokens: int
    series: Mapping[str, Spread]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Columns of requests that ended, as the client saw them; NaN where an instant was not reached."""

    group: npt.NDArray[np.integer[Any]]
    outcome: npt.NDArray[np.integer[Any]]
    finished: npt.NDArray[np.bool_]
    good: npt.NDArray[np.bool_]
    output: npt.NDArray[np.integer[Any]]
    prompt: npt.NDArray[np.integer[Any]]
    reused: npt.NDArray[np.integer[Any]]
    series: Mapping[str, Floats]

    def totals(self, group: int | None = None) -> Totals:
        """Return what all, or those of a group, came to, from every value."""
        mine = slice(None) if group is None else self.group == group
        done, prompt, output = self.finished[mine], self.prompt[mine], self.output[mine]
        return Totals(
            requests=len(done),
            finished=int(done.sum()),
            good=int(self.good[mine].sum()),
            output_tokens=int(output[done].sum()),
            prompt_tokens=int(prompt[done].sum()),
            asked_tokens=int(prompt.sum()),
            reused_tokens=int(self.reused[mine].sum()),
            series={name: Exact(values[mine]) for name, values in self.series.items()},
        )


class Tally:
    """Requests counted as they end, by group."""

    def __init__(self, *, groups: int, outcomes: int) -> None:
        self._numbers = np.zeros((groups, len(_NUMBERS)), np.int64)
        self._outcomes = np.zeros(outcomes, np.int64)
        self._sums = np.zeros((len(SERIES), groups))
        self._counts = np.zeros((len(SERIES), groups, BUCKETS), np.int64)

    def add(self, ended: Ended) -> None:
        """Count further requests."""
        groups = len(self._numbers)
        self._outcomes += np.bincount(ended.outcome, minlength=len(self._outcomes))
        done = ended.finished
        whole = (np.ones(len(done), np.int64), done, ended.good)
        tokens = (ended.output * done, ended.prompt * done, ended.prompt, ended.reused)
        columns: tuple[npt.NDArray[Any], ...] = (*whole, *tokens)
        for i, values in enumerate(columns):
            np.add.at(self._numbers[:, i], ended.group, values.astype(np.int64))
        for i, name in enumerate(SERIES):
            held = np.isfinite(ended.series[name])
            group, seconds = ended.group[held], ended.series[name][held]
            self._sums[i] += np.bincount(group, weights=seconds, minlength=groups)
            np.add.at(self._counts[i].reshape(-1), group.astype(np.int64) * BUCKETS + bucket_of(seconds), 1)

    def outcomes(self) -> Ints:
        """Return requests by outcome."""
        return self._outcomes

    def totals(self, group: int | None = None) -> Totals:
        """Return what all, or those of a group, came to."""
        mine = slice(None) if group is None else slice(group, group + 1)
        numbers = dict(zip(_NUMBERS, self._numbers[mine].sum(axis=0).tolist(), strict=True))
        series = {
            name: Sketch(counts=self._counts[i, mine].sum(axis=0), total=float(self._sums[i, mine].sum()))
            for i, name in enumerate(SERIES)
        }
        return Totals(**numbers, series=series)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays that it consists of."""
        return {"numbers": self._numbers, "outcomes": self._outcomes, "sums": self._sums, "counts": self._counts}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Become what :meth:`state` returned."""
        for name, mine in self.state().items():
            mine[...] = state[name]
