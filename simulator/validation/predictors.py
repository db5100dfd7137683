"""Who predicts which row, and how one is refitted.

A predictor is a module of this room with a function ``(row, catalogue) -> Prediction``; ``row`` is the mapping from
column to text. If its constants can be fitted, the module, or one beside it named ``<field>_fit``, has
``refit(rows, catalogue) -> constants``; the predicting function then takes these as ``constants=``, and
``rackcast validate --cross`` can leave sources out.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

from simulator.foundation.errors import Infeasible, InputError
from simulator.profiles.catalogue import Catalogue
from simulator.validation.prediction import Prediction
from simulator.validation.tables import Measurement

Predict = Callable[[Mapping[str, str], Catalogue], Prediction]
Refit = Callable[[Sequence[Mapping[str, str]], Catalogue], Predict]

#: field of work -> (module, its predicting function)
_MODULES: Final = {
    "training": ("simulator.validation.training", "predict_training_row"),
    "inference": ("simulator.validation.inference", "predict_inference_row"),
    "network": ("simulator.validation.network", "predict_network_row"),
    "storage": ("simulator.validation.storage", "predict_storage_row"),
}
_STORAGE_WORK: Final = frozenset({"storage", "data-loading"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictor:
    """One field of work: what predicts it and, if its constants can be fitted, what refits it."""

    field: str
    predict: Predict
    refit: Refit | None


def field_of(row: Measurement) -> str:
    """Return the field of work of a row: training, inference, network or storage."""
    return "storage" if row.text("kind_of_work") in _STORAGE_WORK else row.kind


@cache
def predictor_of(field: str) -> Predictor:
    """Return the predictor of a field of work; a field without a module answers every row with that reason."""
    name, function = _MODULES[field]
    if importlib.util.find_spec(name) is None:
        return Predictor(field=field, predict=partial(_nobody, field), refit=None)
    module = importlib.import_module(name)
    beside = f"{name}_fit"
    fitting = importlib.import_module(beside) if importlib.util.find_spec(beside) else module
    predict: Any = getattr(module, function)
    fit: Any = getattr(fitting, "refit", None)
    return Predictor(field=field, predict=predict, refit=None if fit is None else _refitting(predict, fit))


def _nobody(field: str, row: Mapping[str, str], catalogue: Catalogue) -> Prediction:
    return Prediction.missing(f"this version predicts no {field} rows.")


def _refitting(predict: Any, fit: Any) -> Refit:
    def refit(rows: Sequence[Mapping[str, str]], catalogue: Catalogue) -> Predict:
        constants = fit(rows, catalogue)
        refitted: Predict = partial(predict, constants=constants)
        return refitted

    return refit


def answer(predict: Predict, row: Measurement, catalogue: Catalogue) -> Prediction:
    """Predict one row; what is not known, or cannot be, becomes the reason of a row that is not predicted."""
    try:
        return predict(row.cells, catalogue)
    except InputError as error:
        return Prediction.missing(str(error).splitlines()[0])
    except Infeasible as error:
        return Prediction.missing(str(error).splitlines()[0], fits=False)
