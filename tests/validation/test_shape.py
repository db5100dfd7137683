"""Scaling series and layout sets: the shape of a prediction, whatever its level."""

from __future__ import annotations

import pytest

from simulator.validation.layouts import layout_sets, layouts_of, rank_correlation, regret
from simulator.validation.scaling import scaling_of, series_of
from tests.validation.by_hand import scored


def point(devices, value, predicted, **row):
    """A weak-scaling point: one sample per device."""
    row = {"dp": devices, "tp": 1, "global_batch_samples": devices} | row
    return scored(predicted, n_accel=devices, value=value, id=devices, **row)


def test_a_constant_factor_of_error_leaves_the_efficiency_right():
    found = scaling_of([point(8, 10, 20), point(16, 11, 22), point(32, 12.5, 25)])
    assert found.series == 1
    assert found.median_points == pytest.approx(0.0, abs=1e-12)


def test_the_efficiency_error_of_times_is_that_of_their_inverses():
    found = scaling_of([point(8, 10, 10), point(16, 12.5, 10)])  # measured 0.8, predicted 1.0
    assert found.median_points == pytest.approx(0.2)


def test_the_efficiency_of_a_total_rate_is_per_device():
    rows = [point(8, 80, 80, metric="samples_per_s"), point(16, 120, 160, metric="samples_per_s")]
    assert scaling_of(rows).median_points == pytest.approx(0.25)  # measured 0.75, predicted 1.0


def test_the_efficiency_of_a_rate_per_device_is_its_own_ratio():
    rows = [point(8, 100, 100, metric="tokens_per_s_per_gpu"), point(16, 90, 95, metric="tokens_per_s_per_gpu")]
    assert scaling_of(rows).median_points == pytest.approx(0.05)


def test_a_layout_that_follows_the_number_of_devices_makes_one_series():
    rows = [point(8, 10, 10, tp=8, dp=1), point(64, 11, 11, tp=8, pp=2, dp=4)]
    assert [len(series) for series in series_of(rows)] == [2]


def test_several_layouts_of_one_size_are_series_of_their_own():
    rows = [point(count, 10, 10, tp=tp, dp=count // tp) for count in (8, 16) for tp in (1, 2)]
    assert [[one.row.text("tp") for one in series] for series in series_of(rows)] == [["1", "1"], ["2", "2"]]


@pytest.mark.parametrize("changed", [
    {"global_batch_samples": 32}, {"model_id": "gpt-2"}, {"precision": "fp16"}, {"source": "b"}, {"engine": "x"},
])  # fmt: skip
def test_rows_that_differ_in_more_than_the_number_of_devices_are_no_series(changed):
    assert series_of([point(8, 10, 10), point(16, 10, 10, **changed)]) == []


def test_a_row_that_is_not_predicted_belongs_to_no_series():
    assert scaling_of([point(8, 10, 10), point(16, 10, None)]).series == 0
    assert scaling_of([]).median_points is None


def layout(tp, value, predicted, **row):
    return scored(predicted, tp=tp, dp=8 // tp, value=value, id=tp, **row)


def test_a_set_needs_three_layouts():
    two = [layout(1, 10, 10), layout(2, 11, 11)]
    assert layout_sets(two) == []
    assert layout_sets([*two, layout(2, 11.1, 11)]) == []  # the second measurement of a layout is no third layout
    assert len(layout_sets([*two, layout(4, 12, 12)])) == 1


def test_the_right_order_has_rank_correlation_one_and_no_regret():
    found = layouts_of([layout(1, 10, 100), layout(2, 11, 150), layout(4, 12, 160)])
    assert (found.sets, found.mean_spearman, found.mean_regret) == (1, pytest.approx(1.0), 0.0)


def test_regret_is_the_measured_price_of_the_predicted_best():
    (rows,) = layout_sets([layout(1, 10, 30), layout(2, 11, 20), layout(4, 14, 25)])
    assert regret(rows) == pytest.approx(0.1)
    assert rank_correlation(rows) == pytest.approx(-0.5)  # ranks 1 2 3 against 3 1 2: 1 - 6 * 6 / (3 * 8)


def test_of_rates_the_largest_is_best():
    rates = [(1, 80, 1), (2, 100, 2), (4, 90, 3)]
    rows = [layout(tp, rate, guess, metric="samples_per_s") for tp, rate, guess in rates]
    assert regret(rows) == pytest.approx(100 / 90 - 1)


def test_a_prediction_that_tells_no_layout_from_another_has_no_rank_correlation():
    rows = [layout(1, 10, 20), layout(2, 11, 20), layout(4, 12, 20)]
    assert rank_correlation(rows) == 0.0
    assert regret(rows) == pytest.approx(0.1)  # any of the three: the mean


def test_a_set_without_a_measured_order_has_no_rank_correlation_to_find():
    rows = [layout(1, 10, 19), layout(2, 10, 20), layout(4, 10, 21)]
    assert rank_correlation(rows) is None
    assert layouts_of(rows).mean_spearman is None
