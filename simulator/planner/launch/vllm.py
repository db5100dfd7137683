"""vLLM: ``vllm serve`` for one replica. Replicas stand side by side behind the router of the user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from simulator.planner.launch.formats import WEIGHTS, format_refusals
from simulator.planner.launch.order import ServeOrder
from simulator.planner.launch.script import script

#: vllm/engine/arg_utils.py
CHECKED: Final = "vLLM 0.32.0, engine arguments"
FILE: Final = "vllm.sh"


def refusals(order: ServeOrder) -> list[str]:
    """Return what vLLM cannot do of an order."""
    one = order.workload
    found = []
    if one.traits.name != "vllm":
        found.append(f"the scenario's engine is {one.traits.name}; set its engine.name to vllm")
    if one.prefill is not None:
        found.append("separate replicas for prompts (they need a connector that is the user's to choose)")
    if one.layout.dp_attention > 1:
        found.append(f"data-parallel attention over {one.layout.dp_attention} ranks")
    if one.layout.ep not in (1, one.layout.tp):
        found.append(f"EP {one.layout.ep} beside TP {one.layout.tp} (its EP is as wide as its TP)")
    return found + format_refusals(one)


def text(order: ServeOrder) -> str:
    """Return the script of one replica."""
    command = ['vllm serve "${MODEL:?name or folder of the weights}"', *flags(order), '"$@"']
    return script(CHECKED, command, needs=f"each replica of {order.workload.model.name}", further="--port and the like")


def flags(order: ServeOrder) -> Iterator[str]:
    """Yield the flags of one replica, one or two a line."""
    one = order.workload
    yield f"--tensor-parallel-size {one.layout.tp}"
    yield f"--pipeline-parallel-size {one.layout.pp}"
    if one.layout.ep > 1:
        yield "--enable-expert-parallel"
    yield WEIGHTS[one.precision]
    if one.cache_precision == "fp8":
        yield "--kv-cache-dtype fp8"
    if one.engine.max_num_seqs is not None:
        yield f"--max-num-seqs {one.engine.max_num_seqs}"
    if one.engine.max_num_batched_tokens is not None:
        yield f"--max-num-batched-tokens {one.engine.max_num_batched_tokens}"
    if one.engine.memory_fraction is not None:
        yield f"--gpu-memory-utilization {one.engine.memory_fraction:g}"
    yield f"--block-size {one.engine.block_size}"
    if one.engine.prefix_cache:
        yield "--enable-prefix-caching"
    if one.engine.chunked_prefill:
        yield "--enable-chunked-prefill"
