"""A pipe that its transfers share evenly, each up to a cap of its own kind: storage servers, a link, a disk.

Processor sharing in virtual time: with n transfers open, each moves at ``min(cap, capacity / n)``. All move alike, so
one number says how far every transfer has come since the pipe was empty, and only the nearest end is looked at.
Cost: O(log n) per transfer.
"""

from __future__ import annotations

import math
from heapq import heappop, heappush

from simulator.engine.clock import TICKS_PER_SECOND


class SharedPipe:
    """Transfers in and out, at times that never go back.

    Args:
        capacity: bytes/s of the whole.
        cap: bytes/s of one transfer at most.
    """

    def __init__(self, capacity: float, cap: float = math.inf) -> None:
        assert capacity > 0 and cap > 0, "a pipe moves something"
        self.capacity, self.cap = capacity, cap
        self.moved = 0.0  # bytes of ended transfers
        self.busy_ticks = 0  # with at least one transfer open
        self._open: list[tuple[float, int, int, float]] = []  # (end in virtual bytes, order, tag, bytes)
        self._now = 0
        self._virtual = 0.0
        self._order = 0

    @property
    def open(self) -> int:
        """Transfers under way."""
        return len(self._open)

    def rate(self) -> float:
        """Bytes/s of each open transfer."""
        return min(self.cap, self.capacity / len(self._open)) if self._open else 0.0

    def start(self, now: int, size: float, tag: int) -> None:
        """Open a transfer of ``size`` bytes; ``tag`` comes back when it ends."""
        self._advance(now)
        heappush(self._open, (self._virtual + size, self._order, tag, size))
        self._order += 1

    def next_end(self) -> int | None:
        """The tick at which the next transfer ends if nothing else happens; None if none is open or all stand still."""
        if not self._open:
            return None
        left = self._open[0][0] - self._virtual
        rate = self.rate()
        if math.isinf(rate) or left <= 0:
            return self._now
        return self._now + math.ceil(left / rate * TICKS_PER_SECOND) if rate > 0 else None

    def end(self, now: int) -> int:
        """Close the transfer that ends at ``now`` (as :meth:`next_end` said) and return its tag."""
        self._advance(now)
        virtual, _, tag, size = heappop(self._open)
        self._virtual = virtual if self._open else 0.0  # a fresh start keeps the numbers small
        self.moved += size
        return tag

    def change(self, now: int, capacity: float) -> None:
        """Set another capacity from now on: servers failed, came back, or are rebuilding."""
        assert capacity >= 0, "capacity cannot be negative"
        self._advance(now)
        self.capacity = capacity

    def _advance(self, now: int) -> None:
        assert now >= self._now, "time went back"
        if self._open:
            self.busy_ticks += now - self._now
            rate = self.rate()
            if not math.isinf(rate):
                self._virtual = min(self._virtual + rate * (now - self._now) / TICKS_PER_SECOND, self._open[0][0])
        self._now = now
