"""Messages between stages: posted once, on their way for a while, taken once."""

from __future__ import annotations

from collections.abc import Generator, Hashable
from typing import Any

import simpy


class Mail:
    """Messages by key; whoever takes one waits until it was posted and has arrived."""

    def __init__(self, env: simpy.Environment) -> None:
        self._env = env
        self._arrivals: dict[Hashable, int] = {}
        self._waiting: dict[Hashable, Any] = {}

    def post(self, key: Hashable, delay: int) -> None:
        """Send a message that arrives ``delay`` ticks from now."""
        assert key not in self._arrivals, f"two messages {key}"
        self._arrivals[key] = int(self._env.now) + delay
        if key in self._waiting:
            self._waiting.pop(key).succeed()

    def take(self, key: Hashable) -> Generator[Any, Any, None]:
        """Wait for a message and remove it."""
        if key not in self._arrivals:
            self._waiting[key] = self._env.event()
            yield self._waiting[key]
        left = self._arrivals.pop(key) - int(self._env.now)
        if left > 0:
            yield self._env.timeout(left)
