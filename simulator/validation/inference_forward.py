"""Predicts measured forward passes: latency of a batch, offline throughput, and the rate inside a latency limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final

from simulator.costs.serving.forward import Runner, activation_bytes, feeding_seconds, forward_seconds
from simulator.costs.serving.numerics import rate_of
from simulator.costs.serving.traits import engine_named, kernels_of
from simulator.foundation.errors import InputError
from simulator.foundation.units import KILO
from simulator.profiles.catalogue import Catalogue
from simulator.profiles.slices import slice_of
from simulator.validation.facts import device_of, number
from simulator.workload.models.facts import ForwardFacts
from simulator.workload.models.library import find_model
from simulator.workload.models.networks.network import Network
from simulator.workload.models.transformer import Transformer

#: how rows spell a format -> the format of the arithmetic
_FORMATS: Final = {"fp16-amp": "fp16", "bf16-amp": "bf16", "int8+fp16": "int8", "int8+bf16": "int8", "": "fp16"}
#: what recurrent nets compute in where a submission names two formats; convolutions and perceptrons take the narrow one
_RECURRENT: Final = {"int8+fp16": "fp16", "int8+bf16": "bf16"}
#: 90th percentile of the data set's sample over its mean, where passes take as long as the sample: utterances of
#: LibriSpeech's development set up to 15 s (12 s against 6.2 s). A single stream reports that percentile.
_LONG_SAMPLE: Final = {"speech": 1.9}
#: share of a batch that is no padding, as all wait for its longest sample; fitted on offline RNN-T
_FILLED: Final = {"speech": 0.7}
#: mean tokens of a question and its passage in MLPerf's BERT (the data set's mean; padding is removed)
_MLPERF_TOKENS: Final = 177.0
#: samples that offline runs and servers put into one pass at most
_OFFLINE_BATCH: Final = {"cnn": 256, "detection": 8, "encoder": 64, "segmentation": 4, "speech": 1024, "recsys": 65536}
_SERVER_SHARE: Final = 0.85
#: parts of one MLPerf sample: sliding windows of a case of KiTS19, user-item pairs of a recommendation query (mean)
_PARTS: Final = {"3d-unet-kits19": 65, "dlrm-v1": 270, "dlrm-dcnv2": 270}


def forward_value(row: Mapping[str, str], runner: Runner) -> float:
    """Return the row's metric on what runs it; raises :class:`InputError` where the row says too little."""
    kind = row["kind_of_work"].split("-")[0]
    model = model_of(row)
    tokens = tokens_of(row, model)
    passes = _PARTS.get(row["model_id"], 1)
    accelerators = number(row, "n_accel", 1)
    metric = row["metric"]
    if row["kind_of_work"].endswith("-batch"):
        batch = number(row, "batch_samples", 1)
        seconds = passes * forward_seconds(model, batch, runner, tokens=tokens)
        if row.get("percentile") == "p90":
            seconds *= _LONG_SAMPLE.get(kind, 1.0)
        seconds += feeding_seconds(runner.engine, batch, _image_bytes(row))
        return seconds * KILO if metric == "latency_ms" else batch / seconds
    batch = _OFFLINE_BATCH.get(kind, 64)
    accelerators *= _FILLED.get(kind, 1.0)
    if row["kind_of_work"].endswith("-offline"):
        return accelerators * batch / (passes * forward_seconds(model, batch, runner, tokens=tokens))
    limit = number(row, "latency_limit_ms") / KILO
    while batch > 1 and 2 * forward_seconds(model, batch, runner, tokens=tokens) > limit:
        batch = max(1, batch // 2)
    return accelerators * _SERVER_SHARE * batch / (passes * forward_seconds(model, batch, runner, tokens=tokens))


def runner_of(row: Mapping[str, str], catalogue: Catalogue) -> Runner:
    """Return what runs the row; a slice of a device has its share of everything."""
    device = device_of(row, catalogue)
    share = number(row, "devices_per_accel", 1.0)
    if share < 1:
        device = slice_of(device, 1 / 8 if share < 0.2 else share)
    printed = row.get("precision") or ""
    spoken = row["kind_of_work"].startswith("speech")
    rate = rate_of((spoken and _RECURRENT.get(printed)) or _FORMATS.get(printed, printed), device)
    return Runner(
        device=device,
        kernels=kernels_of(device),
        engine=engine_named(engine_name(row)),
        rate=rate,
        activation_bytes=activation_bytes(rate),
    )


def engine_name(row: Mapping[str, str]) -> str:
    """Return the traits of a row's engine for a forward pass."""
    if "inf/s" in row.get("notes", ""):  # measured through Triton
        return "triton"
    return row.get("engine") or "pytorch"


def _image_bytes(row: Mapping[str, str]) -> float:
    """Return the bytes of one input image as a server gets it: three channels of 32 bits."""
    return 12.0 * number(row, "image_size_px", 0.0) ** 2


def model_of(row: Mapping[str, str]) -> Transformer | ForwardFacts | Network:
    """Return the model of a row: its shape, else its layers at the row's image size, else the cost of a sample."""
    size = row.get("image_size_px") or ""
    return _model(row["model_id"], int(float(size)) if size else None)


@lru_cache(maxsize=512)
def _model(name: str, size: int | None) -> Transformer | ForwardFacts | Network:
    file = find_model(name)
    if file.transformer is not None:
        return file.transformer
    if file.network is not None:
        return file.network.build(size)
    facts = file.forward
    if facts is None:
        raise InputError(f"the model {name!r} has neither layers nor the cost of a sample.")
    if size is None or facts.image_size is None:
        return facts
    return replace(facts, macs=facts.macs_at(size), activations=facts.activations_at(size), image_size=size)


def tokens_of(row: Mapping[str, str], model: Transformer | ForwardFacts | Network) -> float:
    """Return the tokens of one sample of an encoder: as printed, or the patches of its image."""
    printed = row.get("input_len_tokens") or ""
    if printed:
        return float(printed)
    if isinstance(model, Transformer) and row["kind_of_work"].startswith("vit"):
        return float(model.max_seq)
    return _MLPERF_TOKENS
