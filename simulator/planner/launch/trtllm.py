"""TensorRT-LLM: ``trtllm-serve`` on its PyTorch backend for one replica, and the YAML of what has no flag."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from simulator import __version__
from simulator.planner.launch.formats import format_refusals
from simulator.planner.launch.order import ServeOrder
from simulator.planner.launch.script import script

#: flags in tensorrt_llm/commands/serve.py, keys in tensorrt_llm/llmapi/llm_args.py (KvCacheConfig and LlmArgs)
CHECKED: Final = "TensorRT-LLM, commands/serve.py of commit 00209af1"
FILE: Final = "trtllm.sh"
OPTIONS: Final = "trtllm.yaml"


def refusals(order: ServeOrder) -> list[str]:
    """Return what trtllm-serve cannot do of an order."""
    one = order.workload
    found = []
    if one.traits.name != "trtllm":
        found.append(f"the scenario's engine is {one.traits.name}; set its engine.name to trtllm")
    if one.prefill is not None:
        found.append("separate replicas for prompts (they need a server of their own in front)")
    if one.layout.dp_attention not in (1, one.layout.tp):
        found.append(f"attention over {one.layout.dp_attention} ranks beside TP {one.layout.tp} (all of TP, or none)")
    if one.speculation is not None or one.adapters is not None:
        found.append("speculative decoding or adapters (their checkpoints are the user's; add them to the YAML)")
    return found + format_refusals(one)


def files(order: ServeOrder) -> dict[str, str]:
    """Return the script of one replica and the YAML that it names."""
    one = order.workload
    command = ['trtllm-serve "${MODEL:?name or folder of the weights}"', *_flags(order), f"--config {OPTIONS}", '"$@"']
    fp8 = ", quantised to fp8" if one.precision == "fp8" else ""
    needs = f"each replica of {one.model.name}{fp8}, with {OPTIONS} beside it"
    return {
        FILE: script(CHECKED, command, needs=needs, further="--host, --port and the like"),
        OPTIONS: f"# Written by rackcast {__version__}. Keys checked against {CHECKED}.\n"
        + "\n".join(_options(order))
        + "\n",
    }


def _flags(order: ServeOrder) -> Iterator[str]:
    one = order.workload
    yield "--backend pytorch"
    yield f"--tp_size {one.layout.tp}"
    yield f"--pp_size {one.layout.pp}"
    if one.layout.ep > 1:
        yield f"--ep_size {one.layout.ep}"
    if one.engine.max_num_seqs is not None:
        yield f"--max_batch_size {one.engine.max_num_seqs}"
    if one.engine.max_num_batched_tokens is not None:
        yield f"--max_num_tokens {one.engine.max_num_batched_tokens}"
    if one.engine.memory_fraction is not None:
        yield f"--free_gpu_memory_fraction {one.engine.memory_fraction:g}"
    if one.engine.chunked_prefill:
        yield "--enable_chunked_prefill"


def _options(order: ServeOrder) -> Iterator[str]:
    one = order.workload
    yield f"enable_attention_dp: {'true' if one.layout.dp_attention > 1 else 'false'}"
    yield "kv_cache_config:"
    yield f"  dtype: {'fp8' if one.cache_precision == 'fp8' else 'auto'}"
    yield f"  enable_block_reuse: {'true' if one.engine.prefix_cache else 'false'}"
    yield f"  tokens_per_block: {one.engine.block_size}"
