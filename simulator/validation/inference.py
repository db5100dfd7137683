"""Predicts measured inference: which closed form or simulation answers a row, and where its figure comes from."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.costs.serving.traits import EngineTraits, Kernels
from simulator.profiles.catalogue import Catalogue
from simulator.validation import inference_forward, inference_llm
from simulator.validation.inference_constants import AS_SHIPPED, InferenceConstants
from simulator.validation.prediction import Label, Prediction


def predict_inference_row(
    row: Mapping[str, str], catalogue: Catalogue, constants: InferenceConstants = AS_SHIPPED
) -> Prediction:
    """Return the prediction for one row of ``inference.csv``, ``serving_points.csv`` or the open-loop stages.

    Raises:
        InputError: the row or the catalogue lacks a fact; the sentence says which.
        Infeasible: the model does not fit the devices of the row.
    """
    kind = row["kind_of_work"]
    if not kind.startswith("llm-"):
        runner = constants.on_runner(inference_forward.runner_of(row, catalogue))
        return Prediction(inference_forward.forward_value(row, runner), _label(row, runner.kernels.origin), "")
    replica = constants.on_replica(inference_llm.replica_of(row, catalogue))
    if kind == "llm-static-batch":
        value = inference_llm.static_value(row, replica)
    elif kind == "llm-single-stream":
        value = inference_llm.stream_value(row, replica)
    else:
        value = inference_llm.served_value(row, inference_llm.run_of(inference_llm.run_key(row), catalogue, constants))
    return Prediction(value, _label(row, replica.kernels.origin), "")


def parts_of(row: Mapping[str, str], catalogue: Catalogue) -> tuple[Kernels, EngineTraits]:
    """Return the shipped class of a row's device and its engine; raises :class:`InputError` as predicting it does."""
    if row["kind_of_work"].startswith("llm-"):
        replica = inference_llm.replica_of(row, catalogue)
        return replica.kernels, replica.engine
    runner = inference_forward.runner_of(row, catalogue)
    return runner.kernels, runner.engine


def _label(row: Mapping[str, str], origin: str) -> Label:
    if origin == "assumed" or row.get("usable") == "partial":
        return "assumed"
    return "calibrated"
