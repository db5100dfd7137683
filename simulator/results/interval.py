"""How sure a mean over a few seeds is: Student's interval of independent runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure over independent runs, in the figure's own unit.

    Attributes:
        half: half the width of the interval that holds the true mean with the confidence; NaN for a single run.
        runs: runs in which the figure was finite.
    """

    mean: float
    half: float
    least: float
    most: float
    runs: int


def interval_of(values: npt.ArrayLike, *, confidence: float = CONFIDENCE) -> Interval:
    """Return mean and Student's t interval of independent values; what is not finite is left out.

    >>> interval_of([1.0, 2.0, 3.0]).half  # 4.303 * 1 / sqrt(3)
    2.4841377118437524
    """
    found = np.asarray(values, float)
    found = found[np.isfinite(found)]
    if not len(found):
        return Interval(mean=float("nan"), half=float("nan"), least=float("nan"), most=float("nan"), runs=0)
    half = float("nan")
    if len(found) > 1:
        from scipy.stats import t

        deviation = float(found.std(ddof=1)) / float(np.sqrt(len(found)))
        half = float(t.ppf(0.5 + confidence / 2, len(found) - 1)) * deviation
    return Interval(
        mean=float(found.mean()), half=half, least=float(found.min()), most=float(found.max()), runs=len(found)
    )


def intervals_of(runs: Sequence[Mapping[str, float]]) -> dict[str, Interval]:
    """Return the interval of each figure of several runs; a figure that a run lacks is missing there only."""
    names = dict.fromkeys(name for run in runs for name in run)
    return {name: interval_of([run.get(name, float("nan")) for run in runs]) for name in names}


def intervals_frame(intervals: Mapping[str, Interval]) -> pd.DataFrame:
    """Return one row per figure; the unit is in the figure's name."""
    import pandas as pd

    return pd.DataFrame(
        [
            {"metric": name, "mean": i.mean, "plus_minus": i.half, "least": i.least, "most": i.most, "runs": i.runs}
            for name, i in intervals.items()
        ]
    )
