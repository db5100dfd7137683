"""Where the runs of a search are done: here, one after another, or by workers; and kept as they come.

A run is a function of what describes it, and its answer is plain data, so that it can be done elsewhere and kept. A
search asks for runs in an order of its own and decides on the answers in that order: neither who does them, nor whether
a run was kept from an earlier search, changes what it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from simulator.foundation.files import canonical_json

#: what a run comes to: names, numbers and lists of them, as JSON holds them
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a search.

    Attributes:
        kind: what is run, in a word.
        known_by: what tells it from every other run of its kind for the same scenario.
        do: what does it, given ``arguments``.
    """

    kind: str
    known_by: Mapping[str, Any]
    do: Callable[..., Answer]
    arguments: tuple[Any, ...]

    @property
    def key(self) -> str:
        """The kind and what it is known by, as one text."""
        return canonical_json({"kind": self.kind, **self.known_by}, indent=None)


class Keeper(Protocol):
    """Keeps answers by key."""

    def get(self, key: str) -> Answer | None:
        """Return an answer; None if there is none yet."""

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer."""


class Spread(Protocol):
    """Does calls in any order; yields the number of each with its answer."""

    def __call__(self, calls: Sequence[tuple[Callable[..., Answer], tuple[Any, ...]]]) -> Iterator[tuple[int, Answer]]:
        """Do the calls."""


def one_by_one(calls: Sequence[tuple[Callable[..., Answer], tuple[Any, ...]]]) -> Iterator[tuple[int, Answer]]:
    """Do the calls here."""
    yield from ((number, do(*arguments)) for number, (do, arguments) in enumerate(calls))


@dataclass(slots=True)
class Workshop:
    """Does runs and knows those that are done.

    Attributes:
        keeper: keeps answers beyond this search; None for no one.
        spread: does several runs.
        width: how many runs are done at once.
    """

    keeper: Keeper | None = None
    spread: Spread = one_by_one
    width: int = 1
    _done: dict[str, Answer] = field(default_factory=dict)

    @property
    def plain(self) -> bool:
        """Whether runs are done here, and nothing is kept: then there is no need to describe them."""
        return self.keeper is None and self.spread is one_by_one

    def one(self, run: Run) -> Answer:
        """Return the answer of a run."""
        return self.all([run])[0]

    def all(self, runs: Sequence[Run]) -> list[Answer]:
        """Return the answers of runs in their order; those that are known are not done again."""
        missing = list({run.key: run for run in runs if self._known(run.key) is None}.values())
        for number, answer in self.spread([(run.do, run.arguments) for run in missing]) if missing else ():
            self._done[missing[number].key] = answer
            if self.keeper is not None:
                self.keeper.put(missing[number].key, answer)
        return [self._done[run.key] for run in runs]

    def ahead(self, runs: Iterable[Run]) -> None:
        """Do the next runs that are not known, as many at once as there are workers: they may be asked for next.

        Args:
            runs: those that the search may ask for, the likeliest first; the first is asked for in any case.
        """
        if self.width > 1:
            coming = list(islice(runs, self.width))
            if coming and self._known(coming[0].key) is None:
                _ = self.all(coming)

    def _known(self, key: str) -> Answer | None:
        if key not in self._done and self.keeper is not None and (kept := self.keeper.get(key)) is not None:
            self._done[key] = kept
        return self._done.get(key)
