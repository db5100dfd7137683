"""Sensitivity: how far an assumption must be off before another decision is better."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass
from typing import Any, Final

#: factors tried, from the nearest on, in either direction
_TRIED: Final = (1.05, 1.1, 1.2, 1.35, 1.6, 2.0, 3.0)
#: halvings between the last factor that keeps the decision and the first that does not
_HALVINGS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """An assumption and the factor on it at which the decision changes; None: it does not between a third and thrice.

    ``becomes`` says what is decided then, or that nothing does.
    """

    assumption: str
    factor: float | None
    becomes: str

    def facts(self) -> dict[str, Any]:
        """Return the flip as plain data."""
        return asdict(self)


def flips_of(
    assumption: str, decide: Callable[[float], Hashable | None], say: Callable[[Any], str]
) -> tuple[Flip, ...]:
    """Return the nearest flip with the assumption larger, and with it smaller; one without a factor if there is none.

    Args:
        decide: the decision with the assumption times a factor; None if nothing can be decided then. It is taken to
            change once: what lies between two tried factors with the same decision is not looked at.
        say: a decision in words.
    """
    now = decide(1.0)
    found = []
    for upward in (True, False):
        kept = 1.0
        for step in _TRIED:
            factor = step if upward else 1.0 / step
            if (then := decide(factor)) != now:
                found.append(_between(assumption, decide, say, now, then, kept, factor))
                break
            kept = factor
    return tuple(found) or (Flip(assumption=assumption, factor=None, becomes="the same"),)


def _between(
    assumption: str, decide: Callable[[float], Hashable | None], say: Callable[[Any], str], now: Hashable | None,
    then: Hashable | None, kept: float, other: float,
) -> Flip:  # fmt: skip
    """Return the flip between the factor ``kept``, at which it is ``now``, and ``other``, at which it is ``then``."""
    for _ in range(_HALVINGS):
        middle = (kept * other) ** 0.5
        if (found := decide(middle)) == now:
            kept = middle
        else:
            other, then = middle, found
    return Flip(assumption=assumption, factor=other, becomes="nothing keeps the limits" if then is None else say(then))
