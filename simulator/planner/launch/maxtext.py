"""MaxText: a YAML over its base.yml, and the command. Axes inside a slice (a scale-up domain) and between slices.

MaxText lays axes out over ``ici_*`` (inside) and ``dcn_*`` (between); degrees fill the slice from the inside out in the
order TP, CP, EP, DP, PP. Its own axis for experts shares the batch too, so EP is taken out of DP.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from simulator import __version__
from simulator.planner.launch.order import TrainOrder, refusals_of_offload, refusals_of_stages
from simulator.planner.launch.script import script

#: every key stands in src/maxtext/configs/base.yml; enumerations in src/maxtext/configs/types.py
CHECKED: Final = "MaxText, base.yml and types.py of commit e591f30c"
FILE: Final = "maxtext.sh"
CONFIG: Final = "maxtext.yml"

#: what is recomputed -> remat_policy: all products and the attention's output kept; all but that output; nothing
_REMAT: Final = {"none": "minimal_with_context", "selective": "minimal", "full": "full"}
_QUANTIZATION: Final = {"bf16": "", "fp8": "fp8", "fp32": ""}


def refusals(order: TrainOrder) -> list[str]:
    """Return what MaxText cannot do of an order."""
    plan, model = order.plan, order.job.model
    found = refusals_of_stages(order) + refusals_of_offload(order)
    if plan.zero == 2:
        found.append("ZeRO-2 (it shards the optimizer over data, or weights too)")
    if plan.pp > 1 and plan.schedule != "gpipe":
        found.append(f"the schedule {plan.schedule} (its pipeline runs all forward passes, then all backward ones)")
    if plan.pp > 1 and model.layers % (plan.pp * plan.vpp):
        found.append(f"{model.layers} layers in {plan.pp * plan.vpp} stages (they must divide)")
    if plan.pp > 1 and plan.micro_batches % plan.pp:
        found.append(f"{plan.micro_batches} micro-batches in {plan.pp} stages (they must divide)")
    if plan.dp % plan.ep:
        found.append(f"EP {plan.ep} beside DP {plan.dp} (its experts' axis is a part of the data's)")
    if order.job.precision.name not in _QUANTIZATION:
        found.append(f"the precision {order.job.precision.name} ({', '.join(_QUANTIZATION)})")
    plain = model.kind == "decoder" and model.norm == "rms" and model.gated and not model.bias
    if not plain or model.latent is not None or model.recurrence is not None or model.learned_positions:
        found.append(f"the model {model.name} (only decoders like Llama and Mixtral are written)")
    inside, between = _axes(order)
    if math.prod(inside.values()) != order.domain:
        found.append(f"slices of {order.domain} devices that {plan.tp}-way TP and the other degrees do not fill")
    if max(between["tensor"], between["tensor_sequence"], between["context"]) > 1:
        found.append("TP or CP over several slices (its base.yml says: never)")
    return found


def files(order: TrainOrder) -> dict[str, str]:
    """Return the command and the YAML that it names."""
    command = [f"python -m maxtext.trainers.pre_train.train {CONFIG}", '"run_name=${RUN_NAME:?a name}"',
               '"base_output_directory=${OUTPUT:?a folder or bucket}"', '"$@"']  # fmt: skip
    needs = f"MaxText on every host, with {CONFIG}, RUN_NAME and OUTPUT"
    head = f"# Written by rackcast {__version__}. Keys checked against {CHECKED}.\n"
    lines = [f"{key}: {_yaml(value)}" for key, value in _settings(order)]
    return {
        FILE: script(CHECKED, command, needs=needs, further="data set, learning rate and steps"),
        CONFIG: head + "\n".join(lines) + "\n",
    }


def _axes(order: TrainOrder) -> tuple[dict[str, int], dict[str, int]]:
    """Return each axis inside a slice and between slices; the slice is filled from the inside out."""
    plan = order.plan
    data = "fsdp" if plan.zero == 3 else "data"
    degrees = {
        "tensor": 1 if plan.sequence_parallel else plan.tp,
        "tensor_sequence": plan.tp if plan.sequence_parallel else 1,
        "context": plan.cp,
        "expert": plan.ep,
        data: plan.dp // plan.ep,
        "pipeline": plan.pp,
    }
    left, inside = order.domain, {}
    for name, degree in degrees.items():
        inside[name] = math.gcd(degree, left)
        left //= inside[name]
    every = ("data", "fsdp", "pipeline", "context", "tensor", "tensor_sequence", "expert")
    return (
        {name: inside.get(name, 1) for name in every},
        {name: degrees.get(name, 1) // inside.get(name, 1) for name in every},
    )


def _settings(order: TrainOrder) -> Iterator[tuple[str, object]]:
    plan, devices = order.plan, order.nodes * order.devices_per_node
    inside, between = _axes(order)
    yield "base_config", "base.yml"
    yield from ((f"ici_{name}_parallelism", degree) for name, degree in inside.items())
    yield from ((f"dcn_{name}_parallelism", degree) for name, degree in between.items())
    yield "shard_optimizer_over_data", plan.zero == 1
    whole = plan.pp > 1  # the pipeline takes the whole batch at once; else passes are accumulated
    yield "per_device_batch_size", plan.global_batch / devices if whole else plan.micro_batch * plan.dp / devices
    yield "gradient_accumulation_steps", 1 if whole else plan.micro_batches
    if whole:
        yield "num_pipeline_microbatches", plan.micro_batches
        yield "num_layers_per_pipeline_stage", order.job.model.layers // (plan.pp * plan.vpp)
        yield "num_pipeline_repeats", plan.vpp
    yield "remat_policy", _REMAT[plan.recompute]
    yield "dtype", "float32" if order.job.precision.name == "fp32" else "bfloat16"
    yield "quantization", _QUANTIZATION[order.job.precision.name]
    yield "max_target_length", order.job.seq_len
    yield from _model(order)


def _model(order: TrainOrder) -> Iterator[tuple[str, object]]:
    model = order.job.model
    yield "decoder_block", "llama2" if model.experts is None else "mixtral"
    yield "base_emb_dim", model.hidden
    yield "base_num_query_heads", model.heads
    yield "base_num_kv_heads", model.kv_heads
    yield "head_dim", model.head_dim
    yield "base_mlp_dim", model.ffn if model.experts is None else model.experts.ffn
    yield "base_num_decoder_layers", model.layers
    yield "vocab_size", model.vocab
    yield "logits_via_embedding", model.tied_embeddings
    if model.experts is not None:
        yield "base_moe_mlp_dim", model.experts.ffn
        yield "num_experts", model.experts.count
        yield "num_experts_per_tok", model.experts.active


def _yaml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
