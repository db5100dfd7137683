from __future__ import annotations

from functools import partial

import pytest

from simulator.validation.cross import cross_validate
from simulator.validation.prediction import Prediction
from simulator.validation.predictors import Predictor
from tests.validation.by_hand import scored


def mean_value(row, catalogue, *, constants=10.0):
    return Prediction(constants, "calibrated", "")


def refit(rows, catalogue):
    return partial(mean_value, constants=sum(float(row["value"]) for row in rows) / len(rows))


def fitted(field):
    return Predictor(field=field, predict=mean_value, refit=refit)


def fixed(field):
    return Predictor(field=field, predict=mean_value, refit=None)


ROWS = [
    scored(10.0, id=1, source_group="a", value=8),
    scored(10.0, id=2, source_group="b", value=10),
    scored(10.0, id=3, source_group="c", value=20),
    scored(10.0, id=4, source_group="c", value=99, usable="partial"),
]


def test_each_source_is_predicted_from_the_others():
    found = cross_validate(ROWS, None, predictor=fitted)
    outside = [15 / 8 - 1, 14 / 10 - 1, 1 - 9 / 20]  # the mean of the other two over the one left out
    assert found.sources == 3
    assert found.median_ape == pytest.approx(sum(outside) / 3)
    assert found.in_sample_median_ape == pytest.approx((10 / 8 - 1 + 0 + 0.5) / 3)
    assert found.ratio == pytest.approx(found.median_ape / found.in_sample_median_ape)
    assert (found.fields, found.without_refit) == (("training",), ())
    assert [(one.source_group, one.rows) for one in found.each] == [("a", 1), ("b", 1), ("c", 1)]
    assert [one.median_ape for one in found.each] == pytest.approx(outside)
    assert [one.in_sample_median_ape for one in found.each] == pytest.approx([0.25, 0.0, 0.5])


def test_refits_may_be_made_elsewhere_and_answered_in_any_order():
    seen = []

    def spread(calls):
        for function, arguments in reversed(calls):
            seen.append(arguments[0])
            yield function(*arguments)

    assert cross_validate(ROWS, None, predictor=fitted, spread=spread) == cross_validate(ROWS, None, predictor=fitted)
    assert seen == [("training", "c"), ("training", "b"), ("training", "a")]


def test_without_constants_to_refit_nothing_is_claimed():
    found = cross_validate(ROWS, None, predictor=fixed)
    assert found.median_ape is found.ratio is None
    assert (found.sources, found.fields, found.without_refit) == (0, (), ("training",))


def test_a_single_source_leaves_nothing_to_fit_on():
    found = cross_validate(ROWS[:1], None, predictor=fitted)
    assert (found.sources, found.median_ape) == (0, None)
