"""Operators: what one token (or sample) asks of a machine, before anything is split and on no hardware.

Sizes are *per token*; a mapping multiplies them by the tokens of a micro-batch and divides what parallelism cuts.
``Region`` says what tensor parallelism does to an operator: ``TENSOR`` work is shared by the TP ranks, ``SEQUENCE``
work (norms, dropout, residuals) is repeated on each of them unless sequence parallelism shares it, ``REPLICATED`` work
is never shared.

Sources: FLOP counts 2mnk per matrix product; stored activations per layer after Korthikanti et al. 2022
(arXiv 2205.05198), section 4, where each operator stores its own inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

#: backward traffic of an elementwise operator over its forward traffic: two reads and a write against one of each
BACKWARD_MOVED: Final = 1.5


class Region(Enum):
    """How tensor parallelism treats an operator's work and stored activations."""

    TENSOR = "tensor"
    SEQUENCE = "sequence"
    REPLICATED = "replicated"


class Cut(Enum):
    """Which side of a weight matrix tensor parallelism cuts."""

    COLUMN = "column"  # the output width n is divided; the input is whole
    ROW = "row"  # the input width k is divided; the output is a partial sum
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gemm:
    """``rows`` x k activations per token times a k x n weight."""

    name: str
    k: int
    n: int
    cut: Cut = Cut.NONE
    rows: float = 1.0  # activation rows per token (pixels of a convolution, 1 for a transformer)
    weight: bool = True  # whether the right side is a parameter (it then has a weight gradient)
    saved: float = 0.0  # input elements kept for the backward pass, per token
    repeats: int = 1  # equal products launched one after another


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertGemm:
    """A grouped product: each token visits ``active`` of ``experts`` k x n weights, cut by expert parallelism."""

    name: str
    k: int
    n: int
    experts: int
    active: int
    saved: float = 0.0  # per visited expert and token


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Scores, softmax and weighted sum over the context; heads are cut by tensor parallelism."""

    name: str
    heads: int
    kv_heads: int
    qk_dim: int
    v_dim: int
    causal: bool
    window: int | None = None
    memory_ratio: float = 0.0  # keys of earlier segments per key of this one
    relative: bool = False  # a second product scores distances, and is shifted into place


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A state-space recurrence, computed in chunks: quadratic inside a chunk, linear between chunks."""

    name: str
    inner: int  # heads x head_dim
    state: int
    chunk: int = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Elementwise:
    """Memory traffic without reuse: norms, activations, dropout, residuals, copies, gathers."""

    name: str
    moved: float  # elements read plus written per token, forward
    region: Region
    saved_bytes: float = 0.0  # bytes kept for the backward pass per token (masks are 1 byte an element)
    kernels: int = 1
    backward_moved: float = BACKWARD_MOVED  # backward traffic over forward traffic


Operator = Gemm | ExpertGemm | Attention | Scan | Elementwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Equal half-layers (an attention, a feed-forward network, a recurrence): their operators and how many there are.

    Attributes:
        tensor_collectives: exchanges of [tokens, width] over TP in one forward pass.
        routed: experts each token visits, over the EP group (0: no all-to-all); routed_width: elements of a visit.
    """

    name: str
    count: int
    operators: tuple[Operator, ...]
    tensor_collectives: int = 1
    width: int = 0
    routed: int = 0
    routed_width: int = 0
