"""torchtitan: FSDP2 with TP, CP, PP and EP. A configuration in Python over one of its own, and torchrun.

Models are torchtitan's: the user names the configuration that has the model, and the plan's layout and batch are set in
it, the way its ``config/README.md`` says; its command-line options are frozen and will be deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from simulator import __version__
from simulator.planner.launch.order import TrainOrder, refusals_of_offload, refusals_of_stages
from simulator.planner.launch.script import script, torchrun

#: fields in torchtitan/config/configs.py, policies in distributed/activation_checkpoint.py, --module and --config in
#: config/manager.py
CHECKED: Final = "torchtitan 0.3.0"
FILE: Final = "torchtitan.sh"
PLAN: Final = "torchtitan_plan.py"

#: how ZeRO 2 and 3 keep the weights between the forward and the backward pass
_RESHARD: Final = {2: "never", 3: "always"}
_SCHEDULES: Final = {"gpipe": "GPipe", "1f1b": "1F1B"}
_POLICIES: Final = {"none": "None", "selective": "SelectiveAC.Config()", "full": "FullAC.Config()"}


def refusals(order: TrainOrder) -> list[str]:
    """Return what torchtitan cannot do of an order."""
    plan = order.plan
    found = refusals_of_stages(order) + refusals_of_offload(order)
    if plan.zero == 1:
        found.append("ZeRO-1 (it replicates, or shards gradients too)")
    if order.job.precision.name not in ("bf16", "fp32"):
        found.append(f"the precision {order.job.precision.name} (bf16 or fp32)")
    if plan.pp > 1 and plan.schedule not in _SCHEDULES:
        found.append(f"the schedule {plan.schedule} (GPipe and 1F1B are written)")
    if plan.pp > 1 and plan.schedule == "gpipe" and plan.vpp > 1:
        found.append("virtual stages under GPipe")
    if plan.pp > 1 and order.job.model.layers % (plan.pp * plan.vpp):
        found.append(f"{order.job.model.layers} layers in {plan.pp * plan.vpp} stages (they must divide)")
    shard = plan.dp if plan.zero > 1 else 1
    if (shard * plan.cp * plan.tp) % plan.ep:
        found.append(f"EP {plan.ep} over {shard * plan.cp * plan.tp} ranks of sharding, CP and TP (they must divide)")
    return found


def files(order: TrainOrder) -> dict[str, str]:
    """Return the script of every node and the module of the configuration that it names."""
    module = PLAN.removesuffix(".py")
    command = [*torchrun(order), f"-m torchtitan.train --module {module} --config planned", '"$@"']
    needs = f"the folder of {PLAN}, with BASE_MODULE and BASE_CONFIG set to torchtitan's configuration of the model"
    return {FILE: script(CHECKED, command, needs=needs, further="nothing, or overrides"), PLAN: _module(order)}


def _module(order: TrainOrder) -> str:
    policy = _POLICIES[order.plan.recompute]
    named = policy.split(".")[0]
    imported = f"\nfrom torchtitan.distributed.activation_checkpoint import {named}\n" if named != "None" else ""
    lines = "\n".join(f"    config.{key} = {value}" for key, value in _settings(order))
    return f'''"""Written by rackcast {__version__}. Names checked against {CHECKED}.

BASE_MODULE and BASE_CONFIG name the configuration of the model, as in torchtitan.models.llama3.config_registry and
llama3_70b; its data, optimizer and checkpoints stay.
"""

import importlib
import os
{imported}

def planned():
    """Return the configuration of the model with the plan's layout and batch."""
    base = importlib.import_module(os.environ["BASE_MODULE"])
    config = getattr(base, os.environ["BASE_CONFIG"])()
{lines}
    config.activation_checkpoint = {policy}
    return config
'''


def _settings(order: TrainOrder) -> Iterator[tuple[str, object]]:
    plan, sharded = order.plan, order.plan.zero > 1
    yield "parallelism.data_parallel_replicate_degree", 1 if sharded else plan.dp
    yield "parallelism.data_parallel_shard_degree", plan.dp if sharded else 1
    if sharded:
        yield "parallelism.fsdp_reshard_after_forward", repr(_RESHARD[plan.zero])
    yield "parallelism.tensor_parallel_degree", plan.tp
    if plan.tp > 1:
        yield "parallelism.enable_sequence_parallel", plan.sequence_parallel
    yield "parallelism.context_parallel_degree", plan.cp
    yield "parallelism.pipeline_parallel_degree", plan.pp
    yield "parallelism.expert_parallel_degree", plan.ep
    local = plan.micro_batch
    if plan.pp > 1:
        local = plan.micro_batch * plan.micro_batches
        yield from _pipeline(order)
    if plan.pp > 1 or plan.ep > 1:
        yield "training.disable_cuda_graphs", True  # it captures neither pipelines nor its usual dispatch of tokens
    yield "training.local_batch_size", local
    yield "training.global_batch_size", plan.global_batch
    yield "training.seq_len", order.job.seq_len
    yield "training.mixed_precision_param", repr("bfloat16" if order.job.precision.name == "bf16" else "float32")


def _pipeline(order: TrainOrder) -> Iterator[tuple[str, object]]:
    """Yield the keys of stages: equal ones, where torchtitan gives the first and last a layer less unless told."""
    plan = order.plan
    schedule = _SCHEDULES[plan.schedule] if plan.vpp == 1 else "Interleaved1F1B"
    yield "parallelism.pipeline_parallel_schedule", repr(schedule)
    yield "parallelism.pipeline_parallel_layers_per_stage", order.job.model.layers // (plan.pp * plan.vpp)
    yield "parallelism.pipeline_parallel_first_stage_less_layers", 0
    yield "parallelism.pipeline_parallel_last_stage_less_layers", 0
    yield "parallelism.pipeline_parallel_microbatch_size", plan.micro_batch
