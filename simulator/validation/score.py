"""From predicted rows to errors: medians by source first, so that no publication drowns the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.validation.prediction import Prediction
from simulator.validation.tables import Measurement

#: a prediction within this fraction of the measurement counts as close
CLOSE: Final = 0.20

MEMORY: Final = "memory_gb"  # has its own block, and stays out of the headline


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A measured row beside what the model and the no-model control say of it.

    Attributes:
        baseline: the control's value in the unit of the metric; ``None`` where even that needs more facts.
    """

    row: Measurement
    prediction: Prediction
    baseline: float | None = None

    @property
    def error(self) -> float | None:
        """Predicted / measured - 1, a fraction; ``None`` when one of the two is missing."""
        return _relative(self.prediction.value, self.row.value)

    @property
    def baseline_error(self) -> float | None:
        """The same for the control."""
        return _relative(self.baseline, self.row.value)

    @property
    def answered(self) -> bool:
        """Whether the row is predicted; a run that ran out of memory is answered by a verdict alone."""
        if self.row.ran_out_of_memory:
            return self.prediction.fits is not None
        return self.prediction.predicted


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Absolute relative errors in three figures, each a fraction; ``None`` when no row was predicted."""

    median_ape: float | None = None
    p90_ape: float | None = None
    within_20pct: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The errors of one metric of one kind of work in one publication."""

    source_group: str
    kind_of_work: str
    metric: str
    rows: int
    predicted: int
    median_ape: float | None
    mape: float | None
    p90_ape: float | None
    within_20pct: float | None
    bias: float | None  # median of predicted / measured - 1


def _relative(predicted: float | None, measured: float | None) -> float | None:
    if predicted is None or measured is None:
        return None
    return predicted / measured - 1.0


def errors_of(signed: Iterable[float]) -> Errors:
    """Return median, 90th percentile (linear interpolation) and share within 20 % of pooled errors.

    >>> errors_of([0.1, -0.3, 0.05]).median_ape
    0.1
    """
    sizes = np.abs(np.fromiter(signed, dtype=float))
    if not sizes.size:
        return Errors()
    return Errors(
        median_ape=float(np.median(sizes)),
        p90_ape=float(np.percentile(sizes, 90)),
        within_20pct=float(np.mean(sizes <= CLOSE)),
    )


def headline(scored: Iterable[Scored], error: Callable[[Scored], float | None] = lambda one: one.error) -> Errors:
    """Return the mean over publications of each publication's errors over all its predicted rows but memory."""
    by_source: defaultdict[str, list[float]] = defaultdict(list)
    for one in scored:
        size = error(one)
        if size is not None and one.row.text("metric") != MEMORY:
            by_source[one.row.text("source_group")].append(size)
    each = [errors_of(by_source[source]) for source in sorted(by_source)]
    return Errors(
        median_ape=_mean([one.median_ape for one in each]),
        p90_ape=_mean([one.p90_ape for one in each]),
        within_20pct=_mean([one.within_20pct for one in each]),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def groups_of(scored: Iterable[Scored]) -> tuple[Group, ...]:
    """Return one :class:`Group` for each publication, kind of work and metric, in the order of their names."""
    held: defaultdict[tuple[str, str, str], list[Scored]] = defaultdict(list)
    for one in scored:
        held[one.row.text("source_group"), one.row.text("kind_of_work"), one.row.text("metric")].append(one)
    return tuple(_group(key, held[key]) for key in sorted(held))


def _group(key: tuple[str, str, str], members: Sequence[Scored]) -> Group:
    signed = [one.error for one in members if one.error is not None]
    errors = errors_of(signed)
    return Group(
        source_group=key[0],
        kind_of_work=key[1],
        metric=key[2],
        rows=len(members),
        predicted=sum(one.answered for one in members),
        median_ape=errors.median_ape,
        mape=float(np.mean(np.abs(signed))) if signed else None,
        p90_ape=errors.p90_ape,
        within_20pct=errors.within_20pct,
        bias=float(np.median(signed)) if signed else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Peak memory of the device, over usable and partial rows; errors are pooled."""

    rows: int
    predicted: int
    median_ape: float | None


def memory_of(scored: Iterable[Scored]) -> Memory:
    """Return the error of the measured peaks."""
    rows = [one for one in scored if one.row.text("metric") == MEMORY and one.row.value is not None]
    signed = [one.error for one in rows if one.error is not None]
    return Memory(rows=len(rows), predicted=len(signed), median_ape=errors_of(signed).median_ape)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfMemory:
    """The confusion of "fits": runs that fitted and runs that did not, and the wrong calls among each.

    A run that ran out of memory without being called so is a wrong call, also where there is no verdict: nobody was
    warned.
    """

    fits: int
    fits_called_oom: int
    oom: int
    oom_called_fits: int


_LAYOUT: tuple[str, ...] = ("dp", "tp", "pp")


def out_of_memory_of(scored: Iterable[Scored]) -> OutOfMemory:
    """Count wrong calls; a measured training row with dp, tp and pp printed is a run that fitted.

    Runs that ran out of memory count whatever their ``usable`` says: it judges times, and they have none.
    """
    training = [one for one in scored if one.row.kind == "training"]
    failed = [one for one in training if one.row.ran_out_of_memory]
    fitted = [
        one for one in training
        if not one.row.ran_out_of_memory and one.row.value is not None and all(map(one.row.text, _LAYOUT))
    ]  # fmt: skip
    return OutOfMemory(
        fits=len(fitted),
        fits_called_oom=sum(one.prediction.fits is False for one in fitted),
        oom=len(failed),
        oom_called_fits=sum(one.prediction.fits is not False for one in failed),
    )
