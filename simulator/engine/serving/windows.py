"""A service played over a long traffic in windows: memory holds the requests inside and one window, never the day.

The replicas, queues and caches go on from window to window; requests are counted as they end. The answer is that of
:func:`~simulator.engine.serving.service.serve` on the whole traffic: numbers and tokens to the last one, means to
rounding, quantiles within :data:`~simulator.engine.serving.tally.QUANTILE_ERROR`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simulator.engine.serving.fleet import layout as at
from simulator.engine.serving.fleet.outcome import OUTCOMES, FleetOutcome
from simulator.engine.serving.fleet.run import FleetRun
from simulator.engine.serving.front import REASONS, FrontLine, Passed
from simulator.engine.serving.scaling.loop import ScaledRun, Timeline
from simulator.engine.serving.service import (
    Kept,
    Limits,
    Served,
    Service,
    attainment_of,
    chosen,
    rules_of,
    scaling_of,
    seen_by_client,
)
from simulator.engine.serving.tally import Tally, Totals
from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.workload.request_stream import RequestStream, joined
from simulator.workload.requests import COLUMNS, Chains, Requests

_HELD: Final = ("arrival_s", *COLUMNS)
_SOON: Final = 1e-9  # seconds by which a window is brought early, far above a tick and below any gap that matters

#: is given the number of a batch of ended requests, its columns, and which of them have ended
Sink = Callable[[int, Served, npt.NDArray[np.bool_]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """What a service played in windows came to; of single requests nothing is left.

    Attributes:
        tally: all requests, inside ``limits``.
        fleet: the replicas' totals and the gaps between tokens.
    """

    tally: Tally
    limits: Limits
    groups: tuple[str, ...]
    outcomes: tuple[str, ...]
    fleet: FleetOutcome
    timeline: Timeline
    span_s: float

    def counts(self) -> dict[str, int]:
        """Return requests by outcome; they add up to all."""
        return {name: int(n) for name, n in zip(self.outcomes, self.tally.outcomes(), strict=True)}

    def totals(self, limits: Limits) -> Totals:
        """Return what all requests came to, inside the limits they were counted by."""
        assert limits == self.limits
        return self.tally.totals()

    def by_group(self, limits: Limits) -> dict[str, Totals]:
        """Return what the requests of each group came to."""
        assert limits == self.limits
        return {name: self.tally.totals(i) for i, name in enumerate(self.groups)}


def serve_in_windows(
    stream: RequestStream,
    service: Service,
    *,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
    kept: Kept | None = None,
    sink: Sink | None = None,
) -> Streamed:
    """Play a long traffic through the service to its end.

    Args:
        stream: the requests, in windows.
        service: all else.
        seed: of routing and caches.
        progress: is told how many requests are settled.
        kept: where the state is kept, so that the run can be stopped and goes on later.
        sink: is given the requests that ended, window by window; after a resumption some are given again, under their
            old number.

    Raises:
        InputError: no request, settings that contradict each other, or a kept state of another run.
    """
    windows = _Windows(stream, service, seed, sink)
    scaled = windows.scaled
    attainment = attainment_of(service)
    if kept is not None and kept.path.exists():
        windows.restore(*scaled.load(kept.path, attainment, kept.key))

    def after_look(run: ScaledRun) -> None:
        if kept is not None and kept.due():
            run.save(kept.path, attainment, kept.key, beside=windows.state(), further=windows.arrays())

    timeline = scaled.play(attainment, progress, after_look, before=windows.bring_until)
    return windows.end(timeline)


class _Windows:
    """The requests held at present: those inside, and those of the window that was brought last."""

    def __init__(self, stream: RequestStream, service: Service, seed: int, sink: Sink | None) -> None:
        self._stream, self._service, self._sink = stream, service, sink
        self._front = FrontLine(service.front, Streams(seed)["front"])
        self._begun, self._batch = 0, 0  # windows drawn so far; batches of ended requests given away
        self._bounds = (np.inf, -np.inf)  # first arrival, last end
        first = self._drawn()
        if first is None:
            raise InputError("the traffic holds no request.")
        self._held, self._passed = first, self._front.let_in(first)
        self._order = self._passed.order()
        self._reach = self._passed.last_s()
        groups = first.groups or ("all",)
        self._tally = Tally(groups=len(groups), outcomes=len(OUTCOMES) + len(REASONS) - 1)
        self._run = FleetRun(
            chosen(first, self._order, self._passed), service.pools, rules_of(service), seed=seed,
            expected=stream.expected,
        )  # fmt: skip
        self.scaled = ScaledRun(self._run, scaling_of(service), service.events, horizon_s=np.inf)
        self._look_ahead()

    def _look_ahead(self) -> None:
        """Draw the next window; where there is none, it is known when the last request reaches the router."""
        self._coming = self._drawn()
        self._run.more_to_come = self._coming is not None
        self.scaled.horizon_s = np.inf if self._run.more_to_come else self._reach

    def _drawn(self) -> Requests | None:
        """Return the next window that holds a request; None after the last."""
        while self._begun < len(self._stream):
            found = self._stream.draw(self._begun)
            self._begun += 1
            if len(found):
                if found.successor is not None:
                    raise InputError("requests that follow answers cannot be served in windows.")
                return found
        return None

    def bring_until(self, until_s: float) -> None:
        """Bring every window with arrivals up to an instant."""
        while self._coming is not None and float(self._coming.arrival_s[0]) <= until_s + _SOON:
            self._bring(self._coming)
            self._look_ahead()

    def _bring(self, further: Requests) -> None:
        self._count(everyone=False)
        passed = self._front.let_in(further)
        order = passed.order()
        rows = self._run.renew(chosen(further, order, passed))
        stay = self._order[rows]
        self._held = joined([self._held.rows(stay), further])
        self._passed = Passed(
            reason=np.concatenate([self._passed.reason[stay], passed.reason]),
            reaches_s=np.concatenate([self._passed.reaches_s[stay], passed.reaches_s]),
            back_s=passed.back_s,
        )
        self._order = np.concatenate([np.arange(len(stay)), len(stay) + order])
        self._reach = max(self._reach, passed.last_s())

    def _count(self, *, everyone: bool) -> None:
        """Count the requests that have ended, or at the end all."""
        seen = seen_by_client(self._held, self._service, self._passed, self._order, self._run, Timeline())
        ended = np.ones(len(seen.outcome), bool) if everyone else seen.outcome != at.PENDING
        self._tally.add(seen.ended(self._service.limits, ended))
        first, last = seen.fleet.bounds_s
        self._bounds = (min(self._bounds[0], first), max(self._bounds[1], last))
        if self._sink is not None:
            self._sink(self._batch, seen, ended)
        self._batch += 1

    def end(self, timeline: Timeline) -> Streamed:
        """Count what is left, and return what all came to."""
        self._count(everyone=True)
        first, last = self._bounds
        return Streamed(
            tally=self._tally,
            limits=self._service.limits,
            groups=self._held.groups or ("all",),
            outcomes=(*OUTCOMES, *REASONS[1:]),
            fleet=self._run.result(),
            timeline=timeline,
            span_s=max(last - first if np.isfinite(last) else 0.0, 1e-9),
        )

    def state(self) -> dict[str, Any]:
        """Return what is held, as JSON can hold it."""
        return {
            "begun": self._begun - (self._coming is not None),
            "batch": self._batch,
            "bounds": self._bounds,
            "reach": self._reach,
            "front": self._front.state(),
        }

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays that are held."""
        found = {name: getattr(self._held, name) for name in _HELD}
        if self._held.chains is not None:
            found |= {"chain_start": self._held.chains.start, "blocks": self._held.chains.blocks}
        found |= {"reason": self._passed.reason, "reaches_s": self._passed.reaches_s, "order": self._order}
        tally = {f"tally_{name}": values for name, values in self._tally.state().items()}
        return {name: values for name, values in found.items() if values is not None} | tally

    def restore(self, state: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Hold again what :meth:`state` and :meth:`arrays` returned."""
        self._begun, self._batch, self._reach = state["begun"], state["batch"], state["reach"]
        self._bounds = (state["bounds"][0], state["bounds"][1])
        self._front.restore(state["front"])
        self._tally.restore({name: arrays[f"tally_{name}"] for name in self._tally.state()})
        self._passed = Passed(reason=arrays["reason"], reaches_s=arrays["reaches_s"], back_s=self._passed.back_s)
        self._order = arrays["order"]
        chains = self._held.chains
        if chains is not None:
            chains = Chains(start=arrays["chain_start"], blocks=arrays["blocks"], block_tokens=chains.block_tokens)
        columns: dict[str, Any] = {name: arrays.get(name) for name in _HELD}
        self._held = replace(self._held, **columns, chains=chains)
        self._look_ahead()
