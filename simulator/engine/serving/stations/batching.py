"""Static and dynamic batching: a device takes up to so many requests at once, or what there is after a delay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from simulator.engine.clock import TICKS_PER_SECOND
from simulator.engine.serving.compiled import jit_entry, suited
from simulator.engine.serving.fleet.layout import NEVER, Ints
from simulator.engine.serving.stations.heap import pop, push
from simulator.engine.serving.stations.queue import PLAIN_S, Visits, ticks_of
from simulator.foundation.errors import InputError

Floats = npt.NDArray[np.float64]


@jit_entry
def _batching(
    arrival: Ints,
    free: Ints,
    largest: int,
    delay: int,
    occupied: Ints,
    latency: Ints,
    start: Ints,
    end: Ints,
    batch: Ints,
) -> None:
    """Fill starts, ends and batch sizes. A batch leaves when full, or when its first has waited ``delay``."""
    n, k = len(arrival), 0
    servers = len(free)
    while k < n:
        ready = max(free[0], arrival[k])
        # one that never fills leaves after its delay, or without a delay with the last request there is
        last = arrival[n - 1] + (delay if delay < NEVER else 0)
        full = arrival[k + largest - 1] if k + largest <= n else last
        go = max(ready, min(full, arrival[k] + delay))
        size = 1
        while k + size < n and size < largest and arrival[k + size] <= go:
            size += 1
        for i in range(k, k + size):
            start[i], end[i], batch[i] = go, go + latency[size], size
        pop(free, servers)
        push(free, servers - 1, go + occupied[size])
        k += size


def batched(
    arrival_s: Floats,
    *,
    latency_s: Sequence[float],
    occupied_s: Sequence[float] | None = None,
    servers: int = 1,
    delay_s: float | None = 0.0,
) -> tuple[Visits, Ints]:
    """Serve requests in batches by equal devices with one queue; return the visits and each request's batch size.

    Args:
        arrival_s: in order.
        latency_s: of a batch of 1, 2, ... requests; as many as the largest batch.
        occupied_s: how long a batch keeps the device from the next one; None: as long as its latency. A pipeline (an
            FPGA, a systolic array) takes the next batch after its initiation interval.
        servers: equal devices.
        delay_s: how long the first of a batch waits for others; None: until the batch is full (static batching).
    """
    if not latency_s or servers < 1 or (delay_s is not None and delay_s < 0):
        raise InputError(f"{servers} servers, batches of up to {len(latency_s)}, delay {delay_s} s cannot be.")
    latency = np.concatenate([[0], ticks_of(np.array(latency_s))])
    occupied = latency if occupied_s is None else np.concatenate([[0], ticks_of(np.array(occupied_s))])
    if len(occupied) != len(latency):
        raise InputError("give as many occupied_s as latency_s.")
    arrival = ticks_of(arrival_s)
    start, end, batch = np.zeros_like(arrival), np.zeros_like(arrival), np.ones_like(arrival)
    delay = NEVER if delay_s is None else round(delay_s * TICKS_PER_SECOND)
    free = np.zeros(servers, np.int64)
    serve = suited(_batching, len(arrival) * PLAIN_S)
    serve(arrival, free, len(latency_s), delay, occupied, latency, start, end, batch)
    none = np.zeros(len(arrival), bool)
    visits = Visits(arrival_s=arrival / TICKS_PER_SECOND, start_s=start / TICKS_PER_SECOND,
                    end_s=end / TICKS_PER_SECOND, refused=none, gave_up=none)  # fmt: skip
    return visits, batch
