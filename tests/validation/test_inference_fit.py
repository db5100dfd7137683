"""Refitting inference constants: what was hidden in made-up measurements is found again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.costs.serving.traits import engine_named
from simulator.profiles.catalogue import load_catalogue
from simulator.validation.inference import predict_inference_row
from simulator.validation.inference_constants import AS_SHIPPED, InferenceConstants
from simulator.validation.inference_fit import refit

CATALOGUE = load_catalogue()
ENGINE = engine_named("fastertransformer")


def row(**cells: str) -> dict[str, str]:
    base = {"source_group": "made-up", "kind_of_work": "llm-static-batch", "model_id": "gpt3-6.7b", "usable": "yes",
            "device_id": "nvidia-a100-sxm4-80gb", "n_accel": "1", "precision": "fp16", "engine": "fastertransformer",
            "input_len_tokens": "128", "output_len_tokens": "64", "metric": "latency_ms", "notes": ""}  # fmt: skip
    return base | cells


def measured(small: float) -> list[dict[str, str]]:
    """Rows as an engine with so many small kernels would have given them."""
    hidden = InferenceConstants(engines=(replace(ENGINE, small=small, traffic=small),))
    rows = [row(batch_samples=str(batch)) for batch in (1, 4, 16)]
    return [one | {"value": repr(predict_inference_row(one, CATALOGUE, hidden).value)} for one in rows]


@pytest.mark.parametrize("hidden", [0.3, 4.0])
def test_a_refit_predicts_what_a_leaner_or_fatter_engine_measured(hidden):
    rows = measured(hidden)
    fitted = refit(rows, CATALOGUE)
    for one in rows:
        assert predict_inference_row(one, CATALOGUE, fitted).value == pytest.approx(float(one["value"]), rel=0.1)


def test_constants_of_kernel_tables_owe_nothing_to_the_rows():
    fitted = {one.name for one in refit(measured(1.0), CATALOGUE).kernels}
    assert fitted & {"hopper", "ampere", "ada", "blackwell"} == set()


def test_an_engine_without_rows_has_what_its_siblings_agree_on_and_nothing_of_its_own():
    """Rows of one engine alone: its siblings move with it, whatever they were shipped with; other kinds do not."""
    lean, fat = ({one.name: one for one in refit(measured(hidden), CATALOGUE).engines} for hidden in (0.3, 4.0))
    for name in ("vllm", "trtllm", "eager"):
        assert lean[name].small < fat[name].small
        assert lean[name].host_s != engine_named(name).host_s
    assert lean["pytorch"].small == fat["pytorch"].small == 1.0


def test_what_an_engine_does_not_have_it_does_not_get():
    fitted = refit(measured(1.0), CATALOGUE)
    mine = next(one for one in fitted.engines if one.name == ENGINE.name)
    assert mine.frontend_s == ENGINE.frontend_s == 0.0


def test_a_refit_without_rows_leaves_everything_as_shipped():
    assert refit([], CATALOGUE) == AS_SHIPPED


def test_simulated_loads_follow_the_constants_that_are_given():
    loop = row(kind_of_work="llm-closed-loop", engine="vllm", concurrency_requests="4", n_requests="16",
               metric="tpot_ms")  # fmt: skip
    vllm = engine_named("vllm")
    slow = InferenceConstants(engines=(replace(vllm, host_s=10 * vllm.host_s),))
    fast, slowed = (predict_inference_row(loop, CATALOGUE, constants).value for constants in (AS_SHIPPED, slow))
    assert slowed > 1.5 * fast
    assert predict_inference_row(loop, CATALOGUE).value == fast
