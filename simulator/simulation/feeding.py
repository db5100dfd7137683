"""Data and checkpoints beside a training step: who reads, what the step waits for, what saving adds.

One rank of each data-parallel replica reads (its tensor and context peers get their part over the scale-up links), so
a node holds devices / (tp * cp) readers, and each has the CPU cores of the devices that it reads for. An epoch has
whole steps only: the samples left over at its end are dropped, as training software does.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from simulator.costs.mends import Feed, mends
from simulator.costs.storage import StorageSystem
from simulator.engine.data.job import Checkpoint, DataJob
from simulator.engine.data.run import run_data, shard_counts
from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.mapping.plan import Plan
from simulator.mapping.sharding import imbalance
from simulator.results.feeding import Feeding, Saving
from simulator.scenario import Scenario
from simulator.scenario.train import TrainWorkload
from simulator.scenario.train_input import TrainCheckpoint, TrainInput
from simulator.simulation.setting import Setting
from simulator.workload.jobs.samples import Job
from simulator.workload.optimizers import state_bytes_per_parameter

WORTH_TELLING: Final = 1e-3  # of a step: a shorter wait, such as for an epoch's first batch, names no bottleneck


def feeding_of(
    scenario: Scenario, workload: TrainWorkload, setting: Setting, plan: Plan, *, alone: float
) -> Feeding | None:
    """Return what data and checkpoints do to a step of ``alone`` seconds; None if the workload has neither.

    Raises:
        InputError: the data set does not fill one step.
        Infeasible: host memory does not hold the loaders.
    """
    if workload.data is None:
        if workload.checkpoint is None:
            return None
        return _saved(_unfed(alone), workload.job, workload.checkpoint, setting, storage_s=0.0)
    job = data_job(workload.data, workload.checkpoint, setting, plan, alone=alone, size=checkpoint_bytes(workload.job))
    streams = Streams(scenario.run.seed)
    feeding = _closed(job, streams) if scenario.run.fidelity == "estimate" else _played(job, streams)
    if workload.checkpoint is None:
        return feeding
    busy = feeding.bytes_per_step / job.storage.read_total if workload.checkpoint.shared else 0.0
    return _saved(feeding, workload.job, workload.checkpoint, setting, storage_s=busy)


def data_job(
    feed: TrainInput, checkpoint: TrainCheckpoint | None, setting: Setting, plan: Plan, *, alone: float, size: float
) -> DataJob:
    """Return the training job seen from its readers; ``size`` is of a checkpoint in bytes."""
    step = plan.micro_batch * plan.micro_batches * plan.dp
    whole = feed.dataset.samples // step * step
    if not whole:
        raise InputError(f"a data set of {feed.dataset.samples} samples does not fill one step of {step}.")
    per_node = min(plan.dp, max(1, setting.devices_per_node // (plan.tp * plan.cp)))
    cores = feed.loader.cores * setting.devices_per_node / per_node
    reading = -(-plan.dp // per_node)
    beside = checkpoint is not None and checkpoint.shared and checkpoint.mode == "async"
    return DataJob(
        dataset=replace(feed.dataset, samples=whole),
        loader=replace(feed.loader_on(reading), devices_per_node=per_node, cores=cores),
        storage=feed.store.over(reading),
        batch=plan.micro_batch * plan.micro_batches, compute_s=alone, decode_s=feed.decode_s, devices=plan.dp,
        epochs=2 if feed.loader.cache_bytes else 1, shuffle=feed.shuffle, buffer_samples=feed.buffer_samples,
        sharding=feed.sharding, host_memory=feed.host_memory,
        checkpoint=Checkpoint(every_steps=checkpoint.interval, bytes=size) if beside and checkpoint else None,
    )  # fmt: skip


def checkpoint_bytes(job: Job) -> float:
    """Bytes of a checkpoint: weights as they are trained, and what the optimizer keeps (12 B more each for Adam)."""
    weight = job.precision.weight_bytes
    return job.parameters * (weight + state_bytes_per_parameter(job.optimizer, weight_bytes=weight))


def _closed(job: DataJob, streams: Streams) -> Feeding:
    """The closed form: the reader with the largest shard loads and computes in proportion more."""
    job.check_memory()
    over = imbalance(shard_counts(job, streams).astype(float))
    return _account(job, over, stall=_largest(job, over).account().stall_s, shards=(over - 1.0) * job.compute_s)


def _played(job: DataJob, streams: Streams) -> Feeding:
    """The engine: the last epoch that was played, batch by batch."""
    run = run_data(job, streams)
    last = run.epochs[-1]
    stall = last.wait_s / last.steps
    longer = max(0.0, last.time_s / last.steps - stall - job.compute_s)
    return _account(job, run.imbalance, stall=stall, shards=longer if run.imbalance > 1.0 else 0.0)


def _largest(job: DataJob, over: float) -> Feed:
    return replace(job.feed, batch=job.batch * over, compute_s=job.compute_s * over)


def _account(job: DataJob, over: float, *, stall: float, shards: float) -> Feeding:
    feed = _largest(job, over)
    found = feed.account()
    slowest = min(found.rates, key=lambda stage: found.rates[stage])
    stage = (found.bottleneck or slowest) if stall > WORTH_TELLING * job.compute_s else ""
    return Feeding(
        alone_s=job.compute_s, load_s=found.load_s, stall_s=stall, shards_s=shards, imbalance=over,
        stage=stage, mends=mends(feed) if stage else (),
        bytes_per_step=job.account().bytes_from_storage * job.devices,
        local_share=job.loader.local_share, readers=job.devices,
        overlapped=job.loader.prefetch > 0, saving=None,
    )  # fmt: skip


def _unfed(alone: float) -> Feeding:
    return Feeding(alone_s=alone, load_s=0.0, stall_s=0.0, shards_s=0.0, imbalance=1.0, stage="", mends=(),
                   bytes_per_step=0.0, local_share=0.0, readers=0, overlapped=True, saving=None)  # fmt: skip


def _saved(feeding: Feeding, job: Job, checkpoint: TrainCheckpoint, setting: Setting, *, storage_s: float) -> Feeding:
    """Add the checkpoints: a synchronous one stops the job; of an asynchronous one shows what fits beside no step.

    Over ``every`` steps the storage must serve their reads and one write: no step is shorter than its share of both.

    Args:
        storage_s: of the whole storage that the reads of one step take; 0 if the checkpoint goes elsewhere.
    """
    system, size = checkpoint.store.over(setting.nodes), checkpoint_bytes(job)
    write, read = checkpoint_times(checkpoint, job, setting.nodes)
    each = write / checkpoint.interval
    if checkpoint.mode == "sync":
        visible = each
    else:
        work = storage_s + size / min(system.write_total, system.read_total) / checkpoint.interval
        visible = max(0.0, max(each, work) - feeding.step_s)
    return replace(feeding, saving=Saving(bytes=size, every_steps=checkpoint.interval, mode=checkpoint.mode,
                                          write_s=write, read_s=read, visible_s=visible,
                                          again_s=checkpoint.interval * (feeding.step_s + visible) / 2,
                                          shared=checkpoint.shared))  # fmt: skip


def checkpoint_times(checkpoint: TrainCheckpoint, job: Job, nodes: int) -> tuple[float, float]:
    """Seconds to write a checkpoint from so many nodes, and to load it for a restart."""
    system, size, links = checkpoint.store.over(nodes), checkpoint_bytes(job), nodes * checkpoint.node_bandwidth
    return write_time(system, size, links), read_time(system, size, links)


def write_time(system: StorageSystem, size: float, links: float = math.inf) -> float:
    """Seconds to write ``size`` bytes with their redundancy: the storage or the adapters of all nodes."""
    return system.latency + size / min(system.write_total, system.read_total, links)


def read_time(system: StorageSystem, size: float, links: float = math.inf) -> float:
    """Seconds to load ``size`` bytes for a restart: the storage or the adapters of all nodes, no loader beside it."""
    return system.latency + size / min(system.read_total, links)
