"""SGLang: ``sglang.launch_server`` for one replica.

There are no constants of SGLang: what a scenario predicts holds for the engine that it names, and the file says so.
Where prompts are computed apart, replicas of both roles have a file, and SGLang's router another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from simulator.planner.launch.formats import WEIGHTS, format_refusals
from simulator.planner.launch.order import Role, ServeOrder, refusals_of_parts
from simulator.planner.launch.script import script

#: sglang/srt/arg_groups/fields (a flag per field, and its aliases)
CHECKED: Final = "SGLang 0.5.23"
#: sglang_router/router_args.py
CHECKED_ROUTER: Final = "sglang-router 0.3.2"
FILE: Final = "sglang.sh"
ROUTER: Final = "sglang-router.sh"


def refusals(order: ServeOrder) -> list[str]:
    """Return what SGLang cannot do of an order, or what these flags do not say."""
    layout, wide = order.workload.layout, order.workload.layout.tp * order.workload.layout.dp_attention
    found = refusals_of_parts(order)
    if wide % layout.ep:
        found.append(f"EP {layout.ep} beside {wide} ranks of a stage (they must divide)")
    return found + format_refusals(order.workload)


def files(order: ServeOrder) -> dict[str, str]:
    """Return the script of one replica of each role, and that of the router between roles."""
    found = {role.file(FILE): _text(order, role) for role in order.roles}
    if len(order.roles) > 1:
        command = ["python -m sglang_router.launch_router", "--pd-disaggregation", '"$@"']
        places = "--prefill URL PORT (of disaggregation) and --decode URL of each replica"
        found[ROUTER] = script(CHECKED_ROUTER, command, needs="one place that clients reach", further=places)
    return found


def _text(order: ServeOrder, role: Role) -> str:
    command = ["python -m sglang.launch_server", '--model-path "${MODEL:?name or folder of the weights}"',
               *_flags(order), *_nodes(order)]  # fmt: skip
    if role.name:
        command.append(f"--disaggregation-mode {role.name}")
    every = "each node of " if order.nodes_per_replica > 1 else ""
    predicted = f"figures were predicted for {order.workload.traits.name}"
    needs = f"{every}{role.each(order.workload.model.name)} ({predicted})"
    backend = ", --disaggregation-transfer-backend" if role.name else ""
    return script(CHECKED, [*command, '"$@"'], needs=needs, further=f"--port{backend} and the like")


def _flags(order: ServeOrder) -> Iterator[str]:
    """Yield the flags of one replica; its TP counts all ranks of a stage, those of attention are groups in it."""
    one = order.workload
    yield f"--tp-size {one.layout.tp * one.layout.dp_attention}"
    yield f"--pp-size {one.layout.pp}"
    if one.layout.dp_attention > 1:
        yield f"--attn-dp-size {one.layout.dp_attention}"
    if one.layout.ep > 1:
        yield f"--ep-size {one.layout.ep}"
    yield WEIGHTS[one.precision]
    if one.cache_precision == "fp8":
        yield "--kv-cache-dtype fp8_e4m3"
    if one.engine.max_num_seqs is not None:
        yield f"--max-running-requests {one.engine.max_num_seqs}"
    if not one.engine.chunked_prefill:
        yield "--chunked-prefill-size -1"
    elif one.engine.max_num_batched_tokens is not None:
        yield f"--chunked-prefill-size {one.engine.max_num_batched_tokens}"
    if one.engine.memory_fraction is not None:
        yield f"--mem-fraction-static {one.engine.memory_fraction:g}"
    yield f"--page-size {one.engine.block_size}"
    if not one.engine.prefix_cache:
        yield "--disable-radix-cache"


def _nodes(order: ServeOrder) -> Iterator[str]:
    """Yield the flags of a replica over several nodes."""
    if order.nodes_per_replica > 1:
        yield f'--nnodes {order.nodes_per_replica} --node-rank "${{NODE_RANK:-0}}"'
        yield '--dist-init-addr "${MASTER_ADDR:?the first node}:${MASTER_PORT:-20000}"'
