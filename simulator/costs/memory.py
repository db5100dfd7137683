"""The memory account of one rank: what it holds at the worst moment of a step, by part, for every plan.

Stored activations are those that each operator keeps for its backward pass (``workload.operators``), times the layers
of a stage and the micro-batches in flight on it: a 1F1B pipeline of p stages holds p - i micro-batches on stage i
(Narayanan et al. 2021, arXiv 2104.04473, section 2.2). Low-rank adapters drop elements of each product's input, so that
they keep a copy of it and a mask; packed frozen weights keep the input beside that copy, and one of their matrices
stands unpacked. Left out: fragmentation, which :func:`usable_memory` covers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.costs.held import copies, held_parameters, mean_parameters
from simulator.costs.passes import attention_kernel
from simulator.foundation.units import GIBI
from simulator.mapping.plan import RECOMPUTE, SCHEDULES
from simulator.mapping.program import LocalBlock, Program
from simulator.mapping.split import LocalAttention, LocalProduct, LocalScan, LocalTraffic
from simulator.profiles.device import Device
from simulator.profiles.framework import AttentionKernel, Framework
from simulator.workload.jobs.training import TrainingJob
from simulator.workload.optimizers import state_bytes_per_parameter

Floats = NDArray[np.float64]

#: bytes per score that unfused attention keeps: softmax output (2), dropout mask (1), dropout output (2)
SCORE_BYTES: Final = 5.0
#: bytes per element of a dropout mask
MASK_BYTES: Final = 1.0
#: what a process holds before the first tensor: context, kernels, communication buffers (measured: 0.6 to 1.5 GiB)
CONTEXT_BYTES: Final = 1.0 * GIBI
#: share of a device's memory that an allocator cannot use for tensors that come and go in different sizes
FRAGMENTATION: Final = 0.03

#: schedules under which the last stage holds as many micro-batches as the first
_EVEN: Final = tuple(SCHEDULES.index(name) for name in ("gpipe", "zb-h1", "dualpipe"))

PARTS: Final = ("weights", "gradients", "optimizer", "activations", "logits", "workspace")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryAccount:
    """Bytes on the fullest rank, per plan, by part; ``total`` is their sum (what an allocator calls peak allocated)."""

    parts: dict[str, Floats]

    @property
    def total(self) -> Floats:
        """Bytes of all parts."""
        total: Floats = np.sum([self.parts[name] for name in PARTS], axis=0)
        return total


def usable_memory(device: Device) -> float:
    """Return bytes that tensors can take on a device; raises :class:`InputError` if its memory is not known."""
    limit = device.memory_limit_bytes or device.require("memory_bytes")
    return (limit - CONTEXT_BYTES) * (1.0 - FRAGMENTATION)


def account(program: Program, framework: Framework) -> MemoryAccount:
    """Return the memory account of every plan of a program."""
    table, job = program.table, program.job
    dense, expert = held_parameters(program)
    data, expert_data = program.groups["dp"].size, program.groups["edp"].size
    owned = np.stack([dense + expert, dense / data + expert / expert_data])  # whole, sharded

    def held(stage: int, per_parameter: float) -> Floats:
        """Bytes of what is kept per parameter, sharded from a ZeRO stage on."""
        return per_parameter * owned[(table.zero >= stage).astype(np.int64), program.layout_index]

    trained = job.trained_share
    twice, shared = copies(table), np.where(table.zero == 0, copies(table), 1.0)  # copies are one group to ZeRO
    activations, logits = _activations(program, framework)
    parts = {
        "weights": held(3, job.precision.weight_bytes) * twice + _beside_layers(program, framework),
        "gradients": held(2, framework.gradient_bytes) * trained * twice,
        "optimizer": held(1, _state_bytes(job, framework)) * trained * shared,
        "activations": activations,
        "logits": logits,
        "workspace": _workspace(program, framework),
    }
    if framework.loads_whole:  # before the first step nothing but weights is held: its own shard and all of them
        whole = np.where(table.zero == 3, job.precision.weight_bytes * owned[0, program.layout_index], 0.0)
        step = activations + logits + parts["gradients"] + parts["optimizer"]
        parts["workspace"] = np.maximum(parts["workspace"], whole - step)
    return MemoryAccount(parts=parts)


def _state_bytes(job: TrainingJob, framework: Framework) -> float:
    """Return bytes of optimizer state per trained parameter; adapters of packed weights are not packed themselves."""
    width = max(job.precision.weight_bytes, job.precision.activation_bytes)
    if framework.states_like_weights:
        return job.optimizer.state_bytes * width / 4.0
    return state_bytes_per_parameter(job.optimizer, weight_bytes=width)


def _beside_layers(program: Program, framework: Framework) -> Floats:
    """Return bytes by which embedding and head exceed what their parameters take at the width of all weights.

    Packed formats leave the embedding as wide as activations are; a head that the model shares with its embedding is a
    second matrix where the framework does not tie them.
    """
    table, model, precision = program.table, program.job.model, program.job.precision
    rows = model.vocab * model.hidden / table.tp
    wider = precision.activation_bytes - precision.weight_bytes if precision.packed else 0.0
    untied = precision.weight_bytes if model.tied_embeddings and not framework.ties_embeddings else 0.0
    shared = np.where(table.zero == 3, program.groups["dp"].size[program.layout_index], 1.0)
    return rows * (wider + np.where(table.pp == 1, untied, 0.0)) / shared


def _activations(program: Program, framework: Framework) -> tuple[Floats, Floats]:
    """Return stored activations of layers and of the head at the worst of the first and the last stage."""
    table, index, layers = program.table, program.index, program.stage_layers[program.layout_index]
    kept = _mean_saved(program, framework, selective=False)[index]
    lean = _mean_saved(program, framework, selective=True)[index]
    boundary = _layer_input(program)[index]
    full = table.recompute == RECOMPUTE.index("full")
    layer = np.where(full, boundary, np.where(table.recompute == RECOMPUTE.index("selective"), lean, kept))
    working = np.where(full, kept, 0.0)  # the layer being recomputed is whole for a moment
    first = layers[:, 0] * layer * in_flight(program) + working
    head = _saved(program.head, program, framework, selective=False)[index]
    last_flight = np.where(np.isin(table.schedule, _EVEN), in_flight(program), 1)
    last = layers[:, 2] * layer * last_flight + working
    dual = table.schedule == SCHEDULES.index(
        "dualpipe"
    )  # its outer stages do both ends, half of the micro-batches each
    last = np.where(dual, 0.5 * (first + last), last)
    on_first = (first > last + head) & (table.pp > 1) & ~dual
    return np.where(on_first | (table.pp == 1), first, last), np.where(on_first, 0.0, head)


def in_flight(program: Program) -> Floats:
    """Return the micro-batches whose activations the first stage holds at once; a chunk counts as 1/v of one."""
    table = program.table
    m, p, v = table.micro_batches.astype(float), table.pp.astype(float), table.vpp.astype(float)
    one_forward = np.minimum(m, p)
    interleaved = np.minimum(m, p * (1.0 + (p - 1.0) / (p * v)))
    held = np.where(v > 1, interleaved, one_forward)
    held = np.where(table.schedule == SCHEDULES.index("dualpipe"), p + 1.0, held)
    return np.where(table.schedule == SCHEDULES.index("gpipe"), m, held)


def _mean_saved(program: Program, framework: Framework, *, selective: bool) -> Floats:
    """Return bytes that the mean layer stores for one micro-batch, per local combination."""
    total = np.zeros(len(program.local))
    for block in program.blocks:
        total = total + _saved(block, program, framework, selective=selective) * (block.count / program.layers)
    return total


def _saved(block: LocalBlock, program: Program, framework: Framework, *, selective: bool) -> Floats:
    precision = program.job.precision
    width = precision.activation_bytes
    adapted = program.job.trained_share < 1.0
    beside = (MASK_BYTES if adapted else 0.0) + (width if adapted and precision.packed else 0.0)
    total = np.zeros(len(program.local))
    for part in block.operators:
        match part:
            case LocalProduct():
                narrow = (
                    width if part.name in ("vocabulary", "router") else min(width, max(precision.product_bytes, 1.0))
                )
                total = total + part.saved * (narrow + beside)
            case LocalTraffic():
                total = total + part.saved_bytes * (width / 2.0)
            case LocalAttention():
                kernel = attention_kernel(framework, precision)
                total = total + _attention_saved(part, width, kernel, selective=selective)
            case LocalScan():
                total = total + part.tokens * part.inner * 2.0 * width
    return total


def _attention_saved(part: LocalAttention, width: float, kernel: AttentionKernel, *, selective: bool) -> Floats:
    queries = part.samples * part.queries
    stored = queries * (part.heads * part.qk_dim + part.kv_heads * (part.qk_dim + part.v_dim)) * width
    if kernel == "unfused" and not selective:
        return stored + part.samples * part.heads * part.queries * part.keys * SCORE_BYTES * (width / 2.0)
    return stored


def _layer_input(program: Program) -> Floats:
    """Return bytes of one layer's input, which full recomputation keeps; sequence parallelism shares it."""
    local, job = program.local, program.job
    tokens = local.micro_batch * job.seq_len / local.cp
    share = np.where(local.sequence_parallel > 0, local.tp, 1)
    return tokens * job.model.hidden * job.precision.activation_bytes / share


def _workspace(program: Program, framework: Framework) -> Floats:
    """Return transient bytes: the residual stream worked on, weights gathered under ZeRO-3, a matrix unpacked."""
    table, job = program.table, program.job
    tokens = table.micro_batch * job.seq_len / table.cp
    dense, expert = mean_parameters(program)
    layer = dense + expert
    whole = layer * (2.0 * 2.0 + framework.gradient_bytes) / (4.0 if framework.gathers_by_tensor else 1.0)
    gathered = np.where(table.zero == 3, whole[program.layout_index], 0.0)
    precision = job.precision
    head = job.model.vocab * job.model.hidden / table.tp * precision.activation_bytes  # the largest matrix
    unpacked = head if precision.packed else 0.0
    return gathered + unpacked + 4.0 * tokens * job.model.hidden * job.precision.activation_bytes
