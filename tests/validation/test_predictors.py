from __future__ import annotations

import pytest

from simulator.foundation.errors import Infeasible, InputError, UnknownName
from simulator.validation import predictors
from simulator.validation.prediction import Prediction
from tests.validation.by_hand import measured


def refusing(error):
    def predict(row, catalogue):
        raise error

    return predict


def test_an_unknown_name_is_the_reason_of_a_row_that_is_not_predicted():
    found = predictors.answer(refusing(UnknownName("device", "nvidia-h900", ["nvidia-h100"])), measured(), None)
    assert found.value is None
    assert found.reason.startswith("no device 'nvidia-h900'. Did you mean 'nvidia-h100'?")


def test_a_reason_is_one_line():
    found = predictors.answer(refusing(InputError("first\nsecond")), measured(), None)
    assert found.reason == "first"


def test_a_layout_that_does_not_fit_is_a_verdict():
    found = predictors.answer(refusing(Infeasible("needs 90 GB of 80 GB.")), measured(), None)
    assert (found.value, found.fits) == (None, False)


def test_our_own_faults_are_not_turned_into_reasons():
    with pytest.raises(AssertionError):
        predictors.answer(refusing(AssertionError("ours")), measured(), None)


@pytest.mark.parametrize(("work", "field"), [
    ("collective", "network"), ("storage", "storage"), ("data-loading", "storage"), ("moe-all-to-all", "network"),
])  # fmt: skip
def test_storage_rows_of_a_network_table_go_to_their_own_predictor(work, field):
    assert predictors.field_of(measured("network", kind_of_work=work)) == field


def test_a_field_without_a_module_says_so(monkeypatch):
    monkeypatch.setitem(predictors._MODULES, "storage", ("simulator.validation.nowhere", "predict"))
    predictors.predictor_of.cache_clear()
    found = predictors.predictor_of("storage")
    predictors.predictor_of.cache_clear()
    assert found.refit is None
    assert found.predict({}, None) == Prediction.missing("this version predicts no storage rows.")
