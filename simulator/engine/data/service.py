"""A storage as a service of the simulated cluster: reads, checkpoint writes, failures and rebuilds share its servers.

A SimPy process asks with ``yield service.read(bytes)`` or ``yield service.write(bytes)``. All transfers share the
servers' time evenly, so a checkpoint slows the loaders and a rebuild slows both. The environment's clock counts
ticks (see :mod:`simulator.engine.clock`).
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

import simpy

from simulator.costs.storage import StorageSystem
from simulator.engine.clock import to_ticks
from simulator.engine.data.pipe import SharedPipe


class StorageService:
    """One storage system that any number of processes use at once.

    The shared quantity is the time of all healthy servers: a read of b bytes takes ``b / read_total`` of it, a write
    ``b / write_total`` (redundancy included).

    Args:
        env: clock in ticks.
        system: the storage when nothing is broken.
        client_bandwidth: B/s that one transfer can draw through its client's adapter.
    """

    def __init__(self, env: simpy.Environment, system: StorageSystem, client_bandwidth: float = math.inf) -> None:
        assert math.isfinite(system.read_total), "a service needs a finite bandwidth"
        self.env, self.system = env, system
        self.failed = 0
        self.read_bytes = self.written_bytes = 0.0
        self._pipe = SharedPipe(capacity=1.0, cap=min(1.0, client_bandwidth / system.read_total))
        self._waiting: dict[int, simpy.Event] = {}
        self._tag = 0
        self._version = 0

    @property
    def busy_ticks(self) -> int:
        """Ticks in which at least one transfer was open."""
        return self._pipe.busy_ticks

    def read(self, size: float) -> simpy.Event:
        """Return an event that fires when ``size`` bytes have been read."""
        self.read_bytes += size
        return self._transfer(size / self.system.read_total)

    def write(self, size: float) -> simpy.Event:
        """Return an event that fires when ``size`` bytes are stored with their redundancy."""
        self.written_bytes += size
        return self._transfer(size / min(self.system.write_total, self.system.read_total))

    def fail(self, servers: int = 1) -> None:
        """Take servers away; raises :class:`InputError` if more are gone than the redundancy tolerates."""
        left = self.system.degraded(self.failed + servers)
        self.failed += servers
        self._set_capacity(left.servers)

    def rebuild(self, servers: int = 1, used_fraction: float = 1.0) -> simpy.Event:
        """Restore what failed servers held, beside the other traffic; the event fires when they serve again."""
        assert 1 <= servers <= self.failed, "only failed servers are rebuilt"
        lost = servers * self.system.capacity * used_fraction
        work = lost * self.system.redundancy.rebuild_reads / self.system.read_total
        return self.env.process(self._rebuilding(work, servers))

    def _rebuilding(self, work: float, servers: int) -> Generator[simpy.Event, Any, None]:
        yield self._transfer(work)
        self.failed -= servers
        self._set_capacity(self.system.servers - self.failed)

    def _set_capacity(self, servers: int) -> None:
        self._pipe.change(int(self.env.now), servers / self.system.servers)
        self._plan_next_end()

    def _transfer(self, work: float) -> simpy.Event:
        done = self.env.event()
        latency = self.env.timeout(to_ticks(self.system.latency))
        latency.callbacks.append(lambda _: self._begin(work, done))
        return done

    def _begin(self, work: float, done: simpy.Event) -> None:
        self._waiting[self._tag] = done
        self._pipe.start(int(self.env.now), work, self._tag)
        self._tag += 1
        self._plan_next_end()

    def _plan_next_end(self) -> None:
        """Look again at the nearest end; an older look that wakes up later finds its version passed."""
        self._version += 1
        end = self._pipe.next_end()
        if end is not None:
            version = self._version
            wake = self.env.timeout(end - self.env.now)
            wake.callbacks.append(lambda _: self._end(version))

    def _end(self, version: int) -> None:
        if version != self._version:
            return
        self._waiting.pop(self._pipe.end(int(self.env.now))).succeed()
        self._plan_next_end()
