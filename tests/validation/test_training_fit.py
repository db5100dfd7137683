"""Refitting training constants: what was hidden in made-up measurements is found again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.profiles.catalogue import load_catalogue
from simulator.profiles.efficiency import efficiency_of
from simulator.validation.training import TrainingConstants, predict_training_row
from simulator.validation.training_fit import refit

CATALOGUE = load_catalogue()
DEVICE = "nvidia-a100-sxm4-80gb"


def row(**cells: str) -> dict[str, str]:
    base = {"source_group": "made-up", "kind_of_work": "llm-pretrain", "model_id": "gpt3-6.7b", "device_id": DEVICE,
            "node_id": "dgx-a100-640gb", "n_accel": "8", "precision": "bf16", "engine": "megatron-lm", "dp": "1",
            "tp": "8", "pp": "1", "zero_stage": "1", "recompute": "full", "sequence_parallel": "no",
            "seq_len_tokens": "2048", "metric": "iteration_time_s", "outcome": "", "notes": ""}  # fmt: skip
    return base | cells


def measured(product16: float) -> list[dict[str, str]]:
    """Rows as a machine of this share would have given them."""
    shipped = efficiency_of(CATALOGUE.devices[DEVICE])
    constants = TrainingConstants(efficiencies={shipped.name: replace(shipped, product16=product16)}, dispatches={})
    rows = [row(micro_batch_samples=str(micro), global_batch_samples=str(micro * 8)) for micro in (1, 2, 4, 8)]
    return [one | {"value": repr(predict_training_row(one, CATALOGUE, constants).value)} for one in rows]


@pytest.mark.parametrize("hidden", [0.45, 0.9])
def test_a_refit_predicts_what_a_faster_or_slower_class_measured(hidden):
    rows = measured(hidden)
    constants = refit(rows, CATALOGUE)
    for one in rows:
        predicted = predict_training_row(one, CATALOGUE, constants).value
        assert predicted == pytest.approx(float(one["value"]), rel=0.12)


def test_a_refit_without_rows_leaves_everything_as_shipped():
    assert refit([], CATALOGUE) == TrainingConstants(efficiencies={}, dispatches={})
