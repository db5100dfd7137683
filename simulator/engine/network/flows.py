"""Flows over shared links: the public face of the flow-level network.

Rates are weighted max-min fair at every instant; see ``fill`` for the rule, ``repair`` for how a change is solved where
it happens, ``run`` for the event loops. Results do not depend on the order in which flows are given: they are put into
one order first, and identical ones are folded into one with a count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simulator.engine.clock import to_seconds, to_ticks
from simulator.engine.network.fill import certificate, fill, transpose
from simulator.engine.network.repair import new_state
from simulator.engine.network.run import new_plan, run_batched, run_exact
from simulator.foundation.errors import Infeasible, InputError

Array: TypeAlias = NDArray[Any]

#: flows per link above which an exact run touches so many flows at each event that batching pays
DENSE: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Bytes from one place to another.

    Attributes:
        route: numbers of the directed links that it crosses; none: it stays where it is.
        size: bytes of one flow.
        start: s.
        latency: s from the last byte sent to the last byte there.
        weight: share of a link against other flows' weights.
        count: like flows that this one stands for; each has the weight and the size.
        limit: the most one of them can send, B/s: its window, its loss, its host.
        owner: whose it is, for the account of who slows whom.
    """

    route: tuple[int, ...]
    size: float
    start: float = 0.0
    latency: float = 0.0
    weight: float = 1.0
    count: float = 1.0
    limit: float = float("inf")
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A link's capacity from some time on, B/s; 0: it is down."""

    time: float
    link: int
    capacity: float


@dataclass(frozen=True, slots=True)
class Flows:
    """Many flows as columns; ``starts`` cuts ``links`` into routes. Use :meth:`of` for a list of :class:`Flow`."""

    starts: Array
    links: Array
    size: Array
    begin: Array  # ticks
    latency: Array  # ticks
    weight: Array
    count: Array
    limit: Array

    @classmethod
    def of(cls, flows: Sequence[Flow]) -> Flows:
        """Return the columns of a list."""
        return cls(
            starts=np.cumsum([0, *(len(flow.route) for flow in flows)], dtype=np.int64),
            links=np.array([link for flow in flows for link in flow.route], dtype=np.int64),
            size=np.array([flow.size for flow in flows], dtype=float),
            begin=np.array([to_ticks(flow.start) for flow in flows], dtype=np.int64),
            latency=np.array([to_ticks(flow.latency) for flow in flows], dtype=np.int64),
            weight=np.array([flow.weight for flow in flows], dtype=float),
            count=np.array([flow.count for flow in flows], dtype=float),
            limit=np.array([flow.limit for flow in flows], dtype=float),
        )

    @classmethod
    def together(cls, starts: Any, links: Any, size: Any) -> Flows:
        """Return plain flows that all begin at 0: routes by ``starts`` and ``links``, bytes by ``size``."""
        number = len(starts) - 1
        zero = np.zeros(number, np.int64)
        ones = np.ones(number)
        return cls(
            starts=np.asarray(starts, np.int64), links=np.asarray(links, np.int64),
            size=np.broadcast_to(np.asarray(size, float), number).copy(), begin=zero, latency=zero, weight=ones,
            count=ones, limit=np.full(number, np.inf),
        )  # fmt: skip

    def __len__(self) -> int:
        return int(self.size.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of the flows, in the order given.

    Attributes:
        end: tick at which the last byte of each flow is there.
        classes: distinct flows that were simulated; ``instants``: times at which a rate changed; ``touched``: rates
            solved at all of these together.
    """

    end: Array
    classes: int
    instants: int
    touched: int
    _seconds: list[Array] = field(default_factory=list, repr=False, compare=False)

    @property
    def seconds(self) -> Array:
        """The ends in s."""
        return np.asarray([to_seconds(int(tick)) for tick in self.end])

    @property
    def makespan(self) -> float:
        """The last end, s; 0 without flows."""
        return to_seconds(int(self.end.max())) if self.end.size else 0.0


def play(
    capacity: Any, flows: Flows | Sequence[Flow], *, changes: Sequence[Change] = (), epsilon: float = 0.0
) -> Played:
    """Play flows to their ends over links of the given capacities.

    Args:
        capacity: B/s of each directed link.
        changes: of capacities; 0 for a link that fails.
        epsilon: 0 for exact ends; 0.01 takes ends within 1 % of a flow's age at one instant, which is much faster where
            many flows share every link (more than about :data:`DENSE`).

    Raises:
        InputError: a route over an unknown link, a negative size or weight, changes together with ``epsilon``.
        Infeasible: a flow that never ends, since a link on its route has no capacity.
    """
    columns = flows if isinstance(flows, Flows) else Flows.of(flows)
    capacities = np.asarray(capacity, dtype=float)
    _check(columns, capacities)
    if changes and epsilon:
        raise InputError("capacity changes need exact ends: leave epsilon at 0.")
    folded, members = fold(columns)
    moving = np.flatnonzero((folded.size > 0) & (np.diff(folded.starts) > 0))
    end = folded.begin.copy()
    touched = instants = 0
    if moving.size:
        some = _pick(folded, moving)
        wires, some = _with_limits(capacities, some)
        done, touched, instants = _run(wires, some, changes, epsilon)
        if np.any(done < 0):
            raise _stalled(some, int(np.flatnonzero(done < 0)[0]), wires, changes)
        end[moving] = done
    end = end + folded.latency
    return Played(end=end[members], classes=len(folded), instants=int(instants), touched=int(touched))


def rates(capacity: Any, flows: Flows | Sequence[Flow]) -> Array:
    """Return the max-min fair rate of each flow in B/s, all of them running; infinite for one that crosses nothing."""
    columns = flows if isinstance(flows, Flows) else Flows.of(flows)
    capacities = np.asarray(capacity, dtype=float)
    _check(columns, capacities)
    folded, members = fold(columns)
    wires, some = _with_limits(capacities, folded)
    level = np.full(len(some), np.inf)
    live = np.diff(some.starts) > 0
    first, of_link = transpose(some.starts, some.links, wires.size)
    fill(some.starts, some.links, first, of_link, wires, some.weight * some.count, live, level)
    return np.asarray((level * some.weight)[members])


def fairness_gap(capacity: Any, flows: Flows | Sequence[Flow], found: Any) -> tuple[float, float]:
    """Return (most a link is over its capacity, worst gap to fairness) of given rates, both relative."""
    columns = flows if isinstance(flows, Flows) else Flows.of(flows)
    wires, some = _with_limits(np.asarray(capacity, dtype=float), columns)
    live = np.diff(some.starts) > 0
    level = np.where(live, np.asarray(found, dtype=float) / some.weight, 0.0)
    over, gap = certificate(some.starts, some.links, wires, some.weight * some.count, live, level)
    return float(over), float(gap)


def fold(flows: Flows) -> tuple[Flows, Array]:
    """Put flows into one order and merge identical ones; return the merged flows and the one each belongs to."""
    number = len(flows)
    if number == 0:
        return flows, np.zeros(0, np.int64)
    lengths = np.diff(flows.starts)
    width = int(lengths.max()) if number else 0
    routes = np.full((number, width), -1, np.int64)
    routes[np.arange(width) < lengths[:, None]] = flows.links
    columns = [flows.limit, flows.weight, flows.latency, flows.size, *routes.T[::-1], flows.begin]
    order = np.lexsort(columns)
    same = np.ones(number - 1, bool)
    for column in columns:
        same &= column[order[1:]] == column[order[:-1]]
    group = np.concatenate([[0], np.cumsum(~same)])
    members = np.empty(number, np.int64)
    members[order] = group
    leaders = order[np.concatenate([[True], ~same])]
    merged = _pick(flows, leaders)
    ordered = np.bincount(group, weights=flows.count[order])
    return Flows(
        merged.starts, merged.links, merged.size, merged.begin, merged.latency, merged.weight, ordered, merged.limit
    ), members


def _pick(flows: Flows, chosen: Array) -> Flows:
    lengths = np.diff(flows.starts)[chosen]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    positions = np.repeat(flows.starts[chosen] - starts[:-1], lengths) + np.arange(starts[-1])
    columns = (flows.size, flows.begin, flows.latency, flows.weight, flows.count, flows.limit)
    return Flows(starts, flows.links[positions], *(column[chosen] for column in columns))


def _with_limits(capacity: Array, flows: Flows) -> tuple[Array, Flows]:
    """Give every flow that has a limit of its own a link of that capacity."""
    limited = np.flatnonzero(np.isfinite(flows.limit))
    if not limited.size:
        return capacity, flows
    wires = np.concatenate([capacity, flows.limit[limited] * flows.count[limited]])
    lengths = np.diff(flows.starts)
    extra = np.zeros(len(flows), np.int64)
    extra[limited] = 1
    starts = np.concatenate([[0], np.cumsum(lengths + extra)]).astype(np.int64)
    links = np.empty(starts[-1], np.int64)
    own = np.repeat(starts[:-1] - flows.starts[:-1], lengths) + np.arange(flows.links.size)
    links[own] = flows.links
    links[starts[1:][limited] - 1] = capacity.size + np.arange(limited.size)
    return wires, Flows(starts, links, flows.size, flows.begin, flows.latency, flows.weight, flows.count, flows.limit)


def _run(wires: Array, flows: Flows, changes: Sequence[Change], epsilon: float) -> Any:
    mass = flows.weight * flows.count
    order = np.argsort(flows.begin, kind="stable")
    if epsilon:
        first, of_link = transpose(flows.starts, flows.links, wires.size)
        shape = (flows.starts, flows.links, first, of_link, wires)
        return run_batched(*shape, flows.weight, mass, flows.size, flows.begin, order, epsilon)
    plan = sorted(changes, key=lambda change: (change.time, change.link, change.capacity))
    return run_exact(
        new_state(flows.starts, flows.links, wires, mass),
        new_plan(flows.weight),
        flows.size,
        flows.begin,
        order,
        np.array([to_ticks(change.time) for change in plan], dtype=np.int64),
        np.array([change.link for change in plan], dtype=np.int64),
        np.array([change.capacity for change in plan], dtype=float),
    )


def _check(flows: Flows, capacity: Array) -> None:
    if flows.links.size and (flows.links.min() < 0 or flows.links.max() >= capacity.size):
        bad = int(flows.links.max() if flows.links.max() >= capacity.size else flows.links.min())
        raise InputError(f"a route crosses link {bad}; there are links 0 to {capacity.size - 1}.")
    if np.any(capacity < 0) or np.any(np.isnan(capacity)):
        raise InputError("a link has a negative capacity; give B/s of 0 (down) or more.")
    for name, column, least in (("size", flows.size, 0.0), ("start", flows.begin, 0), ("latency", flows.latency, 0)):
        if np.any(column < least) or not np.all(np.isfinite(column)):
            raise InputError(f"a flow has a {name} of {column.min():g}; give {least:g} or more.")
    for name, column in (("weight", flows.weight), ("count", flows.count), ("limit", flows.limit)):
        if np.any(~(column > 0)):
            raise InputError(f"a flow has a {name} of {column.min():g}; give more than 0.")


def _stalled(flows: Flows, flow: int, wires: Array, changes: Sequence[Change]) -> Infeasible:
    route = flows.links[flows.starts[flow] : flows.starts[flow + 1]]
    final = wires.copy()
    for change in sorted(changes, key=lambda change: change.time):
        final[change.link] = change.capacity
    narrow = int(route[np.argmin(final[route])])
    return Infeasible(
        f"a flow of {flows.size[flow]:g} B never ends: link {narrow} on its route has {final[narrow]:g} B/s.",
        binding=f"capacity of link {narrow}",
        relaxation="route the flow around that link, or bring the link back",
    )
