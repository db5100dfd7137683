"""SGLang: ``sglang.launch_server`` for one replica.

There are no constants of SGLang: what a scenario predicts holds for the engine that it names, and the file says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from simulator.planner.launch.formats import WEIGHTS, format_refusals
from simulator.planner.launch.order import ServeOrder
from simulator.planner.launch.script import script

#: docs/advanced_features/server_arguments.md
CHECKED: Final = "SGLang, server_arguments.md of commit 004813e1"
FILE: Final = "sglang.sh"


def refusals(order: ServeOrder) -> list[str]:
    """Return what SGLang cannot do of an order, or what these flags do not say."""
    one = order.workload
    found = []
    degrees = {name: getattr(one.layout, name) for name in ("pp", "ep", "dp_attention")}
    found += [f"{name} {degree} (only TP is written)" for name, degree in degrees.items() if degree > 1]
    if one.prefill is not None:
        found.append("separate replicas for prompts (they need a transfer backend that is the user's to choose)")
    return found + format_refusals(one)


def text(order: ServeOrder) -> str:
    """Return the script of one replica."""
    command = ["python -m sglang.launch_server", '--model-path "${MODEL:?name or folder of the weights}"',
               *_flags(order), '"$@"']  # fmt: skip
    needs = f"each replica of {order.workload.model.name} (its figures were predicted for {order.workload.traits.name})"
    return script(CHECKED, command, needs=needs, further="--port and the like")


def _flags(order: ServeOrder) -> Iterator[str]:
    one = order.workload
    yield f"--tp {one.layout.tp}"
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
