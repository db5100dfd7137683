"""Figures of a training step, each with the unit in its name, and what each means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simulator.foundation.units import HOUR
from simulator.mapping.plan import Plan
from simulator.workload.flop import TRAINING_PASSES, forward_flop, network_flop
from simulator.workload.jobs.samples import Job, SampleJob
from simulator.workload.models.routing import dropped

#: metric -> what it means
DEFINITIONS: Final[dict[str, str]] = {
    "step_time_s": "one optimizer update, from its first forward pass to the last updated weight",
    "tokens_per_s": "tokens of a step over its time, whole cluster",
    "samples_per_s": "samples of a step over its time, whole cluster",
    "samples_per_s_per_device": "the same, per device",
    "tokens_per_s_per_device": "tokens of a step over its time, per device",
    "model_flop_per_step": "3 x the forward pass's products and attention (2 x of frozen weights), causal mask counted",
    "flop_per_s_per_device": "model FLOP over time and devices",
    "mfu": "model FLOP over (time x devices x dense peak of the precision)",
    "hfu": "the same with the recomputed FLOP",
    "dropped_visits_fraction": "of tokens to experts, that find theirs full and pass it by",
    "bubble_fraction": "idle share of the step on the busiest stage, from filling, draining and uneven stages",
    "memory_bytes": "peak allocated on the fullest device",
    "memory_limit_bytes": "what tensors can take on a device: its memory less context and fragmentation",
    "steps": "optimizer updates of the whole run",
    "time_to_train_s": "steps x step time (of each stage), without failures and checkpoints",
    "device_hours": "time to train x devices, in hours",
    "cost_usd": "rent of all nodes over the time to train",
    "usd_per_hour": "rent of all nodes",
    "power_w": "all nodes at full load",
    "energy_per_step_j": "power x step time: an upper bound, since nodes draw less while they wait",
    "energy_j": "the same over the time to train",
    "energy_cost_usd": "energy x price of electricity",
    "exchange_s": "of a step, to bring the replicas to the same weights, hidden or not",
    "all_reduce_s": "that an uncompressed all-reduce over all replicas takes instead",
    "sent_bytes": "by one replica per step, to bring them to the same weights",
    "compress_s": "of a step, to compress gradients and unpack them",
    "updates_per_s": "that the parameter servers take in",
    "updates_bound_per_s": "that servers and workers allow: the servers' rate, or all workers at their own pace",
    "server_busy_fraction": "of the time in which parameter servers send and receive",
    "staleness_mean": "updates of other workers that a gradient does not know when it is added",
    "data_stall_s": "of a step in which all devices wait for the slowest loader",
    "data_stall_fraction": "the same over the step",
    "device_idle_fraction": "share of a step in which devices wait for data, for the largest shard or for a checkpoint",
    "shard_imbalance": "samples of the largest shard over the mean one",
    "storage_read_bytes_per_s": "drawn from the storage by all loaders, caches taken off",
    "local_read_share": "of the bytes read from the storage, by drives of the node that reads",
    "network_read_bytes_per_step": "of them, over the network",
    "run_time_s": "from start to end: steps, checkpoints, evaluations, failures; mean of the runs that were played",
    "run_time_p90_s": "the same, which 9 of 10 runs do not exceed",
    "productive_fraction": "share of the run in steps that count",
    "run_cost_usd": "rent of all nodes and spares over the run",
    "failures": "that stop the run, in the mean",
    "cluster_mtbf_s": "of work between two failures of any node, in the mean",
    "lost_work_s": "that failures undid, in the mean",
    "checkpoint_interval_s": "of work between two checkpoints",
    "best_checkpoint_interval_s": "the same where checkpoints and repeated work cost least together (Daly 2006)",
    "checkpoint_bytes": "weights and optimizer state of one checkpoint",
    "checkpoint_write_s": "to write one, alone on its storage and links",
    "checkpoint_read_s": "to read one back, for a restart",
    "restart_s": "lost by a failure in the mean: reading a checkpoint back and half the work between two",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What the run occupies: devices, their dense peaks together (FLOP/s), rent and power, None if unknown."""

    devices: int
    peak: float
    usd_per_s: float | None
    power_w: float | None
    energy_usd_per_j: float | None


def training_metrics(
    job: Job,
    plan: Plan,
    resources: Resources,
    *,
    step: float,
    steps: float | None,
    pace: float = 1.0,
    attention_repeated: bool,
) -> dict[str, float]:
    """Return the figures that follow from a step time; those that cannot be known are left out.

    Args:
        step: seconds.
        steps: of the whole run; None if nobody asks for its end.
        pace: mean over the run of a step's time over ``step``; 1 unless its stages differ.
        attention_repeated: whether selective recomputation repeats the attention core (unfused kernels).
    """
    flop, hardware = _flop(job, plan, attention_repeated)
    return {
        "step_time_s": step,
        **_rates(job, step, resources.devices),
        "model_flop_per_step": flop,
        "flop_per_s_per_device": flop / step / resources.devices,
        "mfu": flop / step / resources.peak,
        "hfu": hardware / step / resources.peak,
        **_dropped(job),
        **_spent(resources, step, steps, pace),
    }


def _flop(job: Job, plan: Plan, attention_repeated: bool) -> tuple[float, float]:
    """Return the model FLOP of a step, and those with what is recomputed."""
    if isinstance(job, SampleJob):
        flop = TRAINING_PASSES * network_flop(job.network) * job.global_batch
        return flop, flop
    forward = forward_flop(job.model, job.seq_len)
    # frozen weights have no gradient products of their own
    flop = (TRAINING_PASSES - 1.0 + job.trained_share) * forward.total * job.global_batch
    again = {"none": 0.0, "selective": forward.attention * attention_repeated, "full": forward.total - forward.head}
    return flop, flop + again[plan.recompute] * job.global_batch


def _dropped(job: Job) -> dict[str, float]:
    """Return the share of visits that a capacity drops, where there is one."""
    if isinstance(job, SampleJob) or job.routing is None or job.routing.capacity is None or job.model.experts is None:
        return {}
    count = job.model.experts.count
    return {"dropped_visits_fraction": dropped(experts=count, skew=job.routing.skew, capacity=job.routing.capacity)}


def _rates(job: Job, step: float, devices: int) -> dict[str, float]:
    samples = {"samples_per_s": job.global_batch / step, "samples_per_s_per_device": job.global_batch / step / devices}
    if isinstance(job, SampleJob):
        return samples
    tokens = job.tokens_per_step / step
    return {"tokens_per_s": tokens, **samples, "tokens_per_s_per_device": tokens / devices}


def _spent(resources: Resources, step: float, steps: float | None, pace: float) -> dict[str, float]:
    """Return what the run takes of time, money and energy."""
    found: dict[str, float] = {}
    if resources.usd_per_s is not None:
        found["usd_per_hour"] = resources.usd_per_s * HOUR
    if resources.power_w is not None:
        found |= {"power_w": resources.power_w, "energy_per_step_j": resources.power_w * step}
    if steps is None:
        return found
    whole = steps * step * pace
    found |= {"steps": steps, "time_to_train_s": whole, "device_hours": whole * resources.devices / HOUR}
    if resources.usd_per_s is not None:
        found["cost_usd"] = whole * resources.usd_per_s
    if resources.power_w is not None:
        found["energy_j"] = whole * resources.power_w
        if resources.energy_usd_per_j is not None:
            found["energy_cost_usd"] = found["energy_j"] * resources.energy_usd_per_j
    return found
