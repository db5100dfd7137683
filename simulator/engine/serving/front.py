"""What a request passes before a replica sees it: connection, gateway, interception, rate limit, response cache.

Each part is a pass over the requests in order of arrival; what it costs is added to their way, and who is turned away
carries the reason. Nothing here depends on what the replicas do.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simulator.engine.serving.stations.queue import Line, first_come
from simulator.foundation.errors import InputError
from simulator.workload.requests import Requests

Floats = npt.NDArray[np.float64]

#: why a request does not get to the replicas, in the order of the parts
REASONS: Final = ("", "intercepted", "rate-limited", "gateway-full", "cached")
INTERCEPTED, LIMITED, FULL, CACHED = 1, 2, 3, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The parts in front of the replicas; what is None or 0 is not there.

    Attributes:
        rtt_s: round trip between client and gateway.
        tls: whether a new connection negotiates TLS 1.3: one round trip beside TCP's own.
        keep_alive: whether a session's later requests use its connection; without sessions, whether all do.
        gateway_s: validation and authentication of one request, by one of ``gateway_workers``.
        gateway_room: requests in the gateway at once.
        intercept: groups that are turned away.
        rate_limit: tokens per second of the bucket that every request takes one of.
        burst: tokens that the bucket holds.
        cache_entries: answers kept; a request for the same text again is answered at once.
        cache_distinct: different texts, asked with Zipf's popularity.
        cache_ttl_s: how long an answer is kept; 0: until its room is needed.
        outages: times (begin, end) without a link between clients and gateway: what is sent meanwhile, requests and
            answers, comes when they are over, as TCP sends it again. In order, apart from each other.
    """

    rtt_s: float = 0.0
    tls: bool = True
    keep_alive: bool = True
    gateway_s: float = 0.0
    gateway_workers: int = 1
    gateway_room: int | None = None
    intercept: tuple[str, ...] = ()
    rate_limit: float | None = None
    burst: float = 1.0
    cache_entries: int = 0
    cache_distinct: int = 0
    cache_skew: float = 1.0
    cache_ttl_s: float = 0.0
    outages: tuple[tuple[float, float], ...] = ()

    def sent(self, instants: Floats) -> Floats:
        """Return when what is sent at these instants gets on its way."""
        found = instants
        for begin, end in self.outages:
            found = np.where((instants >= begin) & (instants < end), end, found)
        return found

    def waits(self, instants: Floats) -> Floats:
        """Return how long what is sent at these instants waits for a lost link, in seconds."""
        return self.sent(instants) - instants


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What the front did with each request."""

    reason: npt.NDArray[np.int8]  # index into REASONS; 0 goes on to the replicas
    reaches_s: Floats  # when it reaches the router, for those that go on or are answered from the cache
    back_s: float  # from the replica to the client

    def order(self) -> npt.NDArray[np.int64]:
        """Return the requests that get through to the replicas, in the order in which they do."""
        inside = np.flatnonzero(self.reason == 0)
        found: npt.NDArray[np.int64] = inside[np.argsort(self.reaches_s[inside], kind="stable")]
        return found

    def last_s(self) -> float:
        """Return when the last request with an arrival of its own reaches the router, in seconds."""
        return float(np.max(self.reaches_s, initial=0.0, where=np.isfinite(self.reaches_s)))


def pass_front(requests: Requests, front: Front, generator: np.random.Generator) -> Passed:
    """Return who gets through to the replicas, and when."""
    return FrontLine(front, generator).let_in(requests)


class FrontLine:
    """The parts with what they remember, so that requests may come in windows one after another."""

    def __init__(self, front: Front, generator: np.random.Generator) -> None:
        self.front, self._generator = front, generator
        self._bucket = [front.burst, 0.0]  # tokens, and when they were counted
        self._gateway = Line.of(front.gateway_workers, front.gateway_room)
        self._answers: OrderedDict[int, float] = OrderedDict()  # text -> since when it is kept

    def let_in(self, requests: Requests) -> Passed:
        """Return who gets through to the replicas, and when; requests of a later call come later."""
        front = self.front
        reason = np.zeros(len(requests), np.int8)
        reaches = front.sent(requests.arrival_s) + front.rtt_s / 2 + _connecting(requests, front)
        for name in front.intercept:
            if name not in requests.groups or requests.group is None:
                known = ", ".join(requests.groups) or "none"
                raise InputError(f"no group of requests {name!r} to intercept. Known: {known}.")
            reason[requests.group == requests.groups.index(name)] = INTERCEPTED
        if front.rate_limit is not None:
            _limit(reaches, reason, front.rate_limit, front.burst, self._bucket)
        if front.gateway_s > 0:
            _gateway(reaches, reason, front, self._gateway)
        if front.cache_entries > 0:
            _cache(reaches, reason, front, self._generator, self._answers)
        return Passed(reason=reason, reaches_s=reaches, back_s=front.rtt_s / 2)

    def state(self) -> dict[str, Any]:
        """Return what the parts remember, as JSON can hold it."""
        line = self._gateway
        return {
            "bucket": list(self._bucket),
            "gateway": [line.free.tolist(), line.ends.tolist(), line.inside.tolist()],
            "answers": list(self._answers.items()),
            "generator": self._generator.bit_generator.state,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what :meth:`state` returned."""
        self._bucket = list(state["bucket"])
        free, ends, inside = (np.array(values, np.int64) for values in state["gateway"])
        self._gateway = Line(free=free, ends=ends, inside=inside)
        self._answers = OrderedDict((int(text), float(since)) for text, since in state["answers"])
        self._generator.bit_generator.state = state["generator"]


def _connecting(requests: Requests, front: Front) -> Floats:
    """Return the seconds that new connections cost: a round trip for TCP, and one for TLS."""
    cost = front.rtt_s * (2 if front.tls else 1)
    if not front.keep_alive:
        return np.full(len(requests), cost)
    if requests.session is None:
        return np.zeros(len(requests))
    _, first = np.unique(requests.session, return_index=True)
    found = np.zeros(len(requests))
    found[first] = cost
    return found


def _waiting(reason: npt.NDArray[np.int8], reaches: Floats) -> npt.NDArray[np.int64]:
    """Return the requests still on their way, in the order in which they reach the next part."""
    open_ = np.flatnonzero((reason == 0) & np.isfinite(reaches))
    ordered: npt.NDArray[np.int64] = open_[np.argsort(reaches[open_], kind="stable")]
    return ordered


def _limit(reaches: Floats, reason: npt.NDArray[np.int8], rate: float, burst: float, bucket: list[float]) -> None:
    """Let through what a token bucket lets through."""
    tokens, before = bucket
    for k in _waiting(reason, reaches).tolist():
        now = float(reaches[k])
        tokens = min(burst, tokens + (now - before) * rate)
        before = now
        if tokens < 1:
            reason[k] = LIMITED
        else:
            tokens -= 1
    bucket[:] = tokens, before


def _gateway(reaches: Floats, reason: npt.NDArray[np.int8], front: Front, line: Line) -> None:
    order = _waiting(reason, reaches)
    service = np.full(len(order), front.gateway_s)
    visits = first_come(reaches[order], service, servers=front.gateway_workers, room=front.gateway_room, line=line)
    reaches[order] = np.where(visits.refused, reaches[order], visits.end_s)
    reason[order[visits.refused]] = FULL


def _cache(
    reaches: Floats,
    reason: npt.NDArray[np.int8],
    front: Front,
    generator: np.random.Generator,
    kept: OrderedDict[int, float],
) -> None:
    """Answer what was answered lately; least recently used answers go first."""
    order = _waiting(reason, reaches)
    weights = np.arange(1, max(1, front.cache_distinct) + 1) ** -front.cache_skew
    texts = np.searchsorted(np.cumsum(weights / weights.sum()), generator.random(len(order)))
    for k, text in zip(order.tolist(), texts.tolist(), strict=True):
        now = float(reaches[k])
        since = kept.get(text)
        if since is not None and (front.cache_ttl_s == 0 or now - since <= front.cache_ttl_s):
            reason[k] = CACHED
            kept.move_to_end(text)
            continue
        kept[text] = now
        kept.move_to_end(text)
        if len(kept) > front.cache_entries:
            kept.popitem(last=False)
