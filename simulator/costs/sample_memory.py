"""The memory account of one rank that trains a network on samples, by part, for every plan.

What a sample keeps for its backward pass is what its layers keep (inputs of products and of norms,
``workload.models.networks``), in the width of activations; recomputation keeps what enters a stage, and all of one
micro-batch while it is repeated. A pipeline of p stages holds p - i micro-batches on stage i under 1F1B, all under
GPipe. While the passes run, the largest layer's inputs and outputs and their gradients stand beside that. Left out:
work space of convolution algorithms, fragmentation (:func:`simulator.costs.memory.usable_memory` covers it), and what
recurrences keep of their gates. ZeRO shards what belongs to layers over the replicas; an offload leaves of
it what is at hand. Stages whose layers no plan names are cut by their multiply-adds here, since an account knows no
device on which they could be timed.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.costs.host import Offload
from simulator.costs.layers import LayerTable
from simulator.costs.memory import PARTS, MemoryAccount
from simulator.costs.offload import AT_HAND
from simulator.costs.sample_shards import sharded
from simulator.mapping.balance import balanced_stages
from simulator.mapping.plan import RECOMPUTE, SCHEDULES, PlanTable
from simulator.mapping.samples import SampleProgram
from simulator.profiles.framework import Framework
from simulator.workload.jobs.samples import TABLE_ITEM, SampleJob
from simulator.workload.models.networks.network import Network
from simulator.workload.optimizers import state_bytes_per_parameter
from simulator.workload.thrift import MASK_BYTES

Floats = NDArray[np.float64]

#: of a job that keeps everything on its devices
NOTHING: Final = Offload(devices=1, link=1.0, host_bandwidth=1.0, host_bytes=0.0)
_HALF: Final = 2.0  # bytes of an activation in which layers count what they keep
_COPY: Final = 2.0  # bytes of the 16-bit copy of a weight that autocast keeps for the passes


def account_samples(program: SampleProgram, framework: Framework, offload: Offload | None = None) -> MemoryAccount:
    """Return the memory account of a rank of each stage of every plan, (P, K), less what is offloaded.

    Plans of fewer stages than others hold nothing in what they have not.
    """
    job, plans = program.job, program.table
    if not (plans.pp > 1).any():
        whole = _stage(job, job.network, plans, np.ones(len(plans)), framework, offload)
        return MemoryAccount(parts={name: held[:, None] for name, held in whole.parts.items()})
    rows = [_pipeline(job, plans.take(slice(row, row + 1)), framework, offload) for row in range(len(plans))]
    most = int(plans.pp.max())

    def column(stages: list[MemoryAccount], name: str) -> Floats:
        return np.pad(np.concatenate([stage.parts[name] for stage in stages]), (0, most - len(stages)))

    return MemoryAccount(parts={name: np.stack([column(row, name) for row in rows]) for name in PARTS})


def _pipeline(job: SampleJob, plan: PlanTable, framework: Framework, offload: Offload | None) -> list[MemoryAccount]:
    """Return the accounts of one plan's stages."""
    stages, micro_batches = int(plan.pp[0]), float(plan.micro_batches[0])
    held = plan.row(0).layers_per_stage or balanced_stages([layer.macs for layer in job.network.layers], stages)
    everything = int(plan.schedule[0]) == SCHEDULES.index("gpipe")
    accounts = []
    for index, part in enumerate(job.network.cut(held)):
        flying = micro_batches if everything else min(micro_batches, stages - index)
        accounts.append(_stage(job, part, plan, np.array([flying]), framework, offload))
    return accounts


def _stage(
    job: SampleJob, part: Network, plans: PlanTable, flying: Floats, framework: Framework, offload: Offload | None
) -> MemoryAccount:
    """Return the account of a rank that holds some layers and keeps so many micro-batches at once.

    Of weights that are sharded or lie elsewhere two layers are at hand, and of such gradients one; of activations that
    lie elsewhere what the largest layer works on, twice.
    """
    width, weight = job.precision.activation_bytes, job.precision.weight_bytes
    away = offload or NOTHING
    layers = float(sum(layer.parameters for layer in part.layers))
    widest = float(max((layer.parameters for layer in part.layers), default=0))
    tables, rows = _tables(job, plans)
    per_weight, copy = weight + job.thrift.held_bytes(width), _COPY if weight > width else 0.0
    fully, scattered = plans.zero == 3, (plans.zero >= 2) | (plans.dp == 1)
    at_hand = min(layers, AT_HAND * widest)
    held = layers * per_weight / sharded(plans, 3) + np.where(fully, 0.0, layers * copy)
    held = np.where(away.parameters is not None, np.minimum(held, at_hand * (per_weight + copy)), held)
    made = layers * framework.gradient_bytes / sharded(plans, 2)
    made = np.where(scattered & (away.optimizer is not None), np.minimum(made, widest * framework.gradient_bytes), made)
    kept_outside = away.optimizer is not None
    state = layers / sharded(plans, 1) * state_bytes_per_parameter(job.optimizer, weight_bytes=weight)
    busy = AT_HAND * plans.micro_batch.astype(float) * float(LayerTable.of(part).data.max(initial=0.0)) * width
    stored = _stored(job, part) * plans.micro_batch.astype(float)
    kept = np.where(plans.recompute == RECOMPUTE.index("full"), stored, 0.0) + kept_bytes(job, part, plans) * flying
    gathered = np.where(fully, at_hand * min(weight, width) + widest * framework.gradient_bytes, 0.0)
    return MemoryAccount(
        parts={
            "weights": held + tables * TABLE_ITEM,
            "gradients": made + rows * TABLE_ITEM,
            "optimizer": (0.0 if kept_outside else state) + tables * job.optimizer.state_bytes,
            "activations": np.minimum(kept, busy) if away.activations else kept,
            "logits": np.zeros(len(plans)),
            "workspace": busy + gathered,
        }
    )


def kept_bytes(job: SampleJob, part: Network, plans: PlanTable) -> Floats:
    """Return bytes that one micro-batch keeps from its forward pass until its backward pass, per plan."""
    full = plans.recompute == RECOMPUTE.index("full")
    entering = part.entering * job.precision.activation_bytes
    return plans.micro_batch.astype(float) * np.where(full, entering, _stored(job, part))


def _stored(job: SampleJob, part: Network) -> float:
    """Return bytes that the layers keep of one sample."""
    masks = LayerTable.of(part).inputs * MASK_BYTES if job.thrift.rounded else 0.0
    return part.stored_bytes * job.precision.activation_bytes / _HALF + masks


def _tables(job: SampleJob, plans: PlanTable) -> tuple[Floats, Floats]:
    """Return numbers of embedding tables on one rank, and those of them that a step's gradient touches there."""
    held = job.tables / (np.ones(len(plans)) if job.copies_tables else plans.dp.astype(float))
    own = plans.micro_batch * plans.micro_batches * job.looked_up  # dealt out: of all ranks' samples its share
    return held, np.minimum(held, own)
