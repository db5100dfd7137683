"""Predicts the rows of a table of measured training runs: step time, throughput, utilisation and memory.

A row is read as a job, a plan and a cluster; from there on nothing is special to validation. What a row leaves unsaid
is assumed as the table's ``assumption`` column names it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil
from typing import Final

from simulator.costs.compute import Machine
from simulator.costs.estimate import StepEstimate, estimate
from simulator.costs.memory import account, usable_memory
from simulator.costs.network import AnalyticNetwork
from simulator.costs.passes import Network
from simulator.costs.step import Floats, StepTimes, price
from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.units import GIBI, GIGA, TERA
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.program import Program, lower
from simulator.profiles.catalogue import Catalogue
from simulator.profiles.device import Device
from simulator.profiles.efficiency import efficiency_of
from simulator.profiles.framework import Framework, framework_named
from simulator.profiles.node import Node
from simulator.topology.build import build_cluster
from simulator.topology.cluster import Cluster
from simulator.topology.fabric import Fabric
from simulator.validation.facts import number
from simulator.validation.prediction import Label, Prediction
from simulator.validation.training_constants import AS_SHIPPED, TrainingConstants
from simulator.validation.training_networks import (
    SECONDS_PER_MINUTE,
    is_priced_by_layers,
    is_submission,
    predict_network_row,
    samples_to_converge,
)
from simulator.validation.unprinted import REAL_TOKENS, mean_length, trained_beside, version_of
from simulator.validation.used_servers import used_servers
from simulator.workload.jobs.training import Precision, TrainingJob
from simulator.workload.models.library import load_model
from simulator.workload.models.parameters import count_parameters
from simulator.workload.models.transformer import Transformer
from simulator.workload.optimizers import optimizers

#: what the engine column holds where a row does not tell one
_NOT_PRINTED: Final = ("", "several", "not-printed")
#: the server that a device without a node in its row stands in
_SERVERS: Final = {
    "nvidia-a100-sxm4-80gb": "dgx-a100-640gb",
    "nvidia-a100-sxm4-40gb": "dgx-a100-320gb",
    "nvidia-h100-sxm5-80gb": "hgx-h100-8",
    "nvidia-b200-sxm-180gb": "hgx-b200-8",
}
#: what benchmark submissions without tensor or pipeline parallelism run like: one captured graph per step
_TUNED: Final = "megatron-bridge-whole-graph"
_PCIE_SERVER: Final = "oem-8x-l40s-pcie"  # of devices that no server of the catalogue holds: eight on PCIe
_TWO_SOCKETS: Final = "intel-2s-xeon-8480plus"  # of processors that none holds
#: share of the weights that low-rank adapters add and train (rank 16 of hidden 4096: 2 * 16 / 4096)
_ADAPTER_SHARE: Final = 0.008
#: how a row tells the lengths of the two sides of an encoder-decoder
_SIDES: Final = re.compile(r"input (?P<input>\d+)/target (?P<target>\d+)")
_LONGEST: Final = re.compile(r"the longest example has (\d+) tokens")
#: how a row tells that its samples per pass are those of one chip, whatever ranks share them
_PER_CHIP: Final = re.compile(r"per_device_batch_size \(per chip\)")
#: MaxText's policies that keep the projections of queries, keys and values alone: all else is recomputed
_ALL_BUT_QKV: Final = re.compile(r"remat_policy=(save_)?qkv_proj")
_BETWEEN_SERVERS: Final = "ib-hdr"  # where neither the row nor the server names a network


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A measured run as the simulator sees it."""

    job: TrainingJob
    plan: Plan
    cluster: Cluster
    device: Device
    framework: Framework
    devices: int
    nodes: int


def predict_training_row(
    row: Mapping[str, str], catalogue: Catalogue, constants: TrainingConstants = AS_SHIPPED
) -> Prediction:
    """Return the predicted value of one row; see :class:`Prediction`.

    Raises:
        InputError: the row names something unknown or says too little; the message is the reason.
    """
    if is_priced_by_layers(row):
        return predict_network_row(row, catalogue, constants)
    run = run_of(row, catalogue)
    program = program_of(run)
    fits = _fits(row, run)
    metric = row["metric"]
    known = efficiency_of(run.device).origin == "calibrated" and row.get("engine", "") not in _NOT_PRINTED
    label: Label = "calibrated" if known else "assumed"
    if row.get("outcome") == "oom":
        return Prediction.missing("the run ended out of memory", fits=fits)
    if metric == "memory_gb":
        unit = GIBI if "GiB" in row.get("notes", "") else GIGA
        return Prediction(float(account(program, run.framework).total[0]) / unit, label, "", fits)
    value = run_value(row, run, program, constants, AnalyticNetwork.of(run.cluster.tiers))
    return Prediction(value, label, "", fits)


def run_value(
    row: Mapping[str, str], run: Run, program: Program, constants: TrainingConstants, network: Network
) -> float:
    """Return what the row's metric is under some constants."""
    efficiency, framework = constants.of(run.device, run.framework)
    machine = Machine.of(run.device, run.job.precision, efficiency)
    times = price(program, machine, framework, network)
    step = estimate(times, program.table, nodes=float(run.nodes))
    seconds = float(measured_part(row, step, times)[0]) + _beside(row, run, machine, framework)
    return in_units(row, run, seconds)


def _beside(row: Mapping[str, str], run: Run, machine: Machine, framework: Framework) -> float:
    """Return the seconds of what is trained in the same step; the host's work around a step is done once."""
    name = trained_beside(row)
    if name is None:
        return 0.0
    model = load_model(name)
    assert isinstance(model, Transformer)
    program = program_of(replace(run, job=replace(run.job, model=model)))
    times = price(program, machine, framework, AnalyticNetwork.of(run.cluster.tiers))
    return float((estimate(times, program.table, nodes=float(run.nodes)).step - times.host)[0])


def _may_recompute(row: Mapping[str, str], run: Run) -> bool:
    return not row.get("recompute") and run.framework.recompute_unasked == "unknown"


def _room(run: Run) -> float:
    """Return the memory of one rank: cores of one device that are ranks of their own share its memory."""
    return usable_memory(run.device) / max(1.0, run.plan.ranks / run.devices)


def _fits(row: Mapping[str, str], run: Run) -> bool:
    """Return whether the run fits its devices.

    A run that was measured did fit: what its row leaves unsaid (recomputation, sharding of the optimizer) is taken as
    lean as it can be. What the row says is taken as it is, and so is what its framework is known to do unasked.
    """
    plan = run.plan
    if _may_recompute(row, run):
        plan = replace(plan, recompute="full")
    if not row.get("zero_stage"):
        plan = replace(plan, zero=max(plan.zero, 1))
    needed = account(program_of(replace(run, plan=plan)), run.framework).total[0]
    return bool(needed <= _room(run))


def run_of(row: Mapping[str, str], catalogue: Catalogue) -> Run:
    """Read a row; raises :class:`InputError` where it cannot be read as a run of a transformer."""
    model = load_model(row["model_id"])
    if not isinstance(model, Transformer):
        raise InputError(f"{row['model_id']!r} is no transformer; its training is not priced yet.")
    device = catalogue.devices[row["device_id"]]
    counted = number(row, "n_accel")
    ranks = int(counted * (number(row, "ranks_per_accel", 1.0) or 1.0))
    devices = max(1, ceil(counted * (number(row, "devices_per_accel", 1.0) or 1.0)))
    framework = _framework(row, device)
    plan = _plan(row, ranks, model, framework)
    if plan.dp == ranks > devices and not ranks % devices:  # cores of one device are one rank
        plan = replace(plan, dp=devices, micro_batch=plan.micro_batch * (ranks // devices))
    precision = Precision.of(row.get("precision") or "bf16")
    trained = _ADAPTER_SHARE if row["kind_of_work"] == "llm-lora" else 1.0
    job = TrainingJob(
        model=model,
        trained_share=trained,
        precision=precision,
        seq_len=_length(row, model),
        global_batch=plan.global_batch,
        optimizer=optimizers["adamw"],
    )
    node = _node(row, device, catalogue)
    server, count = used_servers(row, node, devices)
    cluster = _built(server.name, server.device_count, device.name, count, catalogue)
    run = Run(
        job=job,
        plan=plan,
        cluster=cluster,
        device=device,
        devices=devices,
        framework=framework,
        nodes=count,
    )
    unasked = framework.recompute_unasked == "needed" and not row.get("recompute")
    return _recomputing_as_needed(run) if unasked else run


def _recomputing_as_needed(run: Run) -> Run:
    """Return the run with the least recomputation that lets it fit; with all of it where nothing does."""
    ways = [replace(run, plan=replace(run.plan, recompute=how)) for how in ("none", "selective", "full")]
    fitting = (way for way in ways if account(program_of(way), way.framework).total[0] <= _room(way))
    return next(fitting, ways[-1])


def _length(row: Mapping[str, str], model: Transformer) -> int:
    """Return the tokens of a sample; submissions of encoders compute no padding (``mlperf-defaults``).

    Where no length is printed, peak memory follows the longest sample that the notes tell of.
    """
    sides = _SIDES.search(row.get("notes", ""))
    if sides and model.kind == "encoder-decoder":  # at the mean length both sides together do the work of the two
        return round((int(sides["input"]) + int(sides["target"])) / 2)
    told = _LONGEST.search(row.get("notes", "")) if row["metric"] == "memory_gb" else None
    longest = _whole(row, "seq_len_tokens", int(told[1]) if told else model.max_seq)
    if is_submission(row) and model.kind == "encoder":
        return round(longest * REAL_TOKENS)
    return mean_length(row, longest)


def _whole(row: Mapping[str, str], column: str, default: int) -> int:
    value = number(row, column, float(default))
    return int(value) if value else default


def _plan(row: Mapping[str, str], ranks: int, model: Transformer, framework: Framework) -> Plan:
    tp, pp, cp, ep, vpp = (_whole(row, name, 1) for name in ("tp", "pp", "cp", "ep", "vpp"))
    dp = _whole(row, "dp", max(1, ranks // (tp * pp * cp)))
    whole = max(1, _whole(row, "global_batch_samples", dp) // dp)  # without a pipeline a rank takes its share at once
    micro = _whole(row, "micro_batch_samples", 0) or (1 if pp > 1 else whole)
    if _PER_CHIP.search(row.get("notes", "")):  # the ranks of TP and CP work at the samples of all of them together
        micro *= tp * cp
    batch = _whole(row, "global_batch_samples", 0) or micro * dp
    stage = tp * cp * dp
    zero = _whole(row, "zero_stage", 1 if "optimizer-sharding" in row.get("assumption", "") else 0)
    unasked = "full" if framework.recompute_unasked == "sharded" and zero == 3 else "none"
    return Plan(
        tp=tp,
        cp=cp,
        dp=dp,
        pp=pp,
        vpp=vpp if pp > 1 else 1,
        ep=min(ep, stage) if model.experts is not None else 1,
        micro_batch=micro,
        micro_batches=max(1, round(batch / (micro * dp))),
        zero=zero,
        recompute="full" if _ALL_BUT_QKV.search(row.get("notes", "")) else row.get("recompute") or unasked,
        sequence_parallel=(row.get("sequence_parallel") == "yes" or framework.shards_residual) and tp > 1,
    )


def _node(row: Mapping[str, str], device: Device, catalogue: Catalogue) -> Node:
    name = row.get("node_id") or _SERVERS.get(device.name)
    if name:
        return catalogue.nodes[name]
    holding = [node for node in catalogue.nodes.values() if node.device == device.name]
    if not holding:
        return catalogue.nodes[_TWO_SOCKETS if device.kind == "cpu" else _PCIE_SERVER]
    return max(holding, key=lambda node: (node.device_count or 0, node.name))


@lru_cache(maxsize=512)
def _built(node: str, used: int, device: str, count: int, catalogue: Catalogue) -> Cluster:
    """Return the cluster of ``count`` servers of which ``used`` devices take part."""
    server = replace(catalogue.nodes[node], device_count=used)
    link = catalogue.links[_BETWEEN_SERVERS] if server.nic_bandwidth is None and count > 1 else None
    return build_cluster(
        nodes=[(server, catalogue.devices[device], count)],
        links=catalogue.links,
        fabric=Fabric(shape="fat-tree", link=link),
    )


def _framework(row: Mapping[str, str], device: Device) -> Framework:
    """Return the framework of a row; where it is not told or not known, the usual one of such a run.

    Megatron-LM on Ampere and older is the one of 2021 and 2022. Megatron Bridge launches eagerly unless the notes say
    that graphs of parts, or of the whole iteration, were captured.
    """
    engine = version_of(row)
    if is_submission(row) and _whole(row, "tp", 1) * _whole(row, "pp", 1) == 1:
        return framework_named(_TUNED)
    if engine == "megatron-lm" and device.architecture in ("Ampere", "Volta"):
        engine = "deepspeed" if row.get("zero_stage") == "3" else "megatron-lm-2021"  # it has no ZeRO-3 of its own
    if engine in ("megatron-bridge", "nemo"):
        captured = row.get("notes", "").partition("cuda_graph=")[2]
        whole, parts = captured.startswith("full_iteration"), captured.startswith(("transformer_engine", "local"))
        engine = "megatron-bridge" + ("-whole-graph" if whole else "-graphs" if parts else "")
    if engine == "pytorch" and _whole(row, "tp", 1) * _whole(row, "pp", 1) > 1:
        engine = ""  # it splits no model by itself: a library on top of it does
    try:
        return framework_named(_usual(row, device) if engine in _NOT_PRINTED else engine)
    except UnknownName:
        return framework_named(_usual(row, device))


def _usual(row: Mapping[str, str], device: Device) -> str:
    """Return the framework that runs like this one are usually made with."""
    if device.kind == "tpu":
        return "maxtext"
    if _whole(row, "tp", 1) * _whole(row, "pp", 1) > 1:
        return "megatron-lm"
    return "pytorch-fsdp" if row.get("zero_stage") == "3" else "pytorch"


def measured_part(row: Mapping[str, str], step: StepEstimate, times: StepTimes) -> Floats:
    """Return the seconds that a row is about: the step, or one layer's passes without optimizer and host work."""
    if row["model_id"].endswith("one-transformer-layer"):
        return step.step - times.optimizer - times.host
    return step.step


def in_units(row: Mapping[str, str], run: Run, seconds: float) -> float:
    """Return the step time in the row's metric."""
    counted = number(row, "n_accel")
    tokens, samples = run.job.tokens_per_step, run.job.global_batch
    match row["metric"]:
        case "iteration_time_s":
            return seconds
        case "samples_per_s":
            return samples / seconds
        case "time_to_train_min":
            return samples_to_converge(row) / samples * seconds / SECONDS_PER_MINUTE
        case "tokens_per_s_per_gpu":
            return tokens / seconds / counted
        case "tflops_per_gpu":
            return _printed_flop(row, run) / seconds / counted / TERA
        case metric:
            raise InputError(f"no prediction in {metric!r}.")


def _printed_flop(row: Mapping[str, str], run: Run) -> float:
    """Return the FLOP of a step as the row's source counts them (see the measurements' README)."""
    model, seq = run.job.model, run.job.seq_len
    if run.framework.attention == "unfused":  # Narayanan et al. 2021, with the recomputed forward pass
        h, layers = model.hidden, model.layers
        return 96.0 * run.job.tokens_per_step * layers * h**2 * (1 + seq / (6 * h) + model.vocab / (16 * layers * h))
    matrices = count_parameters(model).total - model.vocab * model.hidden
    attention = 12.0 * model.attending_layers * model.heads * model.head_dim * seq
    return (6.0 * matrices + attention) * run.job.tokens_per_step


def program_of(run: Run) -> Program:
    """Return the lowered program of a run, for those who look inside."""
    return lower(run.job, PlanTable.of([run.plan]), run.cluster.tiers)
