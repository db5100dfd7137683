"""Arithmetic that a model asks for: FLOP of one forward pass of one sample, from its operators.

Two per multiply-add of matrix products and attention; scores that a mask removes are not counted (half of them under a
causal mask). Elementwise work is left out, as in every published MFU. A training step asks for three times the forward
pass: the backward pass makes two products for each one.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.workload.models.networks.network import Network
from simulator.workload.models.transformer import Transformer
from simulator.workload.operators import Attention, Elementwise, ExpertGemm, Gemm, Operator, Scan
from simulator.workload.transformer_blocks import blocks, head_operators

#: forward and backward passes in units of the forward pass
TRAINING_PASSES = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardFlop:
    """FLOP of one forward pass of one sample: products and attention cores of the layers, and the head."""

    products: float
    attention: float
    head: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.products + self.attention + self.head


def network_flop(network: Network) -> float:
    """Return the FLOP of one forward pass of one sample of a network."""
    return 2.0 * network.macs


def forward_flop(model: Transformer, seq_len: int) -> ForwardFlop:
    """Return the FLOP of one forward pass of one sample of ``seq_len`` tokens.

    >>> from simulator.workload.models.library import load_model
    >>> gpt3 = load_model("gpt3-175b")
    >>> round(forward_flop(gpt3, 2048).total / (2 * 175e9 * 2048), 2)
    1.01
    """
    products = attention = 0.0
    for block in blocks(model):
        for operator in block.operators:
            flop = block.count * operator_flop(operator, seq_len)
            if isinstance(operator, (Attention, Scan)):
                attention += flop
            else:
                products += flop
    head = sum(operator_flop(operator, seq_len) for operator in head_operators(model))
    return ForwardFlop(products=products, attention=attention, head=head)


def operator_flop(operator: Operator, seq_len: int) -> float:
    """Return the FLOP of one operator's forward pass over one sample."""
    match operator:
        case Gemm():
            return 2.0 * seq_len * operator.rows * operator.k * operator.n * operator.repeats
        case ExpertGemm():
            return 2.0 * seq_len * operator.active * operator.k * operator.n
        case Attention():
            scores = operator.heads * seq_len * seq_len * kept_scores(operator, seq_len)
            return 2.0 * scores * (operator.qk_dim + operator.v_dim)
        case Scan():
            return 2.0 * seq_len * operator.inner * (operator.chunk + 2.0 * operator.state)
        case Elementwise():
            return 0.0


def kept_scores(attention: Attention, seq_len: int) -> float:
    """Return the share of the score matrix that is not masked: half under a causal mask, less with a window."""
    if attention.window is not None and attention.window < seq_len:
        window = attention.window / seq_len
        return window * (1.0 - window / 2.0) if attention.causal else min(1.0, 2.0 * window)
    remembered = attention.memory_ratio  # earlier segments are seen whole
    return (remembered + 0.5) / (remembered + 1.0) if attention.causal else 1.0
