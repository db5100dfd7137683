"""What a row of measured training runs leaves unsaid, and what is made of it."""

from __future__ import annotations

import pytest

from simulator.costs.memory import account
from simulator.profiles.catalogue import load_catalogue
from simulator.validation.training import predict_training_row, program_of, run_of
from simulator.workload.models.parameters import weight_tensors

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
    assert (peak(row) > 1.001 * peak({**row, "seq_len_tokens": "128"})) is (devices == 1)


def test_pytorch_splits_no_model_by_itself():
    row = {**ADAPTED, "engine": "pytorch", "n_accel": "8", "device_id": "nvidia-h100-sxm5-80gb"}
    assert run_of({**row, "tp": "8"}, CATALOGUE).framework.name == "megatron-lm"
    assert run_of({**row, "dp": "8"}, CATALOGUE).framework.name == "pytorch"


ENCODER = {
    "source_group": "deeplearningexamples", "kind_of_work": "encoder-train", "metric": "samples_per_s",
    "model_id": "bert-large", "device_id": "nvidia-a100-sxm4-80gb", "n_accel": "1", "engine": "pytorch",
    "precision": "fp16-amp", "micro_batch_samples": "32", "global_batch_samples": "4096", "seq_len_tokens": "512",
    "notes": "Pre-training", "source": "NVIDIA/DeepLearningExamples PyTorch/LanguageModeling/BERT/README.md",
}  # fmt: skip


def test_binned_batches_are_half_a_bin_longer_than_their_mean_sample():
    assert run_of(ENCODER, CATALOGUE).job.seq_len == 512 // 2 + 64 // 2
    for changes in ({"seq_len_tokens": "128"}, {"notes": "Fine-tuning"}, {"source": "TensorFlow/LanguageModeling"}):
        row = {**ENCODER, **changes}
        assert run_of(row, CATALOGUE).job.seq_len == int(row["seq_len_tokens"])


def test_what_is_trained_beside_a_model_slows_pre_training_and_not_fine_tuning():
    """ELECTRA's generator: a third of the width, so about a ninth of the products and a third of the attention."""
    row = {**ENCODER, "model_id": "electra-base", "micro_batch_samples": "512", "precision": "fp16",
           "source": "TensorFlow2"}  # fmt: skip
    both, alone = (predict_training_row({**row, "notes": notes}, CATALOGUE).value for notes in ("", "fine-tuning"))
    assert both is not None
    assert alone is not None
    assert 1 / 9 < alone / both - 1 < 1 / 2


def test_the_version_of_a_framework_is_read_off_its_source():
    row = {**ENCODER, "engine": "tensorflow"}
    assert run_of({**row, "source": "TensorFlow/LanguageModeling"}, CATALOGUE).framework.name == "tensorflow"
    assert run_of({**row, "source": "TensorFlow2/LanguageModeling"}, CATALOGUE).framework.name == "tensorflow-2"


def test_jobs_of_adaptive_schedulers_measure_their_gradients_after_each_update():
    row = {**ENCODER, "model_id": "bert-base", "source": "siasosp23/artifacts sia-simulator", "precision": "fp32",
           "global_batch_samples": "4", "micro_batch_samples": "4", "seq_len_tokens": "384"}  # fmt: skip
    assert run_of(row, CATALOGUE).framework.name == "adaptdl"
    measured, plain = (
        predict_training_row({**row, "source": source}, CATALOGUE).value for source in (row["source"], "")
    )
    assert measured is not None
    assert plain is not None
    assert measured < plain


def test_weights_of_bert_lie_in_as_many_tensors_as_are_published():
    """199 in bert-base-uncased: 16 a layer, 5 of the embedding, 2 of the pooler; the count leaves the pooler out."""
    assert weight_tensors(run_of({**ENCODER, "model_id": "bert-base"}, CATALOGUE).job.model) == 199 - 2
