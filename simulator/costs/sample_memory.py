"""The memory account of one rank that trains a network on samples, by part, for every plan.

What a sample keeps for its backward pass is what its layers keep (inputs of products and of norms,
``workload.models.networks``), in the width of activations; recomputation keeps what enters a stage, and all of one
micro-batch while it is repeated. A pipeline of p stages holds p - i micro-batches on stage i under 1F1B, all under
GPipe. While the passes run, the largest layer's inputs and outputs and their gradients stand beside that. Left out:
work space of convolution algorithms, fragmentation (:func:`simulator.costs.memory.usable_memory` covers it), and what
recurrences keep of their gates. Stages whose layers no plan names are cut by their multiply-adds here, since an account
knows no device on which they could be timed.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.costs.layers import LayerTable
from simulator.costs.memory import PARTS, MemoryAccount
from simulator.mapping.balance import balanced_stages
from simulator.mapping.plan import RECOMPUTE, SCHEDULES, PlanTable
from simulator.mapping.samples import SampleProgram
from simulator.profiles.framework import Framework
from simulator.workload.jobs.samples import TABLE_ITEM, SampleJob
from simulator.workload.models.networks.network import Network
from simulator.workload.optimizers import state_bytes_per_parameter
from simulator.workload.thrift import MASK_BYTES

Floats = NDArray[np.float64]

_HALF: Final = 2.0  # bytes of an activation in which layers count what they keep
_COPY: Final = 2.0  # bytes of the 16-bit copy of a weight that autocast keeps for the passes


def account_samples(program: SampleProgram, framework: Framework) -> MemoryAccount:
    """Return the memory account of the fullest rank of every plan of a program."""
    job, plans = program.job, program.table
    if not (plans.pp > 1).any():
        return _stage(job, job.network, plans, np.ones(len(plans)), framework)
    fullest = [_fullest(job, plans.take(slice(row, row + 1)), framework) for row in range(len(plans))]
    return MemoryAccount(parts={name: np.concatenate([one.parts[name] for one in fullest]) for name in PARTS})


def _fullest(job: SampleJob, plan: PlanTable, framework: Framework) -> MemoryAccount:
    """Return the account of one plan's fullest stage."""
    stages, micro_batches = int(plan.pp[0]), float(plan.micro_batches[0])
    held = plan.row(0).layers_per_stage or balanced_stages([layer.macs for layer in job.network.layers], stages)
    everything = int(plan.schedule[0]) == SCHEDULES.index("gpipe")
    accounts = []
    for index, part in enumerate(job.network.cut(held)):
        flying = micro_batches if everything else min(micro_batches, stages - index)
        accounts.append(_stage(job, part, plan, np.array([flying]), framework))
    return max(accounts, key=lambda one: float(one.total[0]))


def _stage(job: SampleJob, part: Network, plans: PlanTable, flying: Floats, framework: Framework) -> MemoryAccount:
    """Return the account of a rank that holds some layers and keeps so many micro-batches at once."""
    width, weight = job.precision.activation_bytes, job.precision.weight_bytes
    samples = plans.micro_batch.astype(float)
    layers = sum(layer.parameters for layer in part.layers)
    tables, rows = _tables(job, plans)
    copied = layers * (_COPY if weight > width else 0.0)
    largest = float(LayerTable.of(part).data.max(initial=0.0))
    masks = LayerTable.of(part).inputs * MASK_BYTES if job.thrift.rounded else 0.0
    stored, entering = part.stored_bytes * width / _HALF + masks, part.entering * width
    full = plans.recompute == RECOMPUTE.index("full")
    return MemoryAccount(
        parts={
            "weights": layers * (weight + job.thrift.held_bytes(width)) + copied + tables * TABLE_ITEM,
            "gradients": layers * framework.gradient_bytes + rows * TABLE_ITEM,
            "optimizer": layers * state_bytes_per_parameter(job.optimizer, weight_bytes=weight)
            + tables * job.optimizer.state_bytes,
            "activations": samples * np.where(full, entering * flying + stored, stored * flying),
            "logits": np.zeros(len(plans)),
            "workspace": 2.0 * samples * largest * width,
        }
    )


def _tables(job: SampleJob, plans: PlanTable) -> tuple[Floats, Floats]:
    """Return numbers of embedding tables on one rank, and those of them that a step's gradient touches there."""
    held = job.tables / (np.ones(len(plans)) if job.copies_tables else plans.dp.astype(float))
    own = plans.micro_batch * plans.micro_batches * job.looked_up  # dealt out: of all ranks' samples its share
    return held, np.minimum(held, own)
