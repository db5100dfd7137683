"""A transformer cut over the devices of one replica: the products, attention and exchanges of one iteration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simulator.foundation.errors import InputError
from simulator.workload.models.transformer import Transformer
from simulator.workload.operators import Attention, Cut, Elementwise, ExpertGemm, Gemm, Region, Scan
from simulator.workload.transformer_blocks import EXPERT_LAUNCHES, blocks, head_operators

#: kernels around the products of a layer of experts, as engines fuse them: top-k, sort and, behind them, the sum;
#: training launches ``EXPERT_LAUNCHES`` on each side, whose device time the fused ones keep
_FUSED_ROUTING: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How one replica is cut: tensor and pipeline parallel devices, and those that experts are spread over."""

    tp: int = 1
    pp: int = 1
    ep: int = 1  # expert parallel degree inside the replica
    dp_attention: int = 1  # attention (and its cache) repeated on so many groups, each with its share of the requests

    def __post_init__(self) -> None:
        if min(self.tp, self.pp, self.ep, self.dp_attention) < 1:
            raise InputError(f"every degree of {self} must be at least 1.")

    @property
    def devices(self) -> int:
        """Devices of one replica."""
        return self.tp * self.pp * self.dp_attention


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """``count`` equal products of the step's tokens with a k x n weight on each device.

    ``experts`` > 0: that many weights lie on the device, and each token visits ``visits`` of them on average.
    """

    name: str
    k: float
    n: float
    count: int
    experts: float = 0.0
    visits: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionPart:
    """``count`` equal attentions on one device."""

    count: int
    cached: float  # numbers per token of context
    pair_flop: float  # FLOP per (query, key) pair of a prompt
    context_flop: float  # FLOP per token of context of a decoding request
    window: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceWork:
    """What one device does in one iteration, all layers together (a pipeline stage does its share of it)."""

    products: tuple[Product, ...]
    head: Product | None
    attention: tuple[AttentionPart, ...]
    kernels: int  # small kernels, for the device
    launched: int  # and those that its host launches
    moved: float  # numbers that they read and write per token
    exchanges: int  # all-reduces of [tokens, hidden] over tp
    routed: int  # exchanges of tokens with experts elsewhere: dispatch and combine count as two
    hidden: int
    visits: int  # experts per token


def cut(model: Transformer, layout: Layout) -> DeviceWork:
    """Return the work of one device; heads that do not divide are repeated, as engines do with few key-value heads."""
    products: list[Product] = []
    attention: list[AttentionPart] = []
    kernels, launched, moved, exchanges, routed = 0, 0, 0.0, 0, 0
    for block in blocks(model):
        exchanges += block.count * block.tensor_collectives
        if block.routed:
            routed += 2 * block.count
        for operator in block.operators:
            if isinstance(operator, Gemm):
                products.append(_product(operator, block.count * operator.repeats, layout.tp))
            elif isinstance(operator, ExpertGemm):
                products.append(_experts(operator, block.count, layout))
            elif isinstance(operator, Attention):
                attention.append(_attention(model, operator, block.count, layout.tp))
            elif isinstance(operator, Elementwise):
                kernels += block.count * operator.kernels
                fused = operator.kernels == EXPERT_LAUNCHES
                launched += block.count * (_FUSED_ROUTING if fused else operator.kernels)
                moved += block.count * operator.moved / (layout.tp if operator.region is Region.TENSOR else 1)
            elif isinstance(operator, Scan):
                kernels += block.count
                launched += block.count
                moved += block.count * 4.0 * operator.inner / layout.tp
    heads = [_product(op, 1, layout.tp) for op in head_operators(model) if isinstance(op, Gemm)]
    return DeviceWork(
        products=tuple(products),
        head=heads[0] if heads else None,
        attention=tuple(attention),
        kernels=kernels,
        launched=launched,
        moved=moved,
        exchanges=exchanges if layout.tp > 1 else 0,
        routed=routed if layout.ep > 1 and layout.dp_attention > 1 else 0,
        hidden=model.hidden,
        visits=model.experts.active if model.experts else 0,
    )


def _product(operator: Gemm, count: int, tp: int) -> Product:
    k = operator.k / tp if operator.cut is Cut.ROW else operator.k
    n = operator.n / tp if operator.cut is Cut.COLUMN else operator.n
    return Product(name=operator.name, k=k, n=n, count=count)


def _experts(operator: ExpertGemm, count: int, layout: Layout) -> Product:
    """Experts lie on ``ep`` groups; inside a group their width is cut over the devices that are left."""
    width = layout.tp * layout.dp_attention / layout.ep
    inner = operator.name.endswith("down")
    return Product(
        name=operator.name,
        k=operator.k / width if inner else operator.k,
        n=operator.n if inner else operator.n / width,
        count=count,
        experts=operator.experts / layout.ep,
        visits=operator.active / layout.ep,
    )


def _attention(model: Transformer, operator: Attention, count: int, tp: int) -> AttentionPart:
    heads = operator.heads / tp
    pair = 2.0 * heads * (operator.qk_dim + operator.v_dim)
    if model.latent is not None:  # decoding works on the latent itself, the same for all heads
        latent = model.latent.kv_lora_rank + model.latent.qk_rope_head_dim
        flop = 2.0 * heads * (latent + model.latent.kv_lora_rank)
        return AttentionPart(count=count, cached=latent, pair_flop=pair, context_flop=flop, window=operator.window)
    kv_heads = max(1.0, operator.kv_heads / tp)
    cached = kv_heads * (operator.qk_dim + operator.v_dim)
    return AttentionPart(count=count, cached=cached, pair_flop=pair, context_flop=pair, window=operator.window)
