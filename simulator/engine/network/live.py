"""A network that others drive: flows are started when something happens, and tell when they end.

Routes are declared once and may be used again and again, one flow at a time: a ring's edges, a replica's path to
another. Between two events nothing is calculated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simulator.engine.network.flows import Array
from simulator.engine.network.repair import new_state, resize
from simulator.engine.network.run import begin_flow, new_plan, settle, take_ends
from simulator.foundation.errors import InputError


class LiveNetwork:
    """Max-min fair flows over links, driven instant by instant; all times are ticks.

    At one instant call :meth:`begin` and :meth:`set_capacity` as needed, then :meth:`advance` once; the order of these
    calls does not matter beyond the numbers of routes.

    Args:
        capacity: B/s of each directed link.
        routes: links of each route; its number names the route from then on. A route without links is instantaneous
            and may not be begun.
        weights, counts, limits: per route: share, like flows, the most one of them can send in B/s.
    """

    def __init__(
        self,
        capacity: Any,
        routes: Sequence[Sequence[int]],
        *,
        weights: Any = 1.0,
        counts: Any = 1.0,
        limits: Any = np.inf,
    ) -> None:
        number = len(routes)
        shared = np.asarray(capacity, dtype=float)
        limit = np.broadcast_to(np.asarray(limits, dtype=float), number)
        count = np.broadcast_to(np.asarray(counts, dtype=float), number)
        weight = np.broadcast_to(np.asarray(weights, dtype=float), number)
        own = np.flatnonzero(np.isfinite(limit))
        with_own = [list(route) for route in routes]
        for position, route in enumerate(own.tolist()):
            with_own[route].append(shared.size + position)
        starts = np.cumsum([0, *(len(route) for route in with_own)], dtype=np.int64)
        links = np.array([link for route in with_own for link in route], dtype=np.int64)
        self._wires = shared.size
        self._state = new_state(starts, links, np.concatenate([shared, limit[own] * count[own]]), weight * count)
        self._plan = new_plan(weight)
        self._running = np.zeros(number, bool)
        self._begun: dict[int, float] = {}
        self._resized: dict[int, float] = {}
        self.now = 0

    @property
    def next_end(self) -> int | None:
        """Tick of the next end; None while nothing that runs will end at its present rate."""
        return int(self._plan.keys[0]) if self._plan.running[0] else None

    def begin(self, route: int, size: float) -> None:
        """Send bytes along a route from this instant on; it must be free."""
        assert not self._running[route], f"route {route} is in use"
        assert route not in self._begun, f"route {route} was begun at this instant"
        self._begun[route] = size

    def set_capacity(self, link: int, capacity: float) -> None:
        """Change a link from this instant on; 0 takes it down.

        Raises:
            InputError: no such link, or a negative capacity.
        """
        if not 0 <= link < self._wires or capacity < 0:
            raise InputError(f"link {link} of {self._wires} cannot get {capacity:g} B/s.")
        self._resized[link] = capacity

    def advance(self, now: int) -> Array:
        """Go to a tick, not beyond the next end; return the routes that ended there, in order of their numbers."""
        assert now >= self.now, f"time runs backwards: {now} after {self.now}"
        assert self.next_end is None or now <= self.next_end, f"tick {now} lies beyond the next end {self.next_end}"
        self.now = now
        ended = int(take_ends(self._state, self._plan, now))
        finished = np.sort(self._plan.ending[:ended].copy())
        self._running[finished] = False
        number = 0
        for route in sorted(self._begun):
            number = begin_flow(self._state, self._plan, route, self._begun[route], now, number)
            self._running[route] = True
        for link in sorted(self._resized):
            number = resize(self._state, link, self._resized[link], number)
        if ended or number:
            settle(self._state, self._plan, ended, number, now)
        self._begun.clear()
        self._resized.clear()
        return finished

    def rate(self, route: int) -> float:
        """Return the present rate of one flow of a route, B/s; 0 where nothing runs."""
        return float(self._state.level[route] * self._plan.weight[route]) if self._running[route] else 0.0

    def planned_end(self, route: int) -> int | None:
        """Return the tick at which a route's flow ends at its present rate."""
        position = int(self._plan.where[route])
        return int(self._plan.keys[position]) if position >= 0 else None

    def bottleneck(self, route: int) -> int | None:
        """Return the link that holds a route's flow back; None if that is its own limit, or nothing runs."""
        link = int(self._state.bottleneck[route]) if self._running[route] else -1
        return link if 0 <= link < self._wires else None

    def users(self, link: int) -> list[int]:
        """Return the routes that run over a link, in order of their numbers."""
        found, crossing = [], int(self._state.head[link])
        while crossing >= 0:
            found.append(int(self._state.owner[crossing]))
            crossing = int(self._state.after[crossing])
        return sorted(set(found))

    def load(self, link: int) -> float:
        """Return the B/s that a link carries now."""
        return float(self._state.load[link])
