"""Megatron-LM: ``pretrain_gpt.py`` under torchrun. ZeRO-1 is its distributed optimizer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from simulator.planner.launch.order import TrainOrder, refusals_of_offload, refusals_of_stages
from simulator.planner.launch.script import script, torchrun

#: megatron/training/arguments.py and the configuration classes it makes flags of
CHECKED: Final = "Megatron-LM, Megatron Core 0.20.0"
FILE: Final = "megatron.sh"

_PRECISIONS: Final = {"bf16": "--bf16", "fp16": "--fp16", "fp8": "--bf16 --fp8-format hybrid"}


def refusals(order: TrainOrder) -> list[str]:
    """Return what Megatron-LM cannot do of an order."""
    plan, model = order.plan, order.job.model
    found = refusals_of_stages(order) + refusals_of_offload(order)
    if plan.zero > 1:
        found.append(f"ZeRO-{plan.zero} (its distributed optimizer is ZeRO-1)")
    if plan.schedule != "1f1b":
        found.append(f"the schedule {plan.schedule} (it runs 1F1B)")
    if model.kind != "decoder" or model.latent is not None or model.recurrence is not None:
        found.append(f"the model {model.name} (pretrain_gpt.py trains plain decoders)")
    if plan.pp > 1 and model.layers % (plan.pp * plan.vpp):
        found.append(f"{model.layers} layers in {plan.pp * plan.vpp} stages (they must divide)")
    if order.job.precision.name not in _PRECISIONS:
        found.append(f"the precision {order.job.precision.name} (it trains in {', '.join(_PRECISIONS)})")
    if plan.sequence_parallel and plan.tp == 1:
        found.append("sequence parallelism without TP")
    return found


def text(order: TrainOrder) -> str:
    """Return the script of every node."""
    command = [*torchrun(order), "pretrain_gpt.py", *_layout(order), *_memory(order), *_model(order), '"$@"']
    return script(CHECKED, command, needs="the root of Megatron-LM", further="data, tokenizer, optimizer and --save")


def _layout(order: TrainOrder) -> Iterator[str]:
    plan = order.plan
    yield f"--tensor-model-parallel-size {plan.tp}"
    yield f"--pipeline-model-parallel-size {plan.pp}"
    yield f"--context-parallel-size {plan.cp}"
    if plan.ep > 1:
        yield f"--expert-model-parallel-size {plan.ep}"
    if plan.vpp > 1:
        yield f"--num-virtual-stages-per-pipeline-rank {plan.vpp}"
    yield f"--micro-batch-size {plan.micro_batch}"
    yield f"--global-batch-size {plan.global_batch}"


def _memory(order: TrainOrder) -> Iterator[str]:
    plan = order.plan
    if plan.sequence_parallel:
        yield "--sequence-parallel"
    if plan.zero == 1:
        yield "--use-distributed-optimizer"
    if plan.recompute == "selective":
        yield "--recompute-granularity selective"
    if plan.recompute == "full":
        yield "--recompute-granularity full --recompute-method uniform --recompute-num-layers 1"
    yield _PRECISIONS[order.job.precision.name]


def _model(order: TrainOrder) -> Iterator[str]:
    model, length = order.job.model, order.job.seq_len
    yield f"--num-layers {model.layers} --hidden-size {model.hidden} --ffn-hidden-size {model.ffn}"
    yield f"--num-attention-heads {model.heads} --kv-channels {model.head_dim}"
    if model.kv_heads != model.heads:
        yield f"--group-query-attention --num-query-groups {model.kv_heads}"
    yield f"--seq-length {length} --max-position-embeddings {max(length, model.max_seq)}"
    yield f"--position-embedding-type {'learned_absolute' if model.learned_positions else 'rope'}"
    yield f"--normalization {'RMSNorm' if model.norm == 'rms' else 'LayerNorm'}"
    if model.gated:
        yield "--swiglu"
    if not model.bias:
        yield "--disable-bias-linear"
    if not model.tied_embeddings:
        yield "--untie-embeddings-and-output-weights"
    if model.experts is not None:
        experts = model.experts
        yield f"--num-experts {experts.count} --moe-router-topk {experts.active} --moe-ffn-hidden-size {experts.ffn}"
