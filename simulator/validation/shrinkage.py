"""Most probable constants: what measured rows say, held against what is known of each constant beforehand.

In logarithms a constant is its prior's middle, plus what its family shares, plus a deviation of its own; both are
normal around nothing, with widths that the prior states. Constants that rows hardly tell stay where the prior has them,
moved with their family; those that many publications tell go where rows want them. Rows err by a Laplace law with a
rounded tip, so outliers pull no harder than others, and each publication counts as the same number of rows.

The maximum is found by Gauss-Newton steps with reweighted rows. A row's slope along a constant is measured anew where
the constant has moved far since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from simulator.validation.descent import Case, Knob

Floats = NDArray[np.float64]
Constants = TypeVar("Constants")

#: rows by which a publication counts, however many it has: those of one machine and one hand err together
_ROWS_OF_A_SOURCE: Final = 20.0
_SCATTER: Final = 0.08  # mean absolute logarithmic error of rows that the model gets right
_TIP: Final = 0.04  # errors below this pull in proportion to their size
_NUDGE: Final = 0.05  # how far a constant's logarithm is moved to see what rows do
_STALE: Final = 0.1  # slopes are measured anew once a logarithm has moved so far
_LEAP: Final = 0.5  # no round moves a logarithm further
_SETTLED: Final = 0.01
_ROUNDS: Final = 8
_REWEIGHTED: Final = 40  # reweightings of rows within a round, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """What is known of a constant before any row is seen; its middle is its value at the start.

    Attributes:
        width: standard deviation of its own logarithm around that of its family.
        family: constants that err together; "" for none.
        family_width: standard deviation of what the family shares.
    """

    width: float
    family: str = ""
    family_width: float = 0.0


def most_probable(
    cases: Sequence[Case[Constants]],
    priors: Mapping[Knob, Prior],
    start: Constants,
    scaled: Callable[[Constants, Knob, float], Constants],
) -> Constants:
    """Return the constants at the maximum of the posterior.

    Args:
        cases: the rows (at least one).
        start: the middles of the priors.
        scaled: returns constants with those of a knob multiplied by a factor.
    """
    knobs = list(priors)
    touched = [[n for n, case in enumerate(cases) if case.shows(knob)] for knob in knobs]
    sums, widths = _families(priors)
    weights = _weights(cases)
    offsets, slopes = np.zeros(len(widths)), np.zeros((len(cases), len(knobs)))
    seen_at = np.full(len(knobs), np.inf)

    def moved(logarithms: Floats) -> Constants:
        constants = start
        for knob, logarithm in zip(knobs, logarithms, strict=True):
            constants = scaled(constants, knob, exp(logarithm))
        return constants

    for _ in range(_ROUNDS):
        logarithms = sums @ offsets
        constants = moved(logarithms)
        errors = np.array([case.error(constants) for case in cases])
        for k in np.flatnonzero(np.abs(logarithms - seen_at) > _STALE):
            nudged = scaled(constants, knobs[k], exp(_NUDGE))
            for n in touched[k]:
                slopes[n, k] = (cases[n].error(nudged) - errors[n]) / _NUDGE
            seen_at[k] = logarithms[k]
        step = np.clip(_posterior(errors, slopes @ sums, offsets, widths, weights) - offsets, -_LEAP, _LEAP)
        offsets = offsets + step
        if np.abs(sums @ step).max() < _SETTLED:
            break
    return moved(sums @ offsets)


def _families(priors: Mapping[Knob, Prior]) -> tuple[Floats, Floats]:
    """Return which offsets make up each knob's logarithm, shape (knobs, knobs + families), and their widths."""
    families = sorted({prior.family for prior in priors.values()} - {""})
    shared = np.array([[prior.family == family for family in families] for prior in priors.values()], dtype=float)
    of_family = {prior.family: prior.family_width for prior in priors.values()}
    widths = [prior.width for prior in priors.values()] + [of_family[family] for family in families]
    return np.hstack([np.eye(len(priors)), shared.reshape(len(priors), -1)]), np.array(widths)


def _weights(cases: Sequence[Case[Constants]]) -> Floats:
    counted = Counter(case.source for case in cases)
    return np.array([_ROWS_OF_A_SOURCE / counted[case.source] for case in cases])


def _posterior(errors: Floats, slopes: Floats, offsets: Floats, widths: Floats, weights: Floats) -> Floats:
    """Return the offsets at the maximum if errors moved along straight lines."""
    unmoved, found = errors - slopes @ offsets, offsets
    for _ in range(_REWEIGHTED):
        expected = unmoved + slopes @ found
        pull = weights / (_SCATTER * np.hypot(expected, _TIP))
        curvature = slopes.T @ (pull[:, None] * slopes) + np.diag(1.0 / widths**2)
        before, found = found, np.asarray(np.linalg.solve(curvature, -slopes.T @ (pull * unmoved)), dtype=np.float64)
        if np.abs(found - before).max() < _SETTLED**2:
            break
    return found
