"""Low-rank adapters: how many numbers they add to a transformer (LoRA, Hu et al. 2021, arXiv 2106.09685).

An adapter of rank r beside a k x n matrix holds r (k + n) numbers. Matrices that are computed in one product are
adapted one by one, as published weights hold them: queries, keys and values, gate and up.
"""

from __future__ import annotations

from typing import Final, Literal

from simulator.workload.models.transformer import Transformer
from simulator.workload.operators import Block, ExpertGemm, Gemm
from simulator.workload.transformer_blocks import blocks

#: all matrices of the layers; those of attention; queries and values alone
Targets = Literal["all", "attention", "query-value"]

_FUSED: Final = "qkv"
_ATTENTION: Final = ("q", "q down", "q up", "kv down", "kv up", "attention out")
_ROUTER: Final = "router"


def adapter_parameters(model: Transformer, rank: int, targets: Targets = "all") -> int:
    """Return the numbers that adapters of a rank add; embeddings, head and router stay as they are.

    >>> from simulator.workload.models.library import load_model
    >>> adapter_parameters(load_model("llama-2-7b"), 8, "query-value"), adapter_parameters(load_model("llama-2-7b"), 16)
    (4194304, 39976960)
    """
    return sum(block.count * _in_block(block, model, rank, targets) for block in blocks(model))


def _in_block(block: Block, model: Transformer, rank: int, targets: Targets) -> int:
    total = 0
    for operator in block.operators:
        if isinstance(operator, Gemm) and operator.weight and operator.name != _ROUTER:
            total += sum(rank * (operator.k + n) for n in _outputs(operator, model, targets))
        elif isinstance(operator, ExpertGemm) and targets == "all":
            total += operator.experts * sum(rank * (operator.k + n) for n in _gate_and_up(operator, model))
    return total


def _outputs(operator: Gemm, model: Transformer, targets: Targets) -> list[int]:
    """Return the output widths of the adapted matrices that one product computes."""
    if operator.name == _FUSED:
        keys = operator.n // (model.heads + 2 * model.kv_heads) * model.kv_heads
        queries = operator.n - 2 * keys
        return [queries, keys] if targets == "query-value" else [queries, keys, keys]
    if operator.name in _ATTENTION:
        return [operator.n] if targets != "query-value" or operator.name in ("q", "q up", "kv up") else []
    return _gate_and_up(operator, model) if targets == "all" else []


def _gate_and_up(operator: Gemm | ExpertGemm, model: Transformer) -> list[int]:
    both = model.gated and operator.name.endswith(" up") and operator.name != "latent up"
    return [operator.n // 2, operator.n // 2] if both else [operator.n]
