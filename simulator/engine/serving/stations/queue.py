"""First come, first served by equal servers with one queue: bounded, with patience, interrupted by nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.engine.clock import TICKS_PER_SECOND
from simulator.engine.serving.compiled import jit_entry, suited
from simulator.engine.serving.fleet.layout import NEVER, Ints
from simulator.engine.serving.stations.heap import pop, push
from simulator.foundation.errors import InputError

Floats = npt.NDArray[np.float64]
PLAIN_S: Final = 4e-6  # CPU seconds per customer as plain Python (measured, docs/serving.md)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """What each customer of a station met: seconds, NaN where it did not get so far."""

    arrival_s: Floats
    start_s: Floats
    end_s: Floats
    refused: npt.NDArray[np.bool_]  # found no room
    gave_up: npt.NDArray[np.bool_]  # waited longer than its patience

    @property
    def wait_s(self) -> Floats:
        """Arrival to start of service."""
        return self.start_s - self.arrival_s

    @property
    def sojourn_s(self) -> Floats:
        """Arrival to end."""
        return self.end_s - self.arrival_s

    @property
    def served(self) -> npt.NDArray[np.bool_]:
        """Whether the customer was served."""
        return np.isfinite(self.end_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a station remembers between customers, in ticks."""

    free: Ints  # heap: when each server is free
    ends: Ints  # heap: when the customers inside leave; only where room is bounded
    inside: Ints  # how many those are

    @classmethod
    def of(cls, servers: int, room: int | None) -> Line:
        """Return an empty station."""
        ends = np.zeros(1 if room is None else room + 1, np.int64)
        return cls(free=np.zeros(servers, np.int64), ends=ends, inside=np.zeros(1, np.int64))


@jit_entry
def _first_come(
    arrival: Ints, service: Ints, free: Ints, ends: Ints, within: Ints, room: int, patience: int, start: Ints
) -> None:
    """Fill ``start``: an instant, -1 for refused, -2 for gave up; ``free``, ``ends``, ``within`` are a line's."""
    inside = within[0]
    servers = len(free)
    for k in range(len(arrival)):
        now = arrival[k]
        while inside > 0 and ends[0] <= now:
            inside = pop(ends, inside)
        if inside >= room:
            start[k] = -1
            continue
        begin = max(now, free[0])
        if begin - now > patience:
            start[k] = -2
            if room < NEVER:
                inside = push(ends, inside, now + patience)
            continue
        start[k] = begin
        pop(free, servers)
        push(free, servers - 1, begin + service[k])
        if room < NEVER:
            inside = push(ends, inside, begin + service[k])
    within[0] = inside


def first_come(
    arrival_s: Floats,
    service_s: Floats,
    *,
    servers: int = 1,
    room: int | None = None,
    patience_s: float | None = None,
    line: Line | None = None,
) -> Visits:
    """Serve customers in order of arrival; each goes to the server that is free first.

    Args:
        arrival_s: in order.
        service_s: of each customer.
        servers: equal ones.
        room: places, served ones included; None: no limit. Who finds none is refused.
        patience_s: longest wait before giving up; None: no limit.
        line: what earlier customers left, changed in place; None: the station is empty.
    """
    if servers < 1 or (room is not None and room < servers):
        raise InputError(f"{servers} servers and room for {room} customers: at least one server, and room for each.")
    arrival, service = ticks_of(arrival_s), ticks_of(service_s)
    start = np.empty(len(arrival), np.int64)
    limit = NEVER if patience_s is None else round(patience_s * TICKS_PER_SECOND)
    line = Line.of(servers, room) if line is None else line
    places = NEVER if room is None else room
    serve = suited(_first_come, len(arrival) * PLAIN_S)
    serve(arrival, service, line.free, line.ends, line.inside, places, limit, start)
    return visits_of(arrival, start, service)


def ticks_of(seconds: Floats) -> Ints:
    """Return instants or durations in ticks."""
    return np.rint(np.asarray(seconds, np.float64) * TICKS_PER_SECOND).astype(np.int64)


def visits_of(arrival: Ints, start: Ints, service: Ints) -> Visits:
    """Return visits from ticks; negative starts tell why there was none."""
    served = start >= 0
    begin = np.where(served, start / TICKS_PER_SECOND, np.nan)
    return Visits(
        arrival_s=arrival / TICKS_PER_SECOND,
        start_s=begin,
        end_s=np.where(served, (start + service) / TICKS_PER_SECOND, np.nan),
        refused=start == -1,
        gave_up=start == -2,
    )
