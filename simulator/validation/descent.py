"""Coordinate descent on measured rows: constants are scaled one after the other, and kept where rows come closer.

What is least is the mean, over publications, of clipped logarithmic errors, so that no publication drowns the others
and no outlier steers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Final, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Constants = TypeVar("Constants")
ConstantsIn = TypeVar("ConstantsIn", contravariant=True)

_WORST: Final = 0.7  # logarithmic errors count up to here
_TRIES: Final = (0.6, 0.8, 1.25, 1.6)
_TOLD: Final = 0.1  # rows tell a constant if a change of one per cent moves them by this many per cent
_NUDGE: Final = 0.2  # how far a constant's logarithm is moved to see whether rows follow


@dataclass(frozen=True, slots=True)
class Knob:
    """Constants that move together: what holds them, by kind and name, and their names there."""

    kind: str
    name: str
    names: tuple[str, ...]


class Case(Protocol[ConstantsIn]):
    """A measured row, read once and priced many times."""

    @property
    def source(self) -> str:
        """Its publication."""

    def error(self, constants: ConstantsIn) -> float:
        """Return the logarithm of predicted over measured under some constants."""

    def shows(self, knob: Knob) -> bool:
        """Return whether the row may depend on a knob."""


class Descent(Generic[Constants]):
    """Constants on their way to the least loss.

    Args:
        cases: the rows (at least one).
        knobs: constants that move together; those that no row depends on are left out.
        start: the constants to begin with.
        scaled: returns constants with those of a knob multiplied by a factor.
    """

    def __init__(
        self,
        cases: Sequence[Case[Constants]],
        knobs: Sequence[Knob],
        start: Constants,
        scaled: Callable[[Constants, Knob, float], Constants],
    ) -> None:
        self.cases, self.constants, self._scaled = cases, start, scaled
        self._touched = {knob: [n for n, case in enumerate(cases) if case.shows(knob)] for knob in knobs}
        self.knobs = [knob for knob in knobs if self._touched[knob]]
        self.errors = np.array([case.error(start) for case in cases])
        counted = Counter(case.source for case in cases)
        self._weights = np.array([1.0 / counted[case.source] for case in cases]) / len(counted)

    def told(self, knobs: Sequence[Knob]) -> list[Knob]:
        """Return those of some knobs that at least one row depends on."""
        return [knob for knob in knobs if self._touched[knob]]

    def loss(self, errors: Floats) -> float:
        """Return the mean over publications of their rows' mean clipped error."""
        return float(self._weights @ np.minimum(np.abs(errors), _WORST))

    def improve(self, knob: Knob, reach: float, *, price: float = 0.0) -> None:
        """Try factors on a knob, to the power of ``reach``, and keep the best if it is better than none.

        ``price`` is what the loss must gain for each unit of the factor's logarithm: it holds constants back that few
        rows tell.
        """
        found = [(self.loss(self.errors), self.constants, self.errors)]
        for tried in _TRIES:
            constants = self._scaled(self.constants, knob, tried**reach)
            errors = self._renewed(constants, knob)
            found.append((self.loss(errors) + price * reach * abs(log(tried)), constants, errors))
        _, self.constants, self.errors = min(found, key=lambda one: one[0])

    def scale(self, knob: Knob, factor: float) -> None:
        """Multiply the constants of a knob, better or not."""
        self.constants = self._scaled(self.constants, knob, factor)
        self.errors = self._renewed(self.constants, knob)

    def tells(self, knob: Knob) -> bool:
        """Return whether rows follow when the constants of a knob move."""
        touched = self._touched[knob]
        if not touched:
            return False
        moved = self._renewed(self._scaled(self.constants, knob, exp(_NUDGE)), knob) - self.errors
        return bool(np.abs(moved[touched]).mean() > _TOLD * _NUDGE)

    def _renewed(self, constants: Constants, knob: Knob) -> Floats:
        errors = self.errors.copy()
        for n in self._touched[knob]:
            errors[n] = self.cases[n].error(constants)
        return errors


def spread(rows: Sequence[Mapping[str, str]], most: int) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield about ``most`` rows of each publication, evenly spread over it, with its name."""
    by_source: defaultdict[str, list[Mapping[str, str]]] = defaultdict(list)
    for row in rows:
        by_source[row["source_group"]].append(row)
    for source, mine in sorted(by_source.items()):
        for row in mine[:: max(1, len(mine) // most)]:
            yield source, row
