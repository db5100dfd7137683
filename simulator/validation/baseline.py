"""The no-model control: what anyone would say with a data sheet and a pencil, on the same rows.

Training runs at 45 % of the dense peak; inference at its roofline; a transfer takes its size over the link's rate.
A simulator that does not beat these by far has no claim.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from simulator.foundation.errors import InputError
from simulator.foundation.units import GIGA, MICRO, MILLI, TERA
from simulator.profiles.catalogue import Catalogue
from simulator.validation.facts import Demand, Hardware, demand_of, device_of, hardware_of, number
from simulator.validation.tables import Kind

#: share of the dense peak that training is said to reach
ASSUMED_MFU: Final = 0.45

_TRAINING_PASSES: Final = 3.0  # backward costs two forward passes: one for inputs, one for weights
_ADAPTER_PASSES: Final = 2.0  # LoRA: no weight gradients of the frozen matrices
_USABLE_MEMORY: Final = 0.9  # share of the device that serving fills with weights and cache
_CACHE_BYTES: Final = 2.0
_MANY: Final = 1000.0  # samples of an unstated batch of a model without a cache: weights are read for nothing
_MESSAGE_BYTES: Final = 2.0  # of one hidden value of a dispatched token


def baseline_value(kind: Kind, row: Mapping[str, str], catalogue: Catalogue) -> float | None:
    """Return the control's value in the unit of the row's metric; None when even that needs a fact that is missing."""
    try:
        if kind == "training":
            return _training(row, catalogue)
        return _inference(row, catalogue) if kind == "inference" else _network(row, catalogue)
    except InputError:
        return None


def _training(row: Mapping[str, str], catalogue: Catalogue) -> float | None:
    hardware = hardware_of(row, catalogue)
    metric = row["metric"]
    if metric == "tflops_per_gpu":
        return ASSUMED_MFU * hardware.peak * number(row, "devices_per_accel", 1.0) / TERA
    tokens = number(row, "seq_len_tokens", 1.0)
    demand = demand_of(row, tokens)
    passes = _ADAPTER_PASSES if row.get("kind_of_work") == "llm-lora" else _TRAINING_PASSES
    sample_flop = passes * demand.flop * (tokens if demand.by_token else 1.0)
    samples_per_s = ASSUMED_MFU * hardware.peak * hardware.count / sample_flop
    if metric == "iteration_time_s":
        return number(row, "global_batch_samples") / samples_per_s
    if metric == "tokens_per_s_per_gpu":
        return samples_per_s * number(row, "seq_len_tokens") / number(row, "n_accel")
    return samples_per_s if metric in ("samples_per_s", "images_per_s") else None


def _inference(row: Mapping[str, str], catalogue: Catalogue) -> float | None:
    hardware = hardware_of(row, catalogue)
    given, produced = number(row, "input_len_tokens", 1.0), number(row, "output_len_tokens", 0.0)
    demand = demand_of(row, given + produced)
    batch = _batch(row, hardware, demand, given + produced)
    if demand.by_token and produced:
        return _generation(row, hardware, demand, batch, given, produced)
    return _single_pass(row, hardware, demand, batch, given)


def _batch(row: Mapping[str, str], hardware: Hardware, demand: Demand, length: float) -> float:
    """Return the samples in flight: as printed, else all that the cache leaves room for (models without one: many)."""
    for column in ("batch_samples", "concurrency_requests"):
        if row.get(column):
            return number(row, column)
    if row.get("phase") or row.get("scenario") == "singlestream":
        return 1.0
    cached = demand.kv_elements * _CACHE_BYTES * length
    if not cached:
        return _MANY * hardware.count
    room = _USABLE_MEMORY * hardware.device.require("memory_bytes") * hardware.count
    fitting = max(1.0, (room - demand.parameters * hardware.weight_bytes) / cached)
    return min(fitting, number(row, "max_num_seqs", fitting), number(row, "n_requests", fitting))


def _pass_s(hardware: Hardware, demand: Demand, units: float, cache_bytes: float, devices: float) -> float:
    """Return seconds of one pass over ``units`` tokens or samples: the longer of arithmetic and memory."""
    touched = min(demand.parameters, demand.active_parameters * units) * hardware.weight_bytes
    arithmetic = demand.flop * units / (hardware.peak * devices)
    return max(arithmetic, (touched + cache_bytes) / (hardware.device.require("memory_bandwidth") * devices))


def _generation(
    row: Mapping[str, str], hardware: Hardware, demand: Demand, batch: float, given: float, produced: float
) -> float | None:
    metric, devices = row["metric"], hardware.count
    if metric == "ttft_ms":
        return _pass_s(hardware, demand, given, 0.0, devices) / MILLI
    cache = demand.kv_elements * _CACHE_BYTES * batch * (given + produced / 2)
    prefill = _pass_s(hardware, demand, batch * given, 0.0, devices)
    step = _pass_s(hardware, demand, batch, cache, devices)
    whole = prefill + produced * step
    phase = row.get("phase")
    served = min(batch / whole, number(row, "request_rate_per_s", math.inf))
    values = {
        "tpot_ms": step / MILLI,
        "latency_ms": whole / MILLI,
        "output_tokens_per_s_total": batch / step if phase == "decode" else served * produced,
        "total_tokens_per_s": batch * given / prefill if phase == "prefill" else served * (given + produced),
        "requests_per_s": served,
        "samples_per_s": served,
    }
    return values.get(metric)


def _single_pass(
    row: Mapping[str, str], hardware: Hardware, demand: Demand, batch: float, given: float
) -> float | None:
    """One forward pass; throughput is that of all devices, each with a batch of its own, and latency of one."""
    units = batch * (given if demand.by_token else 1.0)
    seconds = _pass_s(hardware, demand, units, 0.0, 1.0)
    metric = row["metric"]
    if metric in ("latency_ms", "ttft_ms"):
        return seconds / MILLI
    rate = batch / seconds * hardware.count
    if metric == "total_tokens_per_s":
        return rate * given
    return rate if metric in ("samples_per_s", "images_per_s", "requests_per_s") else None


def _network(row: Mapping[str, str], catalogue: Catalogue) -> float | None:
    rate = _link_rate(row, catalogue)
    metric = row["metric"]
    if rate is None or row.get("kind_of_work") in ("storage", "data-loading"):
        return None
    if metric in ("GBps", "busbw_GBps"):
        return rate / GIGA
    if row.get("message_bytes"):
        size = number(row, "message_bytes")
    else:
        size = number(row, "tokens_per_rank") * number(row, "hidden") * number(row, "topk", 1.0) * _MESSAGE_BYTES
    return size / rate / MICRO if metric == "latency_us" and size > 0.0 else None


def _link_rate(row: Mapping[str, str], catalogue: Catalogue) -> float | None:
    """Return bytes/s per device and direction of the slowest link on the way."""
    device = device_of(row, catalogue)
    inside = device.scaleup_bandwidth or device.host_bandwidth
    if number(row, "n_nodes", 1.0) <= 1.0:
        return inside
    node = catalogue.nodes[row["node_id"]] if row.get("node_id") else None
    if node is None or node.nic_bandwidth is None or not node.device_count:
        return None
    return node.nic_bandwidth / node.device_count
