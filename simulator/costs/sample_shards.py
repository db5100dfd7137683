"""Sharding of a network's layers over its replicas (ZeRO), and what its exchanges take.

Stage 1 shards the optimizer state, 2 the gradients too, 3 the weights as well (Rajbhandari et al. 2020, arXiv
1910.02054). Gradients are then scattered instead of reduced, under stages 2 and 3 those of every micro-batch; weights
are gathered once after the update, or under stage 3 before each pass, in the width in which products take them and in
as many pieces as gradients go out in. Embedding tables stay what they are: copied, or dealt out already.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.costs.compute import Machine
from simulator.costs.gradients import HIDEABLE, buckets
from simulator.costs.passes import Network as Fabric
from simulator.costs.step import beside
from simulator.mapping.placement import Group
from simulator.mapping.plan import PlanTable
from simulator.profiles.framework import Framework
from simulator.workload.jobs.samples import SampleJob

Floats = NDArray[np.float64]


def sharded(plans: PlanTable, stage: int) -> Floats:
    """Return over how many ranks that is cut which a ZeRO stage shards, per plan: 1 below the stage."""
    return np.where(plans.zero >= stage, plans.dp, 1).astype(float)


def copied_tables(job: SampleJob) -> float:
    """Return numbers of embedding tables that every rank holds."""
    return job.tables if job.copies_tables else 0.0


def gathers(
    job: SampleJob,
    plans: PlanTable,
    group: Group,
    machine: Machine,
    framework: Framework,
    fabric: Fabric,
    passes: tuple[Floats, Floats],
) -> tuple[Floats, Floats]:
    """Return what sharded weights (stage 3) add to the forward and the backward pass of a micro-batch.

    Both gather them; the backward pass scatters the gradients, too. Gathered ahead of use, they slow the passes down.
    """
    fully = (plans.zero == 3) & (plans.dp > 1)
    if not fully.any():
        return np.zeros(len(plans)), np.zeros(len(plans))
    gathered = np.where(fully, _gathered(job, plans, group, machine, framework, fabric), 0.0)
    scattered = np.where(fully, _scattered(job, plans, group, framework, fabric), 0.0)
    ahead, back = gathered, gathered + scattered
    if not framework.overlaps_gathers:
        return ahead, back
    return beside(ahead, passes[0]), beside(back, passes[1])


def exchange(
    job: SampleJob,
    plans: PlanTable,
    group: Group,
    machine: Machine,
    framework: Framework,
    fabric: Fabric,
    passes: tuple[Floats, Floats],
) -> tuple[Floats, Floats]:
    """Return shown and hidden seconds, per step, in which layers' gradients are scattered and weights gathered again.

    Zero for plans that shard nothing, or the weights too: those pay beside their passes.
    """
    partly = (plans.zero > 0) & (plans.zero < 3) & (plans.dp > 1)
    if not partly.any():
        return np.zeros(len(plans)), np.zeros(len(plans))
    times = np.where(plans.zero == 2, plans.micro_batches, 1).astype(float)
    scattered = np.where(partly, times * _scattered(job, plans, group, framework, fabric), 0.0)
    gathered = np.where(partly, _gathered(job, plans, group, machine, framework, fabric), 0.0)
    hidden = np.zeros(len(plans))
    if framework.overlaps_gradients:
        hidden = hidden + HIDEABLE * np.minimum(scattered, times * passes[1])
    if framework.overlaps_gathers:  # with the next step's first forward pass
        hidden = hidden + HIDEABLE * np.minimum(gathered, passes[0])
    return scattered + gathered - hidden, hidden


def _gathered(
    job: SampleJob, plans: PlanTable, group: Group, machine: Machine, framework: Framework, fabric: Fabric
) -> Floats:
    precision, layers = machine.precision, np.full(len(plans), job.parameters - job.tables)
    pieces = buckets(layers * framework.gradient_bytes, framework)
    size = layers * min(precision.weight_bytes, precision.activation_bytes)
    return pieces * fabric.time("all_gather", size / pieces, group)


def _scattered(job: SampleJob, plans: PlanTable, group: Group, framework: Framework, fabric: Fabric) -> Floats:
    size = np.full(len(plans), (job.parameters - job.tables) * framework.gradient_bytes)
    pieces = buckets(size, framework)
    return pieces * fabric.time("reduce_scatter", size / pieces, group)
