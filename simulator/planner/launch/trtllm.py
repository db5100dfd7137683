"""TensorRT-LLM: ``trtllm-serve`` on its PyTorch backend for one replica, and the YAML of what has no flag.

Where prompts are computed apart, replicas of both roles have both files, and its server in front a YAML of places.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from simulator import __version__
from simulator.planner.launch.formats import format_refusals
from simulator.planner.launch.order import Role, ServeOrder, refusals_of_parts
from simulator.planner.launch.script import script

#: flags in tensorrt_llm/commands/serve.py, keys in tensorrt_llm/llmapi/llm_args.py (KvCacheConfig, LlmArgs,
#: CacheTransceiverConfig); the server in front as examples/disaggregated uses it
CHECKED: Final = "TensorRT-LLM, commands/serve.py of commit 00209af1"
FILE: Final = "trtllm.sh"
OPTIONS: Final = "trtllm.yaml"
FRONT: Final = "trtllm-front.yaml"

_PORT: Final = 8001


def refusals(order: ServeOrder) -> list[str]:
    """Return what trtllm-serve cannot do of an order."""
    one = order.workload
    found = refusals_of_parts(order)
    if one.traits.name != "trtllm":
        found.append(f"the scenario's engine is {one.traits.name}; set its engine.name to trtllm")
    if one.layout.dp_attention > 1 and one.layout.tp > 1:
        found.append(
            f"{one.layout.dp_attention} groups of attention of {one.layout.tp} ranks (each rank is a group, or none)"
        )
    return found + format_refusals(one)


def files(order: ServeOrder) -> dict[str, str]:
    """Return the script of one replica of each role and the YAML that it names."""
    found: dict[str, str] = {}
    for role in order.roles:
        found |= {role.file(FILE): _text(order, role), role.file(OPTIONS): _head() + _lines(_options(order, role))}
    if len(order.roles) > 1:
        found[FRONT] = _head(f"Fill in each HOST; then trtllm-serve disaggregated -c {FRONT}") + _lines(_front(order))
    return found


def _text(order: ServeOrder, role: Role) -> str:
    one, options = order.workload, role.file(OPTIONS)
    command = ['trtllm-serve "${MODEL:?name or folder of the weights}"', *_flags(order), f"--config {options}", '"$@"']
    fp8 = ", quantised to fp8" if one.precision == "fp8" else ""
    needs = f"{role.each(one.model.name)}{fp8}, with {options} beside it"
    return script(CHECKED, command, needs=needs, further="--host, --port and the like")


def _head(further: str = "") -> str:
    told = f"# {further}.\n" if further else ""
    return f"# Written by rackcast {__version__}. Keys checked against {CHECKED}.\n{told}"


def _lines(lines: Iterator[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _flags(order: ServeOrder) -> Iterator[str]:
    """Yield the flags of one replica; its TP counts all ranks of a stage."""
    one = order.workload
    yield "--backend pytorch"
    yield f"--tp_size {one.layout.tp * one.layout.dp_attention}"
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


def _options(order: ServeOrder, role: Role) -> Iterator[str]:
    one = order.workload
    yield f"enable_attention_dp: {'true' if one.layout.dp_attention > 1 else 'false'}"
    yield "kv_cache_config:"
    yield f"  dtype: {'fp8' if one.cache_precision == 'fp8' else 'auto'}"
    yield f"  enable_block_reuse: {'true' if one.engine.prefix_cache else 'false'}"
    yield f"  tokens_per_block: {one.engine.block_size}"
    if role.name == "prefill":
        yield "disable_overlap_scheduler: true"
    if role.name:
        yield "cache_transceiver_config:"
        yield "  backend: DEFAULT"


def _front(order: ServeOrder) -> Iterator[str]:
    """Yield the file of the server in front: where the replicas of each role are reached."""
    yield "hostname: localhost"
    yield "port: 8000"
    for role, key in zip(order.roles, ("context_servers", "generation_servers"), strict=True):
        yield f"{key}:"
        yield f"  num_instances: {role.replicas}"
        yield "  urls:"
        yield from (f'    - "HOST:{_PORT}"' for _ in range(role.replicas))
