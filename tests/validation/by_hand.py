"""Measured rows made by hand, and predictors whose answers are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.validation.prediction import Prediction
from simulator.validation.score import Scored
from simulator.validation.tables import Kind, Measurement

CELLS = {
    "training": {
        "id": "t", "split": "calibration", "source_group": "lab", "kind_of_work": "llm-pretrain", "usable": "yes",
        "why_not": "", "model_id": "gpt-3-175b", "device_id": "nvidia-a100-sxm4-80gb", "n_accel": "8", "dp": "1",
        "tp": "8", "pp": "1", "micro_batch_samples": "1", "global_batch_samples": "8", "seq_len_tokens": "2048",
        "precision": "bf16", "metric": "iteration_time_s", "value": "10", "outcome": "", "source": "a paper",
    },
    "network": {
        "id": "n", "source_group": "lab", "kind_of_work": "collective", "usable": "yes",
        "device_id": "nvidia-a100-sxm4-80gb", "n_accel": "8", "op": "all_reduce", "message_bytes": "1000000",
        "metric": "latency_us", "value": "50", "source": "a page",
    },
    "inference": {
        "id": "i", "source_group": "lab", "kind_of_work": "llm-static-batch", "usable": "yes",
        "model_id": "llama-2-7b", "device_id": "nvidia-a100-sxm4-80gb", "n_accel": "1", "precision": "fp16",
        "batch_samples": "1", "input_len_tokens": "128", "output_len_tokens": "128", "metric": "latency_ms",
        "value": "2000", "source": "a page",
    },
}  # fmt: skip


def cells(kind: Kind = "training", **changed: object) -> dict[str, str]:
    return CELLS[kind] | {name: str(value) for name, value in changed.items()}


def measured(kind: Kind = "training", **changed: object) -> Measurement:
    row = cells(kind, **changed)
    value = float(row["value"]) if row["value"] else None
    return Measurement(kind=kind, cells=row, line=2, value=value)


def scored(predicted: float | None, *, fits: bool | None = None, baseline: float | None = None, **row: Any) -> Scored:
    """A row with the value that was predicted for it; ``None`` for a row that was not."""
    if predicted is None:
        prediction = Prediction.missing("no reason", fits=fits)
    else:
        prediction = Prediction(predicted, "modelled", "", fits)
    return Scored(row=measured(**row), prediction=prediction, baseline=baseline)


def csv_of(*rows: Mapping[str, str]) -> str:
    """A table as text; nothing in it needs quotes."""
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    return "\n".join(lines) + "\n"
