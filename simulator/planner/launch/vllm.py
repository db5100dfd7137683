"""vLLM: ``vllm serve`` for one replica. Replicas stand side by side behind the router of the user.

Where prompts are computed apart, replicas of both roles have a file, and hand the cache on by NIXL.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from simulator.planner.launch.formats import WEIGHTS, format_refusals
from simulator.planner.launch.order import Role, ServeOrder, refusals_of_parts
from simulator.planner.launch.script import script

#: vllm/engine/arg_utils.py, vllm/config/kv_transfer.py, roles in kv_connector/v1/nixl/connector.py
CHECKED: Final = "vLLM 0.32.0, engine arguments"
FILE: Final = "vllm.sh"
#: what hands the cache on; its roles have names of their own
CONNECTOR: Final = "NixlConnector"
ROLES: Final = {"prefill": "kv_producer", "decode": "kv_consumer"}


def refusals(order: ServeOrder) -> list[str]:
    """Return what vLLM cannot do of an order."""
    one = order.workload
    layout = one.layout
    found = refusals_of_parts(order)
    if one.traits.name != "vllm":
        found.append(f"the scenario's engine is {one.traits.name}; set its engine.name to vllm")
    wide = layout.tp * layout.dp_attention
    if layout.ep not in (1, wide):
        beside = f"TP {layout.tp}" + (f" x {layout.dp_attention} ranks of attention" if layout.dp_attention > 1 else "")
        found.append(f"EP {layout.ep} beside {beside} (its EP is as wide as these)")
    if layout.dp_attention > 1 and order.nodes_per_replica > 1:
        found.append(f"{layout.dp_attention} ranks of attention over {order.nodes_per_replica} nodes")
    return found + format_refusals(one)


def files(order: ServeOrder) -> dict[str, str]:
    """Return the script of one replica of each role."""
    return {role.file(FILE): _text(order, role) for role in order.roles}


def _text(order: ServeOrder, role: Role) -> str:
    command = ['vllm serve "${MODEL:?name or folder of the weights}"', *flags(order), *transfer(role)]
    if order.nodes_per_replica > 1:
        command.append("--distributed-executor-backend ray")
    needs = role.each(order.workload.model.name)
    if role.name:
        needs += ", with VLLM_NIXL_SIDE_CHANNEL_HOST set to its node"
    if order.nodes_per_replica > 1:
        needs += f", on the head of its own Ray cluster of {order.nodes_per_replica} nodes"
    return script(CHECKED, [*command, '"$@"'], needs=needs, further="--port and the like")


def flags(order: ServeOrder) -> Iterator[str]:
    """Yield the flags of one replica, one or two a line."""
    one = order.workload
    yield f"--tensor-parallel-size {one.layout.tp}"
    yield f"--pipeline-parallel-size {one.layout.pp}"
    if one.layout.dp_attention > 1:
        yield f"--data-parallel-size {one.layout.dp_attention}"
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
    yield f"--{'' if one.engine.prefix_cache else 'no-'}enable-prefix-caching"
    yield f"--{'' if one.engine.chunked_prefill else 'no-'}enable-chunked-prefill"


def transfer(role: Role) -> Iterator[str]:
    """Yield the flags of a role that hands the cache on or takes it; vLLM reads ``--option.key`` as JSON."""
    if role.name:
        yield f"--kv-transfer-config.kv_connector {CONNECTOR}"
        yield f"--kv-transfer-config.kv_role {ROLES[role.name]}"
