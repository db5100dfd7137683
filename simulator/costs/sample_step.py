"""Durations of the parts of a training step of a network that works on samples: images, utterances, user-item pairs.

The same :class:`StepTimes` as a transformer's step, so that the closed form and the engine need not tell them apart.
Only data parallelism is known here. Embedding tables that fit beside the rest are copied to every rank and of their
gradients the rows exchanged that were looked up; larger ones are dealt out over the ranks, which send each other what
was looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.costs.compute import Machine
from simulator.costs.layers import LayerTable, layer_passes
from simulator.costs.passes import Network as Fabric
from simulator.costs.passes import Work
from simulator.costs.step import HIDEABLE, StepTimes
from simulator.foundation.errors import InputError
from simulator.foundation.units import GIGA
from simulator.mapping.placement import Group
from simulator.mapping.plan import PlanTable
from simulator.profiles.framework import Framework
from simulator.workload.models.networks.network import Network
from simulator.workload.optimizers import Optimizer, update_bytes_per_parameter

Floats = NDArray[np.float64]

#: bytes of embedding tables up to which they are copied to every rank
COPIED_TABLES: Final = 1.0 * GIGA
#: launches of an eager update per tensor of parameters: decay, momentum, step
UPDATE_KERNELS: Final = 3
#: bytes per row element that a sparse update moves: gradient written and read, weight read and written, in fp32
SPARSE_UPDATE: Final = 16.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleJob:
    """A network to be trained, and with which update rule."""

    network: Network
    optimizer: Optimizer

    @property
    def tables(self) -> float:
        """Learned numbers in embedding tables."""
        return float(sum(table.parameters for table in self.network.tables))

    @property
    def looked_up(self) -> float:
        """Elements that one sample reads from the tables."""
        return sum(table.lookups * table.width for table in self.network.tables)

    @property
    def pooled(self) -> float:
        """Elements that the tables hand on per sample: rows of one table are summed."""
        return float(sum(table.width for table in self.network.tables))

    @property
    def copies_tables(self) -> bool:
        """Whether every rank holds all tables."""
        return self.tables * 4.0 <= COPIED_TABLES

    @property
    def held(self) -> float:
        """Learned numbers that every rank holds."""
        return self.network.parameters - (0.0 if self.copies_tables else self.tables)


def price_samples(
    job: SampleJob,
    plans: PlanTable,
    group: Group,
    machine: Machine,
    framework: Framework,
    fabric: Fabric,
    *,
    vector: float,
) -> StepTimes:
    """Return the durations of the parts of a step under every plan.

    Args:
        group: the data-parallel ranks of each plan.
        vector: FLOP/s of the device's vector units (0: none known).

    Raises:
        InputError: a plan cuts the network otherwise than by its batch.
    """
    if (plans.tp * plans.pp * plans.cp > 1).any():
        raise InputError(f"network {job.network.name!r} is trained data-parallel only; set tp, pp and cp to 1.")
    samples = plans.micro_batch.astype(float)
    ahead, back = layer_passes(LayerTable.of(job.network), samples, machine, framework, vector)
    ahead, back = _lookups(job, samples, plans, group, machine, fabric, (ahead, back))
    forward, forward_waits = ahead.busy(machine, framework)
    backward, backward_waits = back.busy(machine, framework)
    host = framework.dispatch.micro_batch_s
    forward, backward = forward + host / 3, backward + host * 2 / 3
    shown, hidden = _gradients(job, samples, plans, group, backward, framework, fabric)
    none = np.zeros(len(plans))
    both = ahead.add(back)
    return StepTimes(
        forward=_stages(forward), backward=_stages(backward), recomputed=_stages(none), weights=_stages(none),
        joined=_stages(none), boundary=none, boundary_exposed=0.0, gradients=shown, gradients_hidden=hidden,
        optimizer=_update(job, samples * plans.micro_batches, machine, framework),
        offload=none,
        host=np.full(len(plans), framework.dispatch.step_s), products=both.products, elementwise=both.elementwise,
        exchanged=both.exchanged, gathered=none, waiting=forward_waits + backward_waits,
    )  # fmt: skip


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


def _gradients(
    job: SampleJob,
    samples: Floats,
    plans: PlanTable,
    group: Group,
    backward: Floats,
    framework: Framework,
    fabric: Fabric,
) -> tuple[Floats, Floats]:
    """Return shown and hidden seconds of exchanging the gradients, once per step, with the last micro-batch.

    A copied table has gradients in the rows that the batch looked up. They are gathered, (n - 1) r bytes to each rank,
    where that is less than to reduce the whole table, 2 (n - 1) / n of it.
    """
    dense = job.network.parameters - job.tables
    rows = samples * plans.micro_batches * job.looked_up * plans.dp / 2
    tables = np.minimum(job.tables, rows) if job.copies_tables else np.zeros(len(plans))
    size = (dense + tables) * framework.gradient_bytes
    seconds = np.where(plans.dp > 1, fabric.time("all_reduce", size, group), 0.0)
    if not framework.overlaps_gradients:
        return seconds, np.zeros_like(seconds)
    hidden = HIDEABLE * np.minimum(seconds, backward)
    return seconds - hidden, hidden


def _update(job: SampleJob, samples: Floats, machine: Machine, framework: Framework) -> Floats:
    """Return seconds of the update: all held weights, and of dealt-out tables the rows that were looked up."""
    per_weight = update_bytes_per_parameter(job.optimizer, weight_bytes=machine.precision.weight_bytes,
                                            gradient_bytes=framework.gradient_bytes)  # fmt: skip
    rows = 0.0 if job.copies_tables else SPARSE_UPDATE * job.looked_up
    moved = job.held * per_weight + rows * samples
    launches = UPDATE_KERNELS * LayerTable.of(job.network).tensors * framework.dispatch.kernels
    return np.maximum(moved / machine.stream, launches * framework.dispatch.kernel_s)
