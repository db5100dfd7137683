"""What a measured row names, looked up: its device, its count of devices, its precision, its model.

Every function raises :class:`InputError` (or its child :class:`UnknownName`) when the row or the catalogue says too
little; the sentence is then the reason why a row is not predicted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from simulator.foundation.errors import InputError
from simulator.profiles.catalogue import Catalogue
from simulator.profiles.device import SHARED_RATES, Device, peak_for
from simulator.workload.models.facts import ForwardFacts
from simulator.workload.models.library import load_model
from simulator.workload.models.parameters import count_parameters
from simulator.workload.models.transformer import Transformer

#: how tables spell a precision -> (rate that multiplies, bytes of a stored weight)
_PRECISIONS: Final[Mapping[str, tuple[str, float]]] = {
    "fp64": ("fp64", 8.0),
    "fp32": ("fp32", 4.0),
    "tf32": ("tf32", 4.0),
    "fp16": ("fp16", 2.0),
    "bf16": ("bf16", 2.0),
    "fp16-amp": ("fp16", 2.0),
    "bf16-amp": ("bf16", 2.0),
    "fp8": ("fp8", 1.0),
    "mxfp8": ("mxfp8", 1.0),
    "int8": ("int8", 1.0),
    "int8+fp16": ("int8", 1.0),
    "int8-weights": ("fp16", 1.0),
    "int4": ("int4", 0.5),
    "int4-weights": ("fp16", 0.5),
    "nf4-weights": ("bf16", 0.5),
    "q4": ("fp16", 4.5 / 8),  # 4-bit blocks of 32 with a 16-bit scale
    "nvfp4": ("nvfp4", 0.5),
    "mxfp4": ("mxfp4", 0.5),
}
_NOT_PRINTED: Final = "bf16"  # the assumption ``precision-16bit``

#: what a device computes in when it has no units for a precision: the next wider one
_INSTEAD: Final[Mapping[str, str]] = {
    "fp4": "fp8",
    "fp8": "bf16",
    "int4": "int8",
    "int8": "fp16",
    "bf16": "fp16",
    "fp16": "fp32",
    "tf32": "fp32",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """The devices of a row: how many of which, their dense peak in FLOP/s, and bytes of a weight as stored."""

    device: Device
    count: float
    peak: float
    weight_bytes: float


def number(row: Mapping[str, str], column: str, default: float | None = None) -> float:
    """Return a cell as a number; raises :class:`InputError` when it is blank and there is no default."""
    cell = row.get(column, "")
    if cell:
        return float(cell)
    if default is None:
        raise InputError(f"the column {column} is blank.")
    return default


def hardware_of(row: Mapping[str, str], catalogue: Catalogue) -> Hardware:
    """Return the devices of a row; raises :class:`InputError` if one of its facts is not known."""
    device = device_of(row, catalogue)
    printed = row.get("precision", "") or _NOT_PRINTED
    if printed not in _PRECISIONS:
        raise InputError(f"the precision {printed!r} is not known. Known: {', '.join(sorted(_PRECISIONS))}.")
    rate, weight_bytes = _PRECISIONS[printed]
    count = number(row, "n_accel") * number(row, "devices_per_accel", 1.0)
    return Hardware(device=device, count=count, peak=_peak(device, rate), weight_bytes=weight_bytes)


def device_of(row: Mapping[str, str], catalogue: Catalogue) -> Device:
    """Return the device that a row names; raises :class:`UnknownName`."""
    name = row.get("device_id", "")
    if not name:
        raise InputError("the row names no device.")
    return catalogue.devices[name]


def _peak(device: Device, rate: str) -> float:
    known = SHARED_RATES.get(rate, rate)
    if known == "fp16" and "fp16" not in device.peak and "bf16" in device.peak:
        known = "bf16"
    while known not in device.peak and known in _INSTEAD:
        known = _INSTEAD[known]
    return peak_for(device, known if known in device.peak else rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one sample asks of a machine, forward only.

    Attributes:
        flop: FLOP of one forward pass of one token (transformers) or one sample (all others).
        parameters, active_parameters: learned numbers; those on the path of one token.
        kv_elements: numbers cached per token; 0 for models without a cache.
        by_token: whether ``flop`` counts a token.
    """

    flop: float
    parameters: float
    active_parameters: float
    kv_elements: float
    by_token: bool


def demand_of(row: Mapping[str, str], context: float) -> Demand:
    """Return what the row's model asks, with attention over a context of so many tokens (its mean if causal).

    Raises:
        InputError: the model is not known, or its facts do not say what one sample costs.
    """
    model = load_model(row.get("model_id", ""))
    if isinstance(model, Transformer):
        return _transformer_demand(model, context)
    if isinstance(model, ForwardFacts):
        size = row.get("image_size_px", "")
        macs = model.macs_at(int(float(size)) if size and model.image_size else None)
    else:
        macs = model.macs
    held = float(model.parameters or 0.0)
    return Demand(flop=2.0 * macs, parameters=held, active_parameters=held, kv_elements=0.0, by_token=False)


def _transformer_demand(model: Transformer, context: float) -> Demand:
    counted = count_parameters(model)
    layers = model.layers + model.encoder_layers
    seen = context / 2.0 if model.kind == "decoder" else context
    attention = 4.0 * layers * model.heads * model.head_dim * seen  # scores and weighted sum, 2 FLOP each
    cached = 2 * model.kv_heads * model.head_dim
    if model.latent is not None:
        cached = model.latent.kv_lora_rank + model.latent.qk_rope_head_dim
    return Demand(
        flop=2.0 * counted.active + attention,
        parameters=float(counted.total),
        active_parameters=float(counted.active),
        kv_elements=float(model.layers * cached) if model.kind != "encoder" else 0.0,
        by_token=True,
    )
