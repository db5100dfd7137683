"""PyTorch FSDP2 without an engine around it: a mesh and ``fully_shard`` for the user's program, and torchrun.

``fully_shard`` shards weights, gradients and optimizer state (ZeRO-3); without resharding after the forward pass
weights stay whole until the backward one, which is what ZeRO-2 holds. What cuts the model is the program's.
"""

from __future__ import annotations

from typing import Final

from simulator import __version__
from simulator.planner.launch.order import TrainOrder, refusals_of_offload, refusals_of_stages
from simulator.planner.launch.script import script, torchrun

#: torch.distributed.device_mesh.init_device_mesh, torch.distributed.fsdp.{fully_shard, MixedPrecisionPolicy}
CHECKED: Final = "PyTorch, documentation of torch.distributed.fsdp.fully_shard of October 2025"
FILE: Final = "fsdp.sh"
PLAN: Final = "fsdp_plan.py"

_PRECISIONS: Final = {"bf16": "torch.bfloat16", "fp32": "torch.float32"}


def refusals(order: TrainOrder) -> list[str]:
    """Return what fully_shard cannot do of an order."""
    plan = order.plan
    found = refusals_of_stages(order) + refusals_of_offload(order)
    found += [
        f"{name.upper()} {degree} (fully_shard shards over data-parallel ranks alone)"
        for name in ("tp", "cp", "pp", "ep")
        if (degree := getattr(plan, name)) > 1
    ]
    if plan.zero not in (2, 3):
        found.append(f"ZeRO-{plan.zero} (it shards weights and gradients)")
    if plan.recompute == "selective":
        found.append("selective recomputation (the plan wraps whole blocks)")
    if order.job.precision.name not in _PRECISIONS:
        found.append(f"the precision {order.job.precision.name} ({', '.join(_PRECISIONS)})")
    return found


def files(order: TrainOrder) -> dict[str, str]:
    """Return the script of every node and the module that the program calls."""
    command = [*torchrun(order), '"${PROGRAM:?the training program}"', '"$@"']
    needs = f"the folder of PROGRAM, which calls parallelize(model, blocks) of {PLAN}"
    return {FILE: script(CHECKED, command, needs=needs, further="what PROGRAM takes"), PLAN: _module(order)}


def _module(order: TrainOrder) -> str:
    plan = order.plan
    recompute = plan.recompute == "full"
    extra = f"\n{_WRAPPER}" if recompute else ""
    wrapped = "\n    blocks = [checkpoint_in_place(model, block) for block in blocks]" if recompute else ""
    replacing = _RECOMPUTE if recompute else ""
    return f'''"""Written by rackcast {__version__}. Names checked against {CHECKED}."""

import torch{extra}
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

DATA_PARALLEL = {plan.dp}
MICRO_BATCH = {plan.micro_batch}  # samples of one forward pass of one rank
MICRO_BATCHES = {plan.micro_batches}  # forward passes before each update; synchronise gradients at the last
SEQUENCE = {order.job.seq_len}
{replacing}

def parallelize(model, blocks, device_type="cuda"):
    """Shard the transformer blocks of a model, then the rest; call it once the process group is there."""
    mesh = init_device_mesh(device_type, (DATA_PARALLEL,), mesh_dim_names=("dp_shard",))
    precision = {_PRECISIONS[order.job.precision.name]}
    policy = MixedPrecisionPolicy(param_dtype=precision, reduce_dtype=torch.float32){wrapped}
    for block in blocks:
        fully_shard(block, mesh=mesh, mp_policy=policy, reshard_after_forward={plan.zero == 3})
    return fully_shard(model, mesh=mesh, mp_policy=policy, reshard_after_forward={plan.zero == 3})
'''


_WRAPPER: Final = "from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper"
_RECOMPUTE: Final = '''

def checkpoint_in_place(model, block):
    """Put a block that recomputes its activations in the place of a block; return it."""
    for parent in model.modules():
        for name, child in parent.named_children():
            if child is block:
                setattr(parent, name, checkpoint_wrapper(block))
                return getattr(parent, name)
    raise ValueError("the block is no part of the model")

'''
