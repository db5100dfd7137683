"""Durations of the parts of a training step of a network that works on samples: images, utterances, user-item pairs.

The same :class:`StepTimes` as a transformer's step, so that the closed form and the engine need not tell them apart.
A network is cut by its batch (data parallelism) and, layer by layer, into the stages of a pipeline. Embedding tables
that fit beside the rest are copied to every rank and of their gradients the rows exchanged that were looked up; larger
ones are dealt out over the ranks, which send each other what was looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.costs.compute import Machine
from simulator.costs.gradients import HIDEABLE, buckets
from simulator.costs.layers import LayerTable, layer_passes, layer_seconds
from simulator.costs.offload import Load, Wait, wait
from simulator.costs.passes import Network as Fabric
from simulator.costs.passes import Work
from simulator.costs.sample_memory import kept_bytes
from simulator.costs.sample_shards import copied_tables, exchange, gathers, sharded
from simulator.costs.step import StepTimes, recomputed_share, update_products
from simulator.foundation.errors import InputError
from simulator.mapping.balance import balanced_stages
from simulator.mapping.placement import Group
from simulator.mapping.plan import RECOMPUTE, PlanTable
from simulator.mapping.samples import SampleProgram
from simulator.profiles.framework import Framework
from simulator.workload.jobs.samples import SampleJob
from simulator.workload.optimizers import update_bytes_per_parameter

Floats = NDArray[np.float64]

#: bytes per row element that a sparse update moves: gradient written and read, weight read and written, in fp32
SPARSE_UPDATE: Final = 16.0


def price_samples(program: SampleProgram, machine: Machine, framework: Framework, fabric: Fabric) -> StepTimes:
    """Return the durations of the parts of a step under every plan.

    Stages hold the layers that a plan names (``layers_per_stage``), else a cut that balances their seconds; raises
    :class:`InputError` if the named ones are not all layers.
    """
    job, plans, around = program.job, program.table, (machine, framework, fabric)
    if not (plans.pp > 1).any():
        return _price_stage(job, plans, program.replicas, *around)
    rows = [
        _price_pipeline(job, plans.take(row), program.replicas.take(row), program.pipeline.take(row), *around)
        for row in (slice(index, index + 1) for index in range(len(plans)))
    ]
    return _stacked(rows)


def _price_stage(
    job: SampleJob,
    plans: PlanTable,
    group: Group,
    machine: Machine,
    framework: Framework,
    fabric: Fabric,
    *,
    whole: bool = True,
) -> StepTimes:
    """Return the durations of all layers of ``job`` on one rank; ``whole``: they begin with the samples."""
    samples = plans.micro_batch.astype(float)
    table, dispatch = LayerTable.of(job.network, whole=whole), framework.dispatch
    ahead, back = layer_passes(table, samples, machine, framework, machine.vector)
    ahead, back = _lookups(job, samples, plans, group, machine, fabric, (ahead, back))
    again = (plans.recompute == RECOMPUTE.index("full")) * recomputed_share(framework, plans.micro_batches)
    forward, forward_waits = ahead.busy(machine, framework)
    backward, backward_waits = back.busy(machine, framework)
    host = dispatch.micro_batch_s
    decided = samples * table.decisions * dispatch.decision_s * dispatch.kernels
    repeated = again * forward
    forward, backward = forward + decided + host / 3, backward + host * 2 / 3
    around = (plans, group, machine, framework, fabric, (forward, backward))
    reduced, scattered = _gradients(job, plans, group, backward, framework, fabric), exchange(job, *around)
    gathered, gathered_back = gathers(job, *around)
    forward, backward = forward + gathered, backward + repeated + gathered_back
    away = _away(job, plans, machine, framework, (forward, backward))
    none = np.zeros(len(plans))
    both = ahead.add(back).add(ahead, again)
    return StepTimes(
        forward=_stages(forward), backward=_stages(backward), recomputed=_stages(repeated),
        weights=_stages(none), joined=_stages(none), boundary=none, boundary_exposed=framework.boundary_exposed,
        gradients=reduced[0] + scattered[0], gradients_hidden=reduced[1] + scattered[1],
        optimizer=away.update, offload=away.transfers,
        host=np.full(len(plans), dispatch.step_s), products=_stages(both.products),
        elementwise=_stages(both.elementwise), exchanged=_stages(both.exchanged),
        gathered=_stages(gathered + gathered_back),
        waiting=_stages(forward_waits * (1.0 + again) + backward_waits + decided),
    )  # fmt: skip


def _price_pipeline(
    job: SampleJob,
    plan: PlanTable,
    group: Group,
    pipeline: Group,
    machine: Machine,
    framework: Framework,
    fabric: Fabric,
) -> StepTimes:
    """Return the durations of one plan's stages; what ends a step takes as long as on the stage where it is longest."""
    stages, samples = int(plan.pp[0]), float(plan.micro_batch[0])
    held = plan.row(0).layers_per_stage
    if not held:
        held = balanced_stages(layer_seconds(job.network, samples, machine, framework, machine.vector), stages)
    if sum(held) != len(job.network.layers):
        raise InputError(f"network {job.network.name!r} has {len(job.network.layers)} layers; "
                         f"layers_per_stage={list(held)} names {sum(held)}.")  # fmt: skip
    parts = job.network.cut(held)
    jobs = [replace(job, network=part) for part in parts]
    priced = [_price_stage(one, plan, group, machine, framework, fabric, whole=index == 0)
              for index, one in enumerate(jobs)]  # fmt: skip
    slowest = max(priced, key=lambda one: float(one.forward[0, 0] + one.backward[0, 0]))
    sent = max((part.entering for part in parts[1:]), default=0.0) * samples * machine.precision.activation_bytes
    boundary = np.where(plan.pp > 1, fabric.time("send_receive", np.array([sent]), pipeline), 0.0)
    columns: dict[str, Any] = {
        name: _columns([getattr(one, name)[:, :1] for one in priced])
        for name in ("forward", "backward", "recomputed", "weights", "joined")
    }
    return replace(
        slowest, **columns, boundary=boundary,
        gradients=np.max([one.gradients for one in priced], axis=0),
        gradients_hidden=np.max([one.gradients_hidden for one in priced], axis=0),
        optimizer=np.max([one.optimizer for one in priced], axis=0),
        offload=np.max([one.offload for one in priced], axis=0),
    )  # fmt: skip


def _columns(stages: Sequence[Floats]) -> Floats:
    """Return (1, 1) values of stages as the three columns of a pipeline: the longest, and twice the mean of the others.

    Of stages that differ, a schedule's closed form needs their sum and the longest one.
    """
    values = np.concatenate(stages, axis=1)
    longest = values.max(axis=1)
    others = (values.sum(axis=1) - longest) / max(1, len(stages) - 1) if len(stages) > 1 else longest
    return np.stack([longest, others, others], axis=1)


def _stacked(rows: Sequence[StepTimes]) -> StepTimes:
    """Return the durations of plans that were priced one by one."""
    arrays: dict[str, Any] = {
        field.name: np.concatenate([getattr(row, field.name) for row in rows])
        for field in fields(StepTimes)
        if field.name != "boundary_exposed"
    }
    return replace(rows[0], **arrays)


def _stages(values: Floats) -> Floats:
    return np.stack([values, values, values], axis=1)


def _lookups(
    job: SampleJob,
    samples: Floats,
    plans: PlanTable,
    group: Group,
    machine: Machine,
    fabric: Fabric,
    passes: tuple[Work, Work],
) -> tuple[Work, Work]:
    """Add what dealt-out tables send: pooled rows to the rank of the sample, and their gradients back."""
    ahead, back = passes
    if not job.network.tables or job.copies_tables:
        return ahead, back
    sent = np.where(plans.dp > 1, samples * job.pooled * machine.precision.activation_bytes, 0.0)
    seconds = fabric.time("all_to_all", sent, group)
    return ahead.plus(exchanged=seconds, kernels=1), back.plus(exchanged=seconds, kernels=1)


def exchanged_elements(job: SampleJob, plans: PlanTable) -> Floats:
    """Return how many gradients of a step are exchanged over the replicas, as an all-reduce counts them, per plan.

    A copied table has gradients in the rows that the batch looked up. They are gathered, (n - 1) r bytes to each rank,
    where that is less than to reduce the whole table, 2 (n - 1) / n of it.
    """
    dense = job.network.parameters - job.tables
    rows = plans.micro_batch.astype(float) * plans.micro_batches * job.looked_up * plans.dp / 2
    return dense + (np.minimum(job.tables, rows) if job.copies_tables else np.zeros(len(plans)))


def _gradients(
    job: SampleJob, plans: PlanTable, group: Group, backward: Floats, framework: Framework, fabric: Fabric
) -> tuple[Floats, Floats]:
    """Return shown and hidden seconds of exchanging the gradients, once per step, with the last micro-batch.

    Those of layers that ZeRO shards are left out here.
    """
    layers = np.where(plans.zero > 0, job.parameters - job.tables, 0.0)
    size = (exchanged_elements(job, plans) - layers) * framework.gradient_bytes
    pieces = buckets(size, framework)
    seconds = np.where((plans.dp > 1) & (size > 0), pieces * fabric.time("all_reduce", size / pieces, group), 0.0)
    if not framework.overlaps_gradients:
        return seconds, np.zeros_like(seconds)
    hidden = HIDEABLE * np.minimum(seconds, backward)
    return seconds - hidden, hidden


def _away(
    job: SampleJob, plans: PlanTable, machine: Machine, framework: Framework, passes: tuple[Floats, Floats]
) -> Wait:
    """Return the update of the weights, and transfers to and from the host that nothing hides."""
    if machine.offload is None:
        return Wait(update=_update(job, plans, machine, framework), transfers=np.zeros(len(plans)))
    layers = job.parameters - job.tables
    load = Load(
        job=job, micro_batches=plans.micro_batches.astype(float),
        held=layers / sharded(plans, 3) + copied_tables(job), updated=layers / sharded(plans, 1) + copied_tables(job),
        activations=kept_bytes(job, job.network, plans), scattered=(plans.zero >= 2) | (plans.dp == 1),
    )  # fmt: skip
    found = wait(load, framework, machine.offload, forward=passes[0], backward=passes[1])
    if not machine.offload.optimizer:
        return replace(found, update=_update(job, plans, machine, framework))
    return replace(found, update=found.update + _moved_rows(job, plans) / machine.stream)


def _moved_rows(job: SampleJob, plans: PlanTable) -> Floats:
    """Return bytes that updating the looked-up rows of dealt-out tables moves: they never leave their device."""
    rows = 0.0 if job.copies_tables else SPARSE_UPDATE * job.looked_up
    return rows * plans.micro_batch.astype(float) * plans.micro_batches


def _update(job: SampleJob, plans: PlanTable, machine: Machine, framework: Framework) -> Floats:
    """Return seconds of the update: all weights of a rank, and of dealt-out tables the rows that were looked up."""
    per_weight = update_bytes_per_parameter(job.optimizer, weight_bytes=machine.precision.weight_bytes,
                                            gradient_bytes=framework.gradient_bytes)  # fmt: skip
    layers = (job.parameters - job.tables) / sharded(plans, 1)
    pruned = layers * job.thrift.update_bytes(machine.precision.activation_bytes)
    moved = (layers + copied_tables(job)) * per_weight + _moved_rows(job, plans) + pruned
    tensors = LayerTable.of(job.network).tensors / sharded(plans, 1)  # a rank owns whole tensors, or pieces of as few
    launches = framework.update_kernels * tensors * framework.dispatch.kernels
    products = layers * update_products(job.optimizer, machine)
    return np.maximum(moved / machine.stream + products, launches * framework.dispatch.kernel_s)
