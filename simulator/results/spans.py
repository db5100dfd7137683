"""Spans: what happened where, from when to when. Timelines and traces are made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One piece of work on one lane.

    Attributes:
        lane: where: a stage, a rank, a device, a link.
        name: what it was, short enough to be written into a bar, as in ``F3`` (forward of micro-batch 3).
        kind: what the time is spent on; a key of ``style.KINDS`` gives it its colour.
        start_s, end_s: simulated seconds.
    """

    lane: str
    name: str
    kind: str
    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        assert self.start_s <= self.end_s, f"a span ends after it starts: {self}"

    @property
    def length_s(self) -> float:
        """Seconds from start to end."""
        return self.end_s - self.start_s


def lanes_of(spans: Iterable[Span]) -> list[str]:
    """Return the lanes in the order in which they first appear."""
    return list(dict.fromkeys(span.lane for span in spans))
