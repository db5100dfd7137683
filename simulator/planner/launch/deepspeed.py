"""DeepSpeed: its JSON and the ``deepspeed`` launcher. Data parallelism with ZeRO; what cuts the model is the program's.

Stages, TP, CP and experts are made by the user's program (PipelineModule, Megatron, MoE layers), not by the file, so a
plan that uses them is refused.
"""

from __future__ import annotations

import json
from typing import Any, Final

from simulator.planner.launch.order import TrainOrder, refusals_of_stages
from simulator.planner.launch.script import script

#: deepspeed/runtime/constants.py, runtime/zero/config.py, runtime/zero/offload_config.py and launcher/runner.py
CHECKED: Final = "DeepSpeed 0.19.8"
FILE: Final = "deepspeed.sh"
CONFIG: Final = "deepspeed.json"

_PLACES: Final = {"host": "cpu", "nvme": "nvme"}
_PRECISIONS: Final[dict[str, dict[str, Any]]] = {
    "bf16": {"bf16": {"enabled": True}},
    "fp16": {"fp16": {"enabled": True}},
    "fp32": {},
}


def refusals(order: TrainOrder) -> list[str]:
    """Return what DeepSpeed's file cannot say of an order."""
    plan = order.plan
    found = refusals_of_stages(order)
    found += [
        f"{name.upper()} {degree} (the program cuts the model, not the file)"
        for name in ("tp", "cp", "pp", "ep")
        if (degree := getattr(plan, name)) > 1
    ]
    if plan.recompute == "selective":
        found.append("selective recomputation (its activation checkpointing is of whole blocks)")
    if order.offload is not None and plan.zero != 3 and order.offload.parameters:
        found.append(f"weights outside of the devices under ZeRO-{plan.zero} (offload_param needs ZeRO-3)")
    if order.offload is not None and plan.zero == 0 and order.offload.optimizer:
        found.append("optimizer state outside of the devices without ZeRO")
    if order.job.precision.name not in _PRECISIONS:
        found.append(f"the precision {order.job.precision.name} ({', '.join(_PRECISIONS)})")
    if order.offload is not None and order.offload.activations:
        found.append("activations in host memory beside a plan's own recomputation")
    return found


def files(order: TrainOrder) -> dict[str, str]:
    """Return the launcher's script and the JSON that it names."""
    command = [
        f"deepspeed --num_nodes {order.nodes} --num_gpus {order.devices_per_node}",
        '--hostfile "${HOSTFILE:-/job/hostfile}" --master_port "${MASTER_PORT:-29500}"',
        '"${PROGRAM:?the training program}"',
        f"--deepspeed --deepspeed_config {CONFIG}",
        '"$@"',
    ]
    whole = "; it must recompute every block (deepspeed.checkpointing)" if order.plan.recompute == "full" else ""
    needs = f"one node, {CONFIG} and PROGRAM beside it{whole}"
    return {
        FILE: script(CHECKED, command, needs=needs, further="what PROGRAM takes"),
        CONFIG: json.dumps(config(order), indent=2) + "\n",
    }


def config(order: TrainOrder) -> dict[str, Any]:
    """Return the JSON document."""
    plan = order.plan
    zero: dict[str, Any] = {"stage": plan.zero}
    if order.offload is not None:
        places = {"offload_optimizer": order.offload.optimizer, "offload_param": order.offload.parameters}
        zero |= {key: {"device": _PLACES[place], "pin_memory": True} for key, place in places.items() if place}
    return {
        "train_batch_size": plan.global_batch,
        "train_micro_batch_size_per_gpu": plan.micro_batch,
        "gradient_accumulation_steps": plan.micro_batches,
        **_PRECISIONS[order.job.precision.name],
        "zero_optimization": zero,
    }
