"""A transformer described by its shape: what it is, not what runs it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentAttention:
    """Multi-head latent attention (MLA): queries and keys/values pass through low-rank latents."""

    q_lora_rank: int | None  # None: queries are projected directly
    kv_lora_rank: int
    qk_nope_head_dim: int
    qk_rope_head_dim: int
    v_head_dim: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Experts:
    """A mixture of experts in place of the dense feed-forward network."""

    count: int  # routed experts per MoE layer
    active: int  # routed experts each token visits (top-k)
    ffn: int  # hidden width of one expert
    shared: int = 0  # experts every token visits, of the same width
    dense_layers: int = 0  # layers that keep the dense FFN (leading or interleaved)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """State-space (Mamba-2 like) layers of a hybrid model."""

    layers: int
    heads: int
    head_dim: int
    state: int
    groups: int = 1
    conv: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """Decoder, encoder or encoder-decoder; every width in elements, ``layers`` without the encoder's."""

    name: str
    kind: str  # "decoder", "encoder", "encoder-decoder"
    layers: int  # decoder (or only) layers, attention or not
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int  # dense feed-forward width; 0 where a layer has none
    vocab: int
    max_seq: int
    gated: bool = False  # three FFN matrices (SwiGLU, GeGLU) instead of two
    tied_embeddings: bool = False
    learned_positions: bool = False
    bias: bool = False
    norm: str = "rms"  # "rms" (scale only) or "layer" (scale and shift)
    encoder_layers: int = 0
    sliding_window: int | None = None
    window_every: int = 1  # of this many layers all but one use the window (1: all do)
    latent: LatentAttention | None = None
    experts: Experts | None = None
    recurrence: Recurrence | None = None
    attention_layers: int | None = None  # hybrids: layers that attend (None: all)
    ffn_layers: int | None = None  # hybrids: layers that hold an FFN (None: all)
