"""Servers with a queue each, behind a router that sees how many customers each has."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simulator.engine.serving.compiled import jit_allocating, suited
from simulator.engine.serving.fleet.layout import Ints
from simulator.engine.serving.stations.queue import PLAIN_S, Visits, ticks_of, visits_of
from simulator.foundation.errors import UnknownName

Floats = npt.NDArray[np.float64]
POLICIES = ("round-robin", "random", "power-of-two", "least-requests")


@jit_allocating
def _routed(arrival: Ints, service: Ints, servers: int, policy: int, draws: Ints, start: Ints) -> None:
    free = np.zeros(servers, np.int64)
    count = np.zeros(servers, np.int64)
    first = np.full(servers, -1, np.int64)  # oldest customer still inside, by server
    last = np.full(servers, -1, np.int64)
    after = np.full(len(arrival), -1, np.int64)
    for k in range(len(arrival)):
        now = arrival[k]
        one, two = draws[k, 0], draws[k, 1]
        chosen = k % servers if policy == 0 else one
        candidates = servers if policy == 3 else 2 if policy == 2 else 0
        best = -1
        for c in range(candidates):
            s = c if policy == 3 else (one if c == 0 else two)
            while first[s] >= 0 and start[first[s]] + service[first[s]] <= now:
                first[s] = after[first[s]]
                count[s] -= 1
            if best < 0 or count[s] < count[best]:
                best = s
        if best >= 0:
            chosen = best
        begin = max(now, free[chosen])
        start[k] = begin
        free[chosen] = begin + service[k]
        if first[chosen] < 0:
            first[chosen] = k
        else:
            after[last[chosen]] = k
        last[chosen] = k
        count[chosen] += 1


def routed(
    arrival_s: Floats, service_s: Floats, *, servers: int, policy: str, generator: np.random.Generator
) -> Visits:
    """Serve customers by ``servers`` queues of one server each; raises :class:`UnknownName` of the policy."""
    if policy not in POLICIES:
        raise UnknownName("router", policy, POLICIES)
    arrival, service = ticks_of(arrival_s), ticks_of(service_s)
    start = np.empty(len(arrival), np.int64)
    draws = generator.integers(0, servers, (len(arrival), 2))
    serve = suited(_routed, len(arrival) * PLAIN_S)
    serve(arrival, service, servers, POLICIES.index(policy), draws, start)
    return visits_of(arrival, start, service)
