from __future__ import annotations

import math

import pytest

from simulator.validation.prediction import Prediction


def test_a_row_is_either_predicted_or_has_a_reason():
    assert Prediction(2.0, "modelled", "").predicted
    assert not Prediction.missing("no such device", fits=False).predicted
    assert Prediction.missing("no such device", fits=False).fits is False
    with pytest.raises(AssertionError):
        Prediction(None, "modelled", "")
    with pytest.raises(AssertionError):
        Prediction(2.0, "modelled", "but")


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_a_prediction_is_a_finite_positive_number(value):
    with pytest.raises(AssertionError):
        Prediction(value, "modelled", "")


def test_a_label_is_one_of_four():
    with pytest.raises(AssertionError):
        Prediction(1.0, "guessed", "")  # type: ignore[arg-type]
