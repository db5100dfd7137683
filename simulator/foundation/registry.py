"""Named things that others may add: schedules, collectives, routers, policies, shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from simulator.foundation.errors import UnknownName

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """A mapping from name to thing, filled by decoration and read in sorted order.

    >>> greetings: Registry[str] = Registry("greeting")
    >>> greetings.add("plain", "hello")
    >>> greetings["plain"]
    'hello'
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def add(self, name: str, thing: T) -> T:
        """Put ``thing`` under ``name`` and return it; a second thing under one name is our own fault."""
        assert name not in self._entries, f"two {self.kind}s are named {name!r}"
        self._entries[name] = thing
        return thing

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that adds what it decorates."""

        def decorate(thing: T) -> T:
            return self.add(name, thing)

        return decorate

    def __getitem__(self, name: str) -> T:
        """Return the thing; raises :class:`UnknownName` with near names."""
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownName(self.kind, name, self._entries) from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        return len(self._entries)
