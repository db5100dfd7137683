"""A transformer described by its shape: what it is, not what runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simulator.foundation.errors import InputError

KINDS: Final = ("decoder", "encoder", "encoder-decoder")
NORMS: Final = ("rms", "layer", "plain")


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
    shared_ffn: int | None = None  # width of all shared experts together where it is not shared * ffn
    latent: int | None = None  # width in which routed experts work, after a projection down and before one up
    router_bias: bool = False  # one learned number per expert (load balancing, or a plain bias)
    bias: bool = False  # biases inside the routed experts
    shared_gate: bool = False  # a learned gate on the shared experts (hidden x 1)
    beside_dense: bool = False  # the dense FFN stays in every layer, beside the experts

    @property
    def shared_width(self) -> int:
        """Hidden width of all shared experts together; 0 without any."""
        return self.shared * self.ffn if self.shared_ffn is None else self.shared_ffn


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """State-space (Mamba-2 like) layers of a hybrid model."""

    layers: int
    heads: int
    head_dim: int
    state: int
    groups: int = 1
    conv: int = 4

    @property
    def inner(self) -> int:
        """Width inside a layer: heads times head_dim."""
        return self.heads * self.head_dim


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """Decoder, encoder or encoder-decoder; every width in elements, ``layers`` without the encoder's.

    A hybrid model counts each of its blocks as a layer and says how many of them attend (``attention_layers``), hold a
    feed-forward network (``ffn_layers``) or a recurrence (``recurrence.layers``).

    Raises:
        InputError: a width or count that cannot be.
    """

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
    norm: str = "rms"  # "rms" (scale only), "layer" (scale and shift) or "plain" (no parameters)
    encoder_layers: int = 0
    sliding_window: int | None = None
    window_every: int = 1  # of this many layers all but one use the window (1: all do)
    latent: LatentAttention | None = None
    experts: Experts | None = None
    recurrence: Recurrence | None = None
    attention_layers: int | None = None  # hybrids: layers that attend (None: all)
    ffn_layers: int | None = None  # hybrids: layers that hold an FFN (None: all)
    qkv_bias: bool = False  # biases on queries, keys and values although ``bias`` is false
    out_bias: bool = False  # a bias on the attention output although ``bias`` is false
    ffn_bias: bool = False  # biases in the FFN although ``bias`` is false
    qk_norm: bool = False  # a norm of head_dim on queries and one on keys
    block_norms: int = 2  # norms of one attention + FFN layer: 1 (shared by a parallel block), 2, 4 (around each half)
    parallel: bool = False  # attention and FFN read the same input and are added together
    final_norm: bool = True
    embedding_norm: bool = False
    head: bool = True  # projects to the vocabulary (BERT's and ViT's encoders do not)
    head_bias: bool = False
    pooler: bool = False  # a hidden x hidden projection of the first token
    token_types: int = 0  # rows of the segment embedding
    position_rows: int | None = None  # rows of the learned positions where they are not max_seq
    relative_buckets: int = 0  # T5: learned bias per bucket and head, once per stack
    relative_projection: bool = False  # Transformer-XL: each attention also projects the distances (hidden x hidden)
    memory_ratio: float = 0.0  # Transformer-XL: tokens of earlier segments that each token of a segment also attends to
    vocab_met: int | None = None  # adaptive softmax: columns of the vocabulary that a token meets on average
    embedding_width: int | None = None  # factorised embedding (ALBERT, OPT-350m)
    embedding_parameters: int | None = None  # adaptive embeddings: their count, where it is not vocab * width
    shared_layers: bool = False  # ALBERT: one set of weights for all layers
    sinks: bool = False  # one learned attention sink per head
    global_kv_heads: int | None = None  # layers without the window: key-value heads, where they differ
    global_head_dim: int | None = None  # layers without the window: head width, where it differs
    extra_parameters: int = 0  # what is no layer: convolutional stems, patch embeddings, adapters, other towers

    def __post_init__(self) -> None:
        _require(self, self.kind in KINDS, f"kind is {self.kind!r}; known: {', '.join(KINDS)}")
        _require(self, self.norm in NORMS, f"norm is {self.norm!r}; known: {', '.join(NORMS)}")
        for field in ("layers", "hidden", "heads", "kv_heads", "head_dim", "max_seq", "window_every"):
            _require(self, getattr(self, field) >= 1, f"{field} is {getattr(self, field)}; it must be at least 1")
        for field in ("ffn", "vocab", "encoder_layers", "extra_parameters"):
            _require(self, getattr(self, field) >= 0, f"{field} is {getattr(self, field)}; it must not be negative")
        _require(self, self.heads % self.kv_heads == 0,
                 f"heads ({self.heads}) must be a multiple of kv_heads ({self.kv_heads})")  # fmt: skip
        _require(self, self.block_norms in (1, 2, 4), f"block_norms is {self.block_norms}; known: 1, 2, 4")
        _require(self, (self.kind == "encoder-decoder") == (self.encoder_layers > 0),
                 "encoder_layers belongs to encoder-decoder models, and they need it")  # fmt: skip
        _check_layers(self)

    @property
    def attending_layers(self) -> int:
        """Decoder (or only) layers that attend to themselves."""
        return self.layers if self.attention_layers is None else self.attention_layers

    @property
    def feed_forward_layers(self) -> int:
        """Decoder (or only) layers that hold a feed-forward network, dense or of experts."""
        return self.layers if self.ffn_layers is None else self.ffn_layers

    @property
    def moe_layers(self) -> int:
        """Layers whose feed-forward network is a mixture of experts."""
        return 0 if self.experts is None else self.feed_forward_layers - self.experts.dense_layers

    @property
    def dense_ffn_layers(self) -> int:
        """Layers that hold a dense feed-forward network, the encoder's not counted."""
        if self.ffn == 0:
            return 0
        if self.experts is not None and self.experts.beside_dense:
            return self.feed_forward_layers
        return self.feed_forward_layers - self.moe_layers

    @property
    def global_layers(self) -> int:
        """Attending layers that see the whole sequence."""
        if self.sliding_window is None:
            return self.attending_layers
        return 0 if self.window_every == 1 else self.attending_layers // self.window_every


def _require(model: Transformer, holds: bool, problem: str) -> None:
    if not holds:
        raise InputError(f"model {model.name!r}: {problem}.")


def _check_layers(model: Transformer) -> None:
    _require(model, 0 <= model.attending_layers <= model.layers, "attention_layers must lie between 0 and layers")
    _require(model, 0 <= model.feed_forward_layers <= model.layers, "ffn_layers must lie between 0 and layers")
    experts = model.experts
    if experts is not None:
        _require(model, 1 <= experts.active <= experts.count,
                 f"experts.active ({experts.active}) must lie between 1 and count ({experts.count})")  # fmt: skip
        _require(model, 0 <= experts.dense_layers <= model.feed_forward_layers,
                 "experts.dense_layers must lie between 0 and the layers that hold an FFN")  # fmt: skip
        _require(model, experts.dense_layers == 0 or model.ffn > 0, "ffn is needed by the dense layers")
        _require(model, not experts.beside_dense or model.ffn > 0, "ffn is needed beside the experts")
    if model.recurrence is not None:
        _require(model, model.recurrence.layers <= model.layers, "recurrence.layers must be at most layers")
