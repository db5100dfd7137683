"""Predicted rows of inference: one of each kind, made up here; and the measured replay that ships."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from simulator.foundation.errors import InputError
from simulator.foundation.shipped import shipped
from simulator.profiles.catalogue import load_catalogue
from simulator.validation.inference import predict_inference_row
from simulator.validation.inference_llm import layout_of, ranks_of, replica_of, requests_of, run_key, run_of
from simulator.workload.models.library import load_model

BASE = {
    "model_id": "llama-3.1-8b",
    "device_id": "nvidia-h100-sxm5-80gb",
    "n_accel": "1",
    "precision": "bf16",
    "tp": "1",
    "pp": "1",
    "engine": "vllm",
    "input_len_tokens": "512",
    "output_len_tokens": "64",
    "usable": "yes",
}


def predicted(**changes: str) -> float:
    value = predict_inference_row(BASE | changes, load_catalogue()).value
    assert value is not None
    return value


def test_a_static_batch_takes_longer_with_more_requests_and_yields_more_tokens() -> None:
    kind = {"kind_of_work": "llm-static-batch"}
    small, large = (predicted(**kind, metric="latency_ms", batch_samples=b) for b in ("1", "64"))
    assert small < large < 64 * small
    rates = [predicted(**kind, metric="output_tokens_per_s_total", batch_samples=b) for b in ("1", "64")]
    assert rates[0] < rates[1]


def test_a_single_stream_reads_prompts_faster_than_it_writes() -> None:
    kind = {"kind_of_work": "llm-single-stream", "metric": "total_tokens_per_s", "engine": "llama.cpp"}
    assert predicted(**kind, output_len_tokens="0") > 5 * predicted(**kind, input_len_tokens="0")


@pytest.mark.parametrize("model", ["resnet50-v1.5", "bert-base", "vit-b16-224"])
def test_a_forward_pass_of_a_batch_has_a_latency(model: str) -> None:
    kind = {"resnet50-v1.5": "cnn-batch", "bert-base": "encoder-batch", "vit-b16-224": "vit-batch"}[model]
    row = {"model_id": model, "kind_of_work": kind, "metric": "latency_ms", "batch_samples": "8", "precision": "fp16",
           "engine": "tensorrt", "image_size_px": "224" if "cnn" in kind else ""}  # fmt: skip
    assert 0.1 < predicted(**row) < 50


@pytest.mark.slow
def test_a_stream_of_speech_reports_a_long_sample_and_a_batch_of_it_is_padded_to_the_longest() -> None:
    speech = {"model_id": "rnn-t", "engine": "tensorrt", "precision": "fp16", "input_len_tokens": ""}
    single = speech | {"kind_of_work": "speech-batch", "metric": "latency_ms", "batch_samples": "1"}
    middle, long = (predicted(**single, percentile=p) for p in ("p50", "p90"))
    assert 1.5 * middle < long < 2.5 * middle
    offline = speech | {"kind_of_work": "speech-offline", "metric": "samples_per_s"}
    assert predicted(**offline | {"precision": "int8+fp16"}) == predicted(**offline)
    assert predicted(**offline | {"n_accel": "4"}) == pytest.approx(4 * predicted(**offline))


def test_a_closed_loop_with_more_users_has_slower_tokens() -> None:
    kind = {"kind_of_work": "llm-closed-loop", "metric": "tpot_ms"}
    few, many = (predicted(**kind, concurrency_requests=c) for c in ("4", "128"))
    assert few < many


@pytest.mark.slow
def test_the_measured_replay_is_met_within_ten_per_cent() -> None:
    path = shipped("measurements") / "traces" / "vllm_replay_llama_3p1_8b.csv"
    with path.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(line for line in stream if not line.startswith("#")))
    ttft, latency = (np.array([float(row[name]) for row in rows]) for name in ("ttft_s", "latency_s"))
    output = np.array([int(row["output_tokens"]) for row in rows])
    tpot = (latency - ttft) / (output - 1)
    row = BASE | {"kind_of_work": "llm-trace-replay", "device_id": "nvidia-rtx-pro-6000-blackwell-server-96gb",
                  "max_num_seqs": "128", "notes": "max_num_batched_tokens 2048"}  # fmt: skip
    served = run_of(run_key(row), load_catalogue())
    for ours, theirs in ((served.ttft, ttft), (served.tpot, tpot), (served.latency, latency)):
        assert ours.mean() == pytest.approx(theirs.mean(), rel=0.1)
        assert np.percentile(ours, 99) == pytest.approx(np.percentile(theirs, 99), rel=0.1)


def test_experts_cut_over_more_ranks_than_are_counted_give_the_ranks_of_the_replica() -> None:
    row = BASE | {"model_id": "qwen3-235b-a22b", "notes": "closed loop; moe_tp=2; moe_ep=2; batch=8"}
    layout = layout_of(row, load_model("qwen3-235b-a22b"))  # type: ignore[arg-type]
    assert ranks_of(row) == layout.devices == layout.dp_attention == 4
    assert ranks_of(BASE | {"n_accel": "8"}) == 8


def test_a_closed_loop_has_as_many_requests_as_its_row_prints() -> None:
    row = BASE | {"kind_of_work": "llm-online", "concurrency_requests": "64", "n_requests": "3000"}
    assert len(requests_of(row, 1).prompt) == 64 * (3000 // 64)


@pytest.mark.parametrize(
    ("changes", "bytes_"),
    [
        ({"notes": "gemm_quant=fp8"}, 1.0),
        ({"notes": "gemm_quant=fp8_block"}, 2.0),
        ({"engine": "vllm"}, 2.0),
        ({"kv_precision": "fp16"}, 2.0),
    ],
)
def test_checkpoints_scaled_by_tensor_bring_an_8_bit_cache(changes: dict[str, str], bytes_: float) -> None:
    row = BASE | {"engine": "tensorrt-llm", "engine_version": "1.0", "precision": "fp8", "notes": ""} | changes
    assert replica_of(row, load_catalogue()).numerics.cache_bytes == bytes_


def test_a_model_that_generates_nothing_is_refused_by_its_name() -> None:
    with pytest.raises(InputError, match=r"resnet50-v1\.5 generates no tokens"):
        predicted(model_id="resnet50-v1.5", kind_of_work="llm-static-batch", metric="latency_ms")
