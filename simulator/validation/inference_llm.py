"""Predicts measured generation: static batches in closed form, everything with a queue by the serving engine.

A row says model, device, degrees, formats, engine and load; nothing here looks at the measured value. Loads with a
queue are simulated request by request: offline (all at once), open loop (Poisson), closed loop (so many in flight).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Final

import numpy as np

from simulator.costs.collectives import load_fabrics
from simulator.costs.serving.iteration import Replica
from simulator.costs.serving.layers import Layout
from simulator.costs.serving.numerics import Numerics
from simulator.costs.serving.static_batch import decode_seconds, generation_seconds, prompt_seconds
from simulator.costs.serving.traits import EngineTraits, engine_named
from simulator.engine.serving.fleet.from_replica import engine_class_of
from simulator.engine.serving.fleet.run import FleetRun, Replicas, Rules
from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.foundation.shipped import shipped
from simulator.foundation.units import GIGA, KILO
from simulator.profiles.catalogue import Catalogue
from simulator.profiles.device import Device
from simulator.topology.tiers import Tier
from simulator.validation.facts import device_of, number
from simulator.validation.inference_constants import AS_SHIPPED, InferenceConstants
from simulator.workload.conversations import closed_loop
from simulator.workload.models.library import load_model
from simulator.workload.models.transformer import Transformer
from simulator.workload.requests import Chains, Requests

#: (text in ``engine``, least version) -> traits; the last that matches
_ENGINES: Final = (
    ("tensorrt-llm", "trtllm-2023"),
    ("fastertransformer", "fastertransformer"),
    ("llama.cpp", "llama.cpp"),
    ("vllm", "vllm"),
    ("sglang", "vllm"),
    ("jetstream", "jetstream"),
)
#: TensorRT-LLM before this version -> its traits; later ones are those of today
_TRTLLM: Final = (((0, 10), "trtllm-2023"), ((0, 18), "trtllm-2024"))
#: columns that decide a run
_DECIDES: Final = (
    "kind_of_work model_id device_id devices_per_accel ranks_per_accel n_accel precision kv_precision engine "
    "engine_version dp tp pp ep concurrency_requests request_rate_per_s n_requests max_num_seqs input_len_tokens "
    "output_len_tokens notes"
)
_PCIE: Final = 16 * GIGA
_SPREAD: Final = 0.1  # lengths of a closed loop around their mean
_ROUNDS: Final = 10  # requests of each user of a closed loop whose length is not printed
_STEADY: Final = 4000  # requests of an open loop whose length is not printed
_STAGE_USERS: Final = 45  # 9 system prompts x 5 users, each sending its history again


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What a run shows, in seconds."""

    ttft: np.ndarray[tuple[int], np.dtype[np.float64]]
    tpot: np.ndarray[tuple[int], np.dtype[np.float64]]
    latency: np.ndarray[tuple[int], np.dtype[np.float64]]
    requests: int
    output_tokens: float
    input_tokens: float
    span_s: float


def engine_of(row: Mapping[str, str]) -> EngineTraits:
    """Return the traits of a row's engine; a framework loop where it is none of the known ones."""
    text, version = row.get("engine", ""), row.get("engine_version", "")
    if text == "tensorrt-llm":
        digits = [int(part) for part in version.split(" ")[0].split(".")[:2] if part.isdigit()]
        era = next((name for before, name in _TRTLLM if digits and tuple(digits) < before), "trtllm")
        return engine_named(era)
    known = next((name for spelt, name in _ENGINES if spelt == text), "eager")
    return engine_named(known)


def tiers_of(device: Device, devices: int) -> tuple[tuple[Tier, ...], tuple[object, ...]]:
    """Return the links between the devices of one replica: the scale-up domain, else the host's bus."""
    rate = device.scaleup_bandwidth or device.host_bandwidth or _PCIE
    name = device.scaleup_link if device.scaleup_bandwidth else device.host_link
    tier = Tier(name=name or "pcie4-x16", span=max(devices, 8), bandwidth=rate, port_bandwidth=rate, latency=0.0)
    return (tier,), (load_fabrics()[tier.name],)


def replica_of(row: Mapping[str, str], catalogue: Catalogue) -> Replica:
    """Return the replica that a row describes.

    Raises:
        InputError: the row names no known device, model or format, or no transformer.
    """
    model = load_model(row["model_id"])
    if not isinstance(model, Transformer):
        raise InputError(f"{model.name} generates no tokens.")
    device = device_of(row, catalogue)
    formats = row.get("precision") or "bf16"
    experts, cache_format = None, row.get("kv_precision") or None
    if formats in ("nvfp4", "mxfp4") and model.name.startswith("gpt-oss"):
        formats, experts = "bf16", "mxfp4"
    if row.get("engine") == "optimum-habana" and formats == "fp8":
        cache_format = "fp8"
    if cache_format is None and _calibrated_cache(row):
        cache_format = "fp8"
    engine = engine_of(row)
    tiers, fabrics = tiers_of(device, int(number(row, "n_accel", 1)))
    return Replica.of(
        model,
        device,
        layout=layout_of(row, model),
        numerics=Numerics.of(device, formats, experts=experts, cache=cache_format, narrow_sums=engine.narrow_sums),
        engine=engine,
        tiers=tiers,
        fabrics=fabrics,  # type: ignore[arg-type]
    )


def _calibrated_cache(row: Mapping[str, str]) -> bool:
    """Return whether the checkpoint carries the scales of an 8-bit cache, which TensorRT-LLM then uses.

    Those quantised with one scale per tensor do; those scaled by blocks, as their makers publish them, do not.
    """
    blocks = "fp8_block" in row.get("notes", "") or row["model_id"].startswith("deepseek")
    return row.get("engine") == "tensorrt-llm" and row.get("precision") == "fp8" and not blocks


def ranks_of(row: Mapping[str, str]) -> float:
    """Return the ranks of a row: as counted, or as many as its experts are cut over where that is more.

    Tables that count the tensor-parallel ranks of attention alone name the cut of the experts in their notes.
    """
    counted = number(row, "n_accel", 1) * number(row, "ranks_per_accel", 1)
    notes = _notes(row)
    return max(counted, float(int(notes.get("moe_tp", 1)) * int(notes.get("moe_ep", 1))))


def layout_of(row: Mapping[str, str], model: Transformer) -> Layout:
    """Return the degrees of one replica; data-parallel attention where experts span more than tp."""
    ranks = ranks_of(row)
    tp, pp = int(number(row, "tp", 1)), int(number(row, "pp", 1))
    dp, ep = int(number(row, "dp", 0) or max(1, ranks // (tp * pp))), int(number(row, "ep", 0) or 1)
    experts = model.experts is not None
    attention = dp if experts and dp > 1 else 1
    group = tp * attention
    return Layout(tp=tp, pp=pp, ep=min(ep, group) if experts else 1, dp_attention=attention)


def copies_of(row: Mapping[str, str], layout: Layout) -> int:
    """Return the replicas of a row."""
    return max(1, int(ranks_of(row) // layout.devices))


def static_value(row: Mapping[str, str], replica: Replica) -> float:
    """Return the row's metric for a batch that starts together; throughput is of the whole batch."""
    batch = number(row, "batch_samples", 1)
    prompt, output = number(row, "input_len_tokens"), number(row, "output_len_tokens", 1)
    metric = row["metric"]
    if metric == "ttft_ms":
        return prompt_seconds(replica, batch, prompt) * KILO
    if metric == "tpot_ms":
        return decode_seconds(replica, batch, prompt + output / 2) * KILO
    seconds = generation_seconds(replica, batch, prompt, output)
    return seconds * KILO if metric == "latency_ms" else batch * output / seconds


def stream_value(row: Mapping[str, str], replica: Replica) -> float:
    """Return tokens per second of one stream: of its prompt, or of decoding.

    The stages of a pipeline work one by one on each piece of a prompt, and side by side on its pieces.
    """
    alone = replace(replica, layout=replace(replica.layout, pp=1))
    prompt, output = number(row, "input_len_tokens", 0), number(row, "output_len_tokens", 0)
    if row["metric"] == "tpot_ms":
        return decode_seconds(alone, 1, max(prompt, 1) + output / 2) * KILO
    if prompt and not output:
        pieces = max(1, round(prompt / replica.engine.max_num_batched_tokens))
        stages = replica.layout.pp
        return prompt / (prompt_seconds(alone, 1, prompt) * (pieces + stages - 1) / (pieces * stages))
    return 1.0 / decode_seconds(alone, 1, (prompt or 128) + output / 2)


def served_value(row: Mapping[str, str], served: Served) -> float:
    """Return the row's metric from a run."""
    metric = row["metric"]
    percentile = row.get("percentile") or "mean"
    series = {"ttft_ms": served.ttft, "tpot_ms": served.tpot, "latency_ms": served.latency}
    if metric in series:
        values = series[metric]
        value = values.mean() if percentile == "mean" else np.percentile(values, float(percentile[1:]))
        return float(value) * KILO
    if metric == "requests_per_s":
        return served.requests / served.span_s
    tokens = served.output_tokens + (served.input_tokens if metric == "total_tokens_per_s" else 0.0)
    return tokens / served.span_s


@lru_cache(maxsize=64)
def run_of(
    key: tuple[tuple[str, str], ...], catalogue: Catalogue, constants: InferenceConstants = AS_SHIPPED
) -> Served:
    """Simulate the load of a row; rows that share a run share the simulation."""
    row = dict(key)
    replica = constants.on_replica(replica_of(row, catalogue))
    copies = copies_of(row, replica.layout)
    requests = requests_of(row, copies)
    prompt, output = float(requests.prompt.mean()), float(requests.output.mean())
    seqs = int(number(row, "max_num_seqs", 0)) or None
    budget = next((int(v) for k, v in _notes(row).items() if k.replace("-", "_") == "max_num_batched_tokens"), None)
    engine = engine_class_of(
        replica,
        typical_prompt=prompt,
        typical_output=output,
        max_num_seqs=seqs,
        max_num_batched_tokens=budget,
        prefix_block_tokens=requests.chains.block_tokens if requests.chains else 0,
        cache_tokens=None,
    )
    pools = [Replicas(engine=engine, count=copies)]
    run = FleetRun(requests, pools, Rules(router="least-requests", keep_gaps=False), compiled=True)
    run.finish()
    through_network = row["kind_of_work"] != "llm-trace-replay"  # its instants are the engine's own
    return _served(run, frontend=replica.engine.frontend_s if through_network else 0.0)


def run_key(row: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return what of a row decides the run."""
    return tuple((name, row.get(name, "") or "") for name in _DECIDES.split())


def requests_of(row: Mapping[str, str], copies: int) -> Requests:
    """Return the requests that a row's load consists of."""
    if row["kind_of_work"] == "llm-trace-replay":
        return replayed()
    prompt, output = number(row, "input_len_tokens"), number(row, "output_len_tokens", 1)
    in_flight = number(row, "concurrency_requests", 0)
    rate = row.get("request_rate_per_s", "")
    if row["kind_of_work"] == "llm-open-loop":
        return _stage(row, prompt, output)
    n = int(number(row, "n_requests", 0)) or _STEADY
    if in_flight:
        rounds = max(2, n // max(1, int(in_flight))) if row.get("n_requests") else _ROUNDS
        return _steady_loop(int(in_flight), rounds, prompt, output)
    gap = 0.0 if rate in ("", "inf") else 1 / float(rate)
    arrival = np.cumsum(Streams(0)["arrivals"].exponential(gap, n))
    return Requests(arrival_s=arrival, prompt=_near(prompt, n), output=_near(output, n))


def _steady_loop(users: int, rounds: int, prompt: float, output: float) -> Requests:
    """Return a closed loop whose users start together and fall out of step, as their lengths differ."""
    n = users * rounds
    draws = Streams(0)["loop"]
    outputs = output * draws.uniform(1 - _SPREAD, 1 + _SPREAD, n)
    prompts = prompt * draws.uniform(1 - _SPREAD, 1 + _SPREAD, n)
    return closed_loop(
        users,
        rounds,
        prompt=np.maximum(1, prompts.round()).astype(np.int32),
        output=np.maximum(1, outputs.round()).astype(np.int32),
    )


def _near(mean: float, n: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.full(n, max(1, round(mean)), np.int32)


def _stage(row: Mapping[str, str], prompt: float, output: float) -> Requests:
    """Return an open loop whose prompts were all seen before but for their last block (the row's assumption)."""
    n = min(int(number(row, "n_requests", _STEADY)), _STEADY)
    draws = Streams(0)["stage"]
    arrival = np.cumsum(draws.exponential(1 / number(row, "request_rate_per_s"), n))
    blocks = max(1, int(prompt) // 16)
    users = draws.integers(0, _STAGE_USERS, n)
    numbers = (users[:, None] * blocks + np.arange(blocks)[None, :]).astype(np.int32).reshape(-1)
    chains = Chains(start=np.arange(n + 1) * blocks, blocks=numbers, block_tokens=16)
    return Requests(arrival_s=arrival, prompt=_near(prompt, n), output=_near(output, n), chains=chains)


@cache
def replayed() -> Requests:
    """Return the requests of the measured vLLM replay that ships with the project."""
    path = shipped("measurements") / "traces" / "vllm_replay_llama_3p1_8b.csv"
    with path.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(line for line in stream if not line.startswith("#")))
    return Requests(
        arrival_s=np.array([float(row["arrival_s"]) for row in rows]),
        prompt=np.array([int(row["input_tokens"]) for row in rows], np.int32),
        output=np.array([int(row["output_tokens"]) for row in rows], np.int32),
    )


def _notes(row: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in row.get("notes", "").replace(",", ";").split(";"):
        name, _, value = part.strip().replace("=", " ").rpartition(" ")
        if name and value.isdigit():
            found[name.split(" ")[-1]] = value
    return found


def _served(run: FleetRun, *, frontend: float) -> Served:
    """Return what a run shows to a client that the front end keeps waiting so long."""
    result = run.result()
    done = result.finished
    return Served(
        ttft=result.ttft_s[done] + frontend,
        tpot=result.tpot_s[done],
        latency=result.latency_s[done] + frontend,
        requests=int(result.finished.sum()),
        output_tokens=float(result.output[result.finished].sum()),
        input_tokens=float(result.prompt[result.finished].sum()),
        span_s=result.span_s,
    )
