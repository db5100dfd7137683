"""The memory account of one rank of each stage: what it holds at the worst moment of a step, by part, for every plan.

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

from simulator.costs.gradients import whole_share
from simulator.costs.held import mean_parameters, stage_parameters
from simulator.costs.passes import attention_kernel
from simulator.foundation.units import GIBI
from simulator.mapping.plan import RECOMPUTE, SCHEDULES
from simulator.mapping.program import LocalBlock, Program
from simulator.mapping.split import LocalAttention, LocalProduct, LocalScan, LocalTraffic
from simulator.mapping.stages import mirrored, places
from simulator.profiles.device import Device
from simulator.profiles.framework import AttentionKernel, Framework
from simulator.workload.jobs.training import TrainingJob
from simulator.workload.optimizers import state_bytes_per_parameter
from simulator.workload.thrift import MASK_BYTES

Floats = NDArray[np.float64]

#: bytes per score that unfused attention keeps: softmax output (2), dropout mask (1), dropout output (2)
SCORE_BYTES: Final = 5.0
#: what a process holds before the first tensor: context, kernels, communication buffers (measured: 0.6 to 1.5 GiB)
CONTEXT_BYTES: Final = 1.0 * GIBI
#: share of a device's memory that an allocator cannot use for tensors that come and go in different sizes
FRAGMENTATION: Final = 0.03
#: largest matrices of a layer, by which what is gathered tensor by tensor is less than a layer
_TENSORS: Final = 4.0

PARTS: Final = ("weights", "gradients", "optimizer", "activations", "logits", "workspace")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryAccount:
    """Bytes on one rank by part, per plan (P,) or per plan and column of stages (P, K).

    ``total`` is the sum of the parts (what an allocator calls peak allocated).
    """

    parts: dict[str, Floats]

    @property
    def total(self) -> Floats:
        """Bytes of all parts."""
        total: Floats = np.sum([self.parts[name] for name in PARTS], axis=0)
        return total

    def fullest(self) -> MemoryAccount:
        """Return the account of each plan's fullest stage, of an account by stage."""
        stage = self.total.argmax(axis=1)[:, None]
        return MemoryAccount(
            parts={name: np.take_along_axis(held, stage, axis=1)[:, 0] for name, held in self.parts.items()}
        )


def usable_memory(device: Device) -> float:
    """Return bytes that tensors can take on a device; raises :class:`InputError` if its memory is not known.

    A device whose whole memory lies beside its cores runs programs that are compiled ahead: no process lives there.
    What their code takes is left out.
    """
    limit = device.memory_limit_bytes or device.require("memory_bytes")
    beside_cores = device.sram_bytes is not None and limit <= device.sram_bytes
    return (limit - (0.0 if beside_cores else CONTEXT_BYTES)) * (1.0 - FRAGMENTATION)


def account(program: Program, framework: Framework) -> MemoryAccount:
    """Return the memory account of the fullest rank of every plan of a program."""
    return stage_account(program, framework).fullest()


def stage_account(program: Program, framework: Framework) -> MemoryAccount:
    """Return the memory account of a rank of each column of stages of every plan."""
    table, job, layout = program.table, program.job, program.layout_index
    dense, expert = stage_parameters(program)
    data, expert_data = (program.groups[name].size[:, None] for name in ("dp", "edp"))
    owned = np.stack([dense + expert, dense / data + expert / expert_data])  # whole, sharded
    dual = (table.schedule == SCHEDULES.index("dualpipe"))[:, None]

    def held(stage: int, per_parameter: float) -> Floats:
        """Bytes of what is kept per parameter, sharded from a ZeRO stage on; DualPipe keeps the mirrored piece too."""
        own = per_parameter * owned[(table.zero >= stage).astype(np.int64), layout]
        return own + np.where(dual, mirrored(own), 0.0)

    def gradients() -> Floats:
        """Bytes of gradients; under ZeRO-2 those of the chunks in work are whole until they are scattered."""
        own, every = held(2, framework.gradient_bytes), framework.gradient_bytes * owned[0, layout]
        return np.asarray(own + whole_share(table)[:, None] * (every - own))

    trained = job.trained_share
    once = np.where((table.zero == 0)[:, None] | ~dual, 1.0, 0.5)  # copies are one group to ZeRO
    activations, logits = _activations(program, framework)
    parts = {
        "weights": held(3, job.precision.weight_bytes + _beside_weights(job)) + _beside_layers(program, framework),
        "gradients": gradients() * trained,
        "optimizer": held(1, _state_bytes(job, framework)) * trained * once,
        "activations": activations,
        "logits": logits,
        "workspace": np.broadcast_to(_workspace(program, framework)[:, None], activations.shape),
    }
    if framework.loads_whole:  # before the first step nothing but weights is held: its own shard and all of them
        whole = np.where((table.zero == 3)[:, None], job.precision.weight_bytes * owned[0, layout], 0.0)
        step = activations + logits + parts["gradients"] + parts["optimizer"]
        parts["workspace"] = np.maximum(parts["workspace"], whole - step)
    return MemoryAccount(parts=parts)


def _beside_weights(job: TrainingJob) -> float:
    """Return bytes per parameter beside it: adapters as wide as activations, masks or copies of pruned weights."""
    width = job.precision.activation_bytes
    return job.thrift.held_bytes(width) + (job.trained_share * width if job.trained_share < 1.0 else 0.0)


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
    more = rows * (wider + np.where(table.pp == 1, untied, 0.0)) / shared
    columns = np.arange(program.stage_layers.shape[1])
    ends = (columns == 0) | (columns == columns[-1]) | (table.pp == 1)[:, None]
    return np.where(ends, more[:, None], 0.0)


def _activations(program: Program, framework: Framework) -> tuple[Floats, Floats]:
    """Return stored activations of the layers, and of the head, of each column of stages.

    DualPipe's stages work at two pieces of the model, half of the micro-batches each.
    """
    table, index, layers = program.table, program.index, program.stage_layers[program.layout_index]
    kept = _mean_saved(program, framework, selective=False)[index]
    lean = _mean_saved(program, framework, selective=True)[index]
    boundary = _layer_input(program)[index]
    full = table.recompute == RECOMPUTE.index("full")
    layer = np.where(full, boundary, np.where(table.recompute == RECOMPUTE.index("selective"), lean, kept))
    working = np.where(full, kept, 0.0)  # the layer being recomputed is whole for a moment
    stored = layers * layer[:, None] * in_flight(program) + working[:, None]
    dual = (table.schedule == SCHEDULES.index("dualpipe"))[:, None]
    head = np.zeros_like(stored)
    head[:, -1] = _saved(program.head, program, framework, selective=False)[index]
    head = np.where((table.pp == 1)[:, None], head[:, -1:], head)
    return (np.where(dual, 0.5 * (stored + mirrored(stored)), stored),
            np.where(dual, np.maximum(head, mirrored(head)), head))  # fmt: skip


def in_flight(program: Program) -> Floats:
    """Return the micro-batches whose activations a stage holds at once, (P, K); a chunk counts as 1/v of one."""
    table = program.table
    m, p, v = (column.astype(float)[:, None] for column in (table.micro_batches, table.pp, table.vpp))
    place = places(table.pp, program.stage_layers.shape[1])
    interleaved = np.minimum(m, (p * v + p - 1.0 - 2.0 * place) / v)
    held = np.where(v > 1, interleaved, np.minimum(m, p - place))
    schedule = table.schedule[:, None]
    held = np.where(schedule == SCHEDULES.index("zb-h1"), np.minimum(m, p), held)
    held = np.where(schedule == SCHEDULES.index("dualpipe"), p + 1.0, held)
    return np.where(schedule == SCHEDULES.index("gpipe"), m, held)


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
    masks = float(adapted) + float(program.job.thrift.rounded)  # of dropped, and of clipped elements
    beside = MASK_BYTES * masks + (width if adapted and precision.packed else 0.0)
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
    parts = _TENSORS if framework.gathers_by_tensor or framework.holds_by_tensor else 1.0
    whole = layer * (2.0 * 2.0 + framework.gradient_bytes) / parts
    gathered = np.where(table.zero == 3, whole[program.layout_index], 0.0)
    precision = job.precision
    head = job.model.vocab * job.model.hidden / table.tp * precision.activation_bytes  # the largest matrix
    unpacked = head if precision.packed else 0.0
    return gathered + unpacked + 4.0 * tokens * job.model.hidden * job.precision.activation_bytes
