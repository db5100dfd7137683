"""What a row of measured training runs leaves unsaid, and what is made of it."""

from __future__ import annotations

import pytest

from simulator.costs.memory import account
from simulator.profiles.catalogue import load_catalogue
from simulator.validation.training import predict_training_row, program_of, run_of

CATALOGUE = load_catalogue()

TRAINIUM = {
    "source_group": "aws-neuron", "kind_of_work": "llm-pretrain", "metric": "samples_per_s", "value": "14.4",
    "model_id": "llama-2-70b", "device_id": "aws-trainium1", "n_accel": "512", "ranks_per_accel": "2",
    "devices_per_accel": "1", "engine": "neuronx", "precision": "bf16-amp", "dp": "4", "tp": "32", "pp": "8",
    "micro_batch_samples": "1", "global_batch_samples": "1024", "seq_len_tokens": "4096",
}  # fmt: skip
ADAPTED = {
    "source_group": "litgpt", "kind_of_work": "llm-lora", "metric": "memory_gb", "model_id": "llama-2-7b",
    "device_id": "nvidia-a100-sxm4-40gb", "n_accel": "1", "engine": "litgpt", "precision": "bf16", "dp": "1",
    "tp": "1", "pp": "1", "micro_batch_samples": "1", "notes": "the longest example has 1304 tokens but the mean less",
}  # fmt: skip


def peak(row: dict[str, str]) -> float:
    run = run_of(row, CATALOGUE)
    return float(account(program_of(run), run.framework).total[0])


def test_neuron_recomputes_when_a_core_s_share_of_the_memory_forces_it_and_never_against_the_row():
    assert run_of(TRAINIUM, CATALOGUE).plan.recompute == "full"
    assert run_of({**TRAINIUM, "recompute": "none"}, CATALOGUE).plan.recompute == "none"
    small = {**TRAINIUM, "model_id": "gpt3-1.3b", "tp": "8", "dp": "128", "pp": "1", "seq_len_tokens": "512"}
    assert run_of(small, CATALOGUE).plan.recompute == "none"


def test_peak_memory_follows_the_longest_sample_and_time_does_not():
    assert run_of(ADAPTED, CATALOGUE).job.seq_len == 1304
    assert run_of({**ADAPTED, "metric": "iteration_time_s"}, CATALOGUE).job.seq_len == 4096
    assert run_of({**ADAPTED, "seq_len_tokens": "512"}, CATALOGUE).job.seq_len == 512


@pytest.mark.parametrize(("micro_batch", "devices", "fits"), [(1, 1, True), (2, 1, True), (4, 1, False), (4, 2, True)])
def test_litgpt_recomputes_only_where_weights_are_sharded(micro_batch, devices, fits):
    """LitGPT tutorials/resource-tables.md: 21.3 and 29.1 GB, out of memory, and 23.4 GB on each of two."""
    row = {**ADAPTED, "micro_batch_samples": str(micro_batch), "n_accel": str(devices), "dp": str(devices),
           "zero_stage": "3" if devices > 1 else "0"}  # fmt: skip
    assert run_of(row, CATALOGUE).plan.recompute == ("full" if devices > 1 else "none")
    assert predict_training_row(row, CATALOGUE).fits is fits
    # on several devices reading the checkpoint is the peak, however long the samples are
    assert (peak(row) > peak({**row, "seq_len_tokens": "128"})) is (devices == 1)


def test_pytorch_splits_no_model_by_itself():
    row = {**ADAPTED, "engine": "pytorch", "n_accel": "8", "device_id": "nvidia-h100-sxm5-80gb"}
    assert run_of({**row, "tp": "8"}, CATALOGUE).framework.name == "megatron-lm"
    assert run_of({**row, "dp": "8"}, CATALOGUE).framework.name == "pytorch"
