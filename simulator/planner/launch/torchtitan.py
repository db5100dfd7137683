"""torchtitan: FSDP2 with TP, CP, PP and EP. Model and flavour are names of its own, so the user gives its TOML file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from simulator.planner.launch.order import TrainOrder, refusals_of_offload, refusals_of_stages
from simulator.planner.launch.script import script, torchrun

#: torchtitan/config/job_config.py
CHECKED: Final = "torchtitan, job_config.py of commit 000204a4"
FILE: Final = "torchtitan.sh"


def refusals(order: TrainOrder) -> list[str]:
    """Return what torchtitan cannot do of an order."""
    plan = order.plan
    found = refusals_of_stages(order) + refusals_of_offload(order)
    if plan.zero in (1, 2):
        found.append(f"ZeRO-{plan.zero} (it replicates, or shards weights too)")
    if plan.tp > 1 and not plan.sequence_parallel:
        found.append("TP without sequence parallelism (its TP brings it)")
    if order.job.precision.name not in ("bf16", "fp32"):
        found.append(f"the precision {order.job.precision.name} (bf16 or fp32)")
    if plan.pp > 1 and order.job.model.layers % (plan.pp * plan.vpp):
        found.append(f"{order.job.model.layers} layers in {plan.pp * plan.vpp} stages (they must divide)")
    if plan.ep > 1 and not plan.cp <= plan.ep <= plan.dp * plan.cp:
        found.append(f"EP {plan.ep} (it must lie between CP and DP*CP)")
    return found


def text(order: TrainOrder) -> str:
    """Return the script of every node."""
    command = [*torchrun(order), '-m torchtitan.train --job.config_file "${CONFIG_FILE:?TOML of the model}"',
               *_flags(order), '"$@"']  # fmt: skip
    return script(CHECKED, command, needs="the root of torchtitan with CONFIG_FILE set", further="further overrides")


def _flags(order: TrainOrder) -> Iterator[str]:
    plan, sharded = order.plan, order.plan.zero == 3
    yield f"--parallelism.data_parallel_replicate_degree {1 if sharded else plan.dp}"
    yield f"--parallelism.data_parallel_shard_degree {plan.dp if sharded else 1}"
    yield f"--parallelism.tensor_parallel_degree {plan.tp}"
    yield f"--parallelism.context_parallel_degree {plan.cp}"
    yield f"--parallelism.pipeline_parallel_degree {plan.pp}"
    if plan.ep > 1:
        yield f"--parallelism.expert_parallel_degree {plan.ep}"
    local = plan.micro_batch
    if plan.pp > 1:
        interleaved = {"gpipe": "GPipe", "1f1b": "1F1B" if plan.vpp == 1 else "Interleaved1F1B"}
        local = plan.micro_batch * plan.micro_batches
        yield f"--parallelism.pipeline_parallel_schedule {interleaved[plan.schedule]}"
        yield f"--parallelism.pipeline_parallel_layers_per_stage {order.job.model.layers // (plan.pp * plan.vpp)}"
        yield f"--parallelism.pipeline_parallel_microbatch_size {plan.micro_batch}"
    yield f"--training.local_batch_size {local}"
    yield f"--training.global_batch_size {plan.global_batch}"
    yield f"--training.seq_len {order.job.seq_len}"
    yield f"--training.mixed_precision_param {'bfloat16' if order.job.precision.name == 'bf16' else 'float32'}"
    yield f"--activation_checkpoint.mode {plan.recompute}"
