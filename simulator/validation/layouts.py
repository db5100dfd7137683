"""Layout sets: whether the prediction puts the layouts of one job into the measured order.

A set is at least three rows alike in all but the layout (degrees of parallelism, micro-batch, sharding, recomputation).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.validation.scaling import layout_of, lower_is_better
from simulator.validation.score import MEMORY, Scored
from simulator.validation.tables import columns

_ALIKE: Final = columns(
    "source_group source kind_of_work metric model_id engine device_id devices_per_accel node_id n_nodes n_accel "
    "precision global_batch_samples seq_len_tokens image_size_px optimizer interconnect"
)
_SMALLEST: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Layouts:
    """How many sets there are; mean rank correlation; mean cost of picking the predicted best (a fraction)."""

    sets: int
    mean_spearman: float | None
    mean_regret: float | None


def layouts_of(scored: Iterable[Scored]) -> Layouts:
    """Return rank correlation and regret over the layout sets among the predicted training rows."""
    sets = layout_sets(scored)
    ranks = [rank for rank in map(rank_correlation, sets) if rank is not None]
    return Layouts(
        sets=len(sets),
        mean_spearman=float(np.mean(ranks)) if ranks else None,
        mean_regret=float(np.mean([regret(one) for one in sets])) if sets else None,
    )


def layout_sets(scored: Iterable[Scored]) -> list[list[Scored]]:
    """Return the sets, in the order of what their rows share."""
    held: defaultdict[tuple[str, ...], list[Scored]] = defaultdict(list)
    for one in scored:
        if one.row.kind == "training" and one.error is not None and one.row.text("metric") != MEMORY:
            held[tuple(map(one.row.text, _ALIKE))].append(one)
    each = [held[key] for key in sorted(held)]
    return [rows for rows in each if len({layout_of(one.row.cells) for one in rows}) >= _SMALLEST]


def _values(rows: Sequence[Scored]) -> tuple[np.ndarray, np.ndarray]:
    """Return measured and predicted costs: times as they are, rates inverted."""
    measured = np.array([one.row.value for one in rows], dtype=float)
    predicted = np.array([one.prediction.value for one in rows], dtype=float)
    if lower_is_better(rows[0].row.text("metric")):
        return measured, predicted
    return 1.0 / measured, 1.0 / predicted


def rank_correlation(rows: Sequence[Scored]) -> float | None:
    """Return Spearman's rank correlation, ties sharing their mean rank.

    ``None`` when all measured values are equal (there is no order to find); 0 when all predicted ones are.
    """
    measured, predicted = (_ranks(values) for values in _values(rows))
    if np.ptp(measured) == 0.0:
        return None
    return 0.0 if np.ptp(predicted) == 0.0 else float(np.corrcoef(measured, predicted)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    below = (values[:, None] > values[None, :]).sum(axis=1)
    equal = (values[:, None] == values[None, :]).sum(axis=1)
    return np.asarray(below + (equal - 1) / 2.0)


def regret(rows: Sequence[Scored]) -> float:
    """Return measured cost of the layout predicted best over the measured best, minus 1; a tie costs its mean."""
    measured, predicted = _values(rows)
    picked = measured[predicted == predicted.min()].mean()
    return float(picked / measured.min() - 1.0)
