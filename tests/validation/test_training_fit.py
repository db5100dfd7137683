"""Refitting training constants: what was hidden in made-up measurements is found again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.costs.serving.traits import kernels_of
from simulator.profiles.catalogue import load_catalogue
from simulator.profiles.efficiency import efficiency_of, measured_products
from simulator.profiles.framework import framework_named
from simulator.validation.training import predict_training_row
from simulator.validation.training_constants import AS_SHIPPED, TrainingConstants
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
    assert refit([], CATALOGUE) == AS_SHIPPED


def test_a_class_without_rows_begins_with_what_others_measured_of_it():
    tpu = CATALOGUE.devices["google-tpu-v5e"]
    name = efficiency_of(tpu).name
    alone = measured_products(efficiency_of(CATALOGUE.devices[DEVICE]).name)["product16"]
    fitted = refit(measured(alone), CATALOGUE).efficiencies[name]  # rows as products by themselves would have them
    assert fitted.product16 == pytest.approx(measured_products(name)["product16"], rel=0.02)
    assert fitted.product32 == kernels_of(tpu).compute32


def small(**cells: str) -> dict[str, str]:
    """A step of small kernels: the host launches more slowly than the device works."""
    return row(model_id="gpt3-350m", engine="pytorch", tp="1", n_accel="1", n_nodes="1", zero_stage="0",
               seq_len_tokens="256", source_group="small", **cells)  # fmt: skip


def test_eager_launches_that_rows_do_not_show_are_those_of_relatives():
    dispatch = framework_named("pytorch").dispatch
    slow = TrainingConstants(efficiencies={}, dispatches={dispatch.name: replace(dispatch, kernel_s=90e-6)})
    rows = [small(micro_batch_samples=str(micro), global_batch_samples=str(micro)) for micro in (1, 2, 4)]
    rows = [one | {"value": repr(predict_training_row(one, CATALOGUE, slow).value)} for one in rows]
    unseen = framework_named("megatron-lm-2021").dispatch.name  # large models only: they never wait for their host
    alone, both = (refit(some, CATALOGUE).dispatches[unseen].kernel_s for some in (measured(0.7), measured(0.7) + rows))
    assert alone == pytest.approx(30e-6, rel=0.3)
    assert both == pytest.approx(90e-6, rel=0.3)


@pytest.mark.parametrize("hidden", [0.5, 0.9])
def test_networks_take_part(hidden):
    shipped = efficiency_of(CATALOGUE.devices[DEVICE])
    constants = TrainingConstants(efficiencies={shipped.name: replace(shipped, product16=hidden)}, dispatches={})
    base = {"model_id": "resnet-50", "precision": "fp16-amp", "image_size_px": "224", "engine": "pytorch", "tp": "",
            "dp": "", "metric": "samples_per_s", "kind_of_work": "cnn-train", "zero_stage": ""}  # fmt: skip
    rows = [row(**base, micro_batch_samples=str(n), global_batch_samples=str(8 * n)) for n in (64, 128, 256)]
    rows = [one | {"value": repr(predict_training_row(one, CATALOGUE, constants).value)} for one in rows]
    fitted = refit(rows, CATALOGUE)
    for one in rows:
        assert predict_training_row(one, CATALOGUE, fitted).value == pytest.approx(float(one["value"]), rel=0.12)


def test_matrix_units_that_are_slower_in_steps_than_by_themselves_are_expected_to_be_so_on_other_classes():
    device = next(d for d in CATALOGUE.devices.values() if efficiency_of(d).name == "nvidia-hopper")
    slow, fast = (refit(measured(hidden), CATALOGUE).efficiencies for hidden in (0.45, 0.95))
    own = slow["nvidia-ampere"].product16 / fast["nvidia-ampere"].product16
    others = slow["nvidia-hopper"].product16 / fast["nvidia-hopper"].product16
    assert own < others < 1
    assert slow["nvidia-hopper"].product16 < kernels_of(device).compute16 < fast["nvidia-hopper"].product16
