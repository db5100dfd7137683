"""What a run of a fleet shows: one row of instants per request, one of totals per replica."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.engine.clock import TICKS_PER_SECOND
from simulator.engine.serving.fleet import layout as at
from simulator.engine.serving.fleet.gaps import gap_quantile

Floats = npt.NDArray[np.float64]

#: outcome number -> word
OUTCOMES = ("pending", "finished", "rejected", "timed-out", "too-long", "shed")


@dataclass(frozen=True)
class FleetOutcome:
    """Columns by request, in seconds and tokens; NaN where an instant was not reached."""

    fleet: at.Fleet

    def _instant(self, column: int) -> Floats:
        ticks = self.fleet.times[:, column]
        reached = (ticks >= 0) & (ticks < at.NEVER)
        return np.where(reached, ticks / TICKS_PER_SECOND, np.nan)

    @cached_property
    def arrival_s(self) -> Floats:
        """Arrival of each request."""
        return self._instant(at.ARRIVAL)

    @cached_property
    def queueing_s(self) -> Floats:
        """Arrival to first admission to a batch."""
        return self._instant(at.SCHEDULED) - self.arrival_s

    @cached_property
    def ttft_s(self) -> Floats:
        """Arrival to first token."""
        return self._instant(at.FIRST) - self.arrival_s

    @cached_property
    def latency_s(self) -> Floats:
        """Arrival to last token."""
        return np.where(self.finished, self._instant(at.FINISH) - self.arrival_s, np.nan)

    @cached_property
    def tpot_s(self) -> Floats:
        """Mean gap between the tokens of a request after the first; 0 for requests of one token."""
        gaps = np.maximum(self.output - 1, 1)
        return np.where(self.output > 1, (self.latency_s - self.ttft_s) / gaps, 0.0)

    @property
    def prompt(self) -> npt.NDArray[np.int32]:
        """Prompt tokens."""
        return self.fleet.facts[:, at.PROMPT]

    @property
    def output(self) -> npt.NDArray[np.int32]:
        """Output tokens."""
        return self.fleet.facts[:, at.OUTPUT]

    @property
    def outcome(self) -> npt.NDArray[np.int32]:
        """Index into :data:`OUTCOMES`."""
        return self.fleet.facts[:, at.OUTCOME]

    @property
    def replica(self) -> npt.NDArray[np.int32]:
        """Replica that served the request last; -1 if none did."""
        return np.maximum(self.fleet.facts[:, at.HOME], at.NOBODY)

    @cached_property
    def finished(self) -> npt.NDArray[np.bool_]:
        """Whether the request got all its tokens."""
        done: npt.NDArray[np.bool_] = self.outcome == at.FINISHED
        return done

    @cached_property
    def bounds_s(self) -> tuple[float, float]:
        """First arrival and last end, in seconds; infinities of the wrong sign where there is none."""
        arrivals, ends = self.arrival_s, self._instant(at.FINISH)
        first = np.min(arrivals, initial=np.inf, where=np.isfinite(arrivals))
        return float(first), float(np.max(ends, initial=-np.inf, where=np.isfinite(ends)))

    @property
    def span_s(self) -> float:
        """First arrival to the last end, in seconds; 0 if nothing ended."""
        first, last = self.bounds_s
        return last - first if np.isfinite(last) else 0.0

    def counts(self) -> dict[str, int]:
        """Return requests by outcome; with those still pending they add up to all."""
        numbers = np.bincount(self.outcome, minlength=len(OUTCOMES))
        return {name: int(count) for name, count in zip(OUTCOMES, numbers, strict=True)}

    def optional(self, column: int) -> npt.NDArray[np.int32]:
        """Return a column that a lean run does not keep; zeros then."""
        facts = self.fleet.facts
        if facts.shape[1] <= column:
            return np.zeros(len(facts), np.int32)
        return facts[:, column]

    @property
    def retries(self) -> npt.NDArray[np.int32]:
        """Attempts of each request after its first."""
        return self.optional(at.ATTEMPTS)

    @cached_property
    def ended_s(self) -> Floats:
        """When each request ended, in whatever way."""
        return self._instant(at.FINISH)

    @property
    def preemptions(self) -> npt.NDArray[np.int32]:
        """Times each request was evicted."""
        return self.optional(at.PREEMPTIONS)

    @property
    def reused(self) -> npt.NDArray[np.int32]:
        """Prompt tokens found in the prefix cache."""
        return self.optional(at.REUSED)

    def itl_s(self, fraction: float) -> float:
        """Return a quantile of the gaps between tokens, in seconds; NaN where they were not kept."""
        if len(self.fleet.gap_counts) == 0:
            return float("nan")
        return gap_quantile(self.fleet.gap_counts, fraction) / TICKS_PER_SECOND

    def replica_columns(self) -> dict[str, Any]:
        """Return totals per replica: busy seconds, iterations, tokens, evictions, mean batch."""
        rows = self.fleet.replicas
        steps = np.maximum(rows[:, at.ALL_STEPS], 1)
        return {
            "busy_s": rows[:, at.BUSY] / TICKS_PER_SECOND,
            "iterations": rows[:, at.ALL_STEPS].copy(),
            "decoded_tokens": rows[:, at.DECODED].copy(),
            "prompt_tokens": rows[:, at.PREFILLED].copy(),
            "preemptions": rows[:, at.PREEMPTED].copy(),
            "found_tokens": rows[:, at.FOUND : at.POOL + 1].copy(),
            "loading_s": rows[:, at.LOADED] / TICKS_PER_SECOND,
            "mean_batch": rows[:, at.DECODED] / steps,
        }
