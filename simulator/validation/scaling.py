"""Scaling series: whether the prediction loses efficiency with more devices as the measurement does.

A series is a set of rows of one source, model, software, precision and per-device batch in which only the number of
devices, and the layout that follows from it, varies. The efficiency of a point is its work rate per device over that
of the smallest point, so a constant factor of error cancels and the shape alone is judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.validation.score import Scored
from simulator.validation.tables import Measurement, columns

_ALIKE: Final = columns(
    "source_group source kind_of_work metric model_id engine device_id devices_per_accel node_id precision "
    "seq_len_tokens image_size_px optimizer interconnect"
)

#: columns of the layout; dp is not among them, for it follows from the number of devices
LAYOUT: Final = columns("tp pp vpp cp ep zero_stage sequence_parallel recompute micro_batch_samples")

_PER_ALL_DEVICES: Final = frozenset({"samples_per_s", "images_per_s", "requests_per_s"})
_LOWER_IS_BETTER: Final = frozenset({"iteration_time_s"})
_RATES_PER_DEVICE: Final = frozenset({"tokens_per_s_per_gpu", "tflops_per_gpu", "mfu"})
_METRICS: Final = _PER_ALL_DEVICES | _LOWER_IS_BETTER | _RATES_PER_DEVICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """How many series there are, and the median over series of the mean error of the efficiency ratio (a fraction)."""

    series: int
    median_points: float | None


def lower_is_better(metric: str) -> bool:
    """Whether the metric is a time."""
    return metric in _LOWER_IS_BETTER


def scaling_of(scored: Iterable[Scored]) -> Scaling:
    """Return the error of the efficiency ratio over all series among the predicted training rows."""
    errors = [series_error(series) for series in series_of(scored)]
    return Scaling(series=len(errors), median_points=float(np.median(errors)) if errors else None)


def series_of(scored: Iterable[Scored]) -> list[list[Scored]]:
    """Return the series, each in the order of the number of devices, one row per number.

    Rows that share all but the number of devices and the layout are one series if each number occurs once; if a
    number occurs with several layouts, the rows of one layout are a series. A repeated row counts once: the first.
    """
    held: defaultdict[tuple[str, ...], list[Scored]] = defaultdict(list)
    for one in scored:
        if one.row.kind == "training" and one.error is not None and one.row.text("metric") in _METRICS:
            batch = _per_device_batch(one.row)
            if batch is not None:
                held[(*map(one.row.text, _ALIKE), f"{batch:.6g}")].append(one)
    found = [series for key in sorted(held) for series in _split(held[key])]
    return [series for series in found if len(series) > 1]


def _split(rows: Sequence[Scored]) -> list[list[Scored]]:
    by_devices = _by_devices(rows)
    if len(by_devices) == len(rows):
        return [[by_devices[count] for count in sorted(by_devices)]]
    by_layout: defaultdict[tuple[str, ...], list[Scored]] = defaultdict(list)
    for one in rows:
        by_layout[tuple(map(one.row.text, LAYOUT))].append(one)
    each = [_by_devices(by_layout[layout]) for layout in sorted(by_layout)]
    return [[points[count] for count in sorted(points)] for points in each]


def _by_devices(rows: Sequence[Scored]) -> dict[float, Scored]:
    first: dict[float, Scored] = {}
    for one in rows:
        first.setdefault(_devices(one.row), one)
    return first


def _devices(row: Measurement) -> float:
    count = row.number("n_accel")
    assert count is not None, "a usable row has a number of accelerators"
    return count


def _per_device_batch(row: Measurement) -> float | None:
    if row.number("n_accel") is None:
        return None
    batch = row.number("global_batch_samples")
    return batch / _devices(row) if batch is not None else row.number("micro_batch_samples")


def series_error(series: Sequence[Scored]) -> float:
    """Return the mean over the points after the first of |efficiency predicted - measured|."""
    measured = _efficiency([(one.row, one.row.value) for one in series])
    predicted = _efficiency([(one.row, one.prediction.value) for one in series])
    return float(np.mean(np.abs(predicted - measured)[1:]))


def _efficiency(points: Sequence[tuple[Measurement, float | None]]) -> np.ndarray:
    rates = np.array([_rate_per_device(row, value) for row, value in points])
    return np.asarray(rates / rates[0])


def _rate_per_device(row: Measurement, value: float | None) -> float:
    assert value is not None, "a series holds predicted rows only"
    metric = row.text("metric")
    if metric in _LOWER_IS_BETTER:  # the per-device batch is one within a series, so it cancels
        return 1.0 / value
    return value / _devices(row) if metric in _PER_ALL_DEVICES else value


def layout_of(cells: Mapping[str, str]) -> tuple[str, ...]:
    """Return the whole layout of a row, dp included."""
    return tuple(cells.get(column, "") for column in ("dp", *LAYOUT))
