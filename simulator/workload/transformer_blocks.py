"""A transformer as blocks of operators: attention, feed-forward networks, experts, recurrences, embedding and head.

Stored activations follow Korthikanti et al. 2022 (arXiv 2205.05198), section 4: each operator keeps its own inputs.
"""

from __future__ import annotations

from simulator.workload.models.transformer import Transformer
from simulator.workload.operators import Attention, Block, Cut, Elementwise, ExpertGemm, Gemm, Operator, Region, Scan

#: launches of routing (top-k, counts, masks, balance loss) with the permutation, and as many to undo it
EXPERT_LAUNCHES = 12
#: element moves per visit to bring tokens to their experts: into the send buffer, and from the receive buffer in order
PERMUTE_PASSES = 4.0

_HALF = 2.0  # bytes of a stored 16-bit activation; the mapping rescales for other precisions


def _norm(model: Transformer, name: str) -> Elementwise:
    return Elementwise(name=name, moved=2.0 * model.hidden, region=Region.SEQUENCE, saved_bytes=_HALF * model.hidden)


def _residual(model: Transformer, name: str) -> Elementwise:
    mask = float(model.hidden) if model.bias else 0.0  # models with biases of that era also train with dropout
    moved = (3.5 if model.bias else 3.0) * model.hidden
    return Elementwise(name=name, moved=moved, region=Region.SEQUENCE, saved_bytes=mask, backward_moved=1.0)


def attention_operators(model: Transformer, *, causal: bool = True, windowed: bool = True) -> tuple[Operator, ...]:
    """Return the projections and the core of one self-attention."""
    if model.latent is not None:
        return _latent_attention(model)
    h, heads = model.hidden, model.heads
    whole = not windowed
    kv = model.global_kv_heads if whole and model.global_kv_heads else model.kv_heads
    d = model.global_head_dim if whole and model.global_head_dim else model.head_dim
    remembered = model.memory_ratio
    projections: list[Operator] = [
        _norm(model, "attention norm"),
        Gemm(
            name="qkv",
            k=h,
            n=(heads + 2 * kv) * d,
            cut=Cut.COLUMN,
            saved=h,
            rows=1.0 + remembered * 2 * kv / (heads + 2 * kv),
        ),
    ]
    if model.relative_projection:
        projections.append(Gemm(name="relative positions", k=h, n=heads * d, cut=Cut.COLUMN))
    if not model.learned_positions and causal:
        projections.append(
            Elementwise(name="rotary", moved=2.0 * (heads + kv) * d, region=Region.TENSOR, backward_moved=1.0)
        )
    return (
        *projections,
        Attention(
            name="attention",
            heads=heads,
            kv_heads=kv,
            qk_dim=d,
            v_dim=d,
            causal=causal,
            window=model.sliding_window if windowed else None,
            memory_ratio=remembered,
            relative=model.relative_projection and remembered > 0,
        ),
        Gemm(name="attention out", k=heads * d, n=h, cut=Cut.ROW, saved=heads * d),
        _residual(model, "attention residual"),
    )


def _latent_attention(model: Transformer) -> tuple[Operator, ...]:
    latent = model.latent
    assert latent is not None
    h, heads = model.hidden, model.heads
    qk = latent.qk_nope_head_dim + latent.qk_rope_head_dim
    kv_down = latent.kv_lora_rank + latent.qk_rope_head_dim
    queries: list[Operator] = (
        [Gemm(name="q", k=h, n=heads * qk, cut=Cut.COLUMN, saved=h)]
        if latent.q_lora_rank is None
        else [
            Gemm(name="q down", k=h, n=latent.q_lora_rank, saved=h),
            Elementwise(
                name="q norm",
                moved=2.0 * latent.q_lora_rank,
                region=Region.SEQUENCE,
                saved_bytes=_HALF * latent.q_lora_rank,
            ),
            Gemm(name="q up", k=latent.q_lora_rank, n=heads * qk, cut=Cut.COLUMN, saved=latent.q_lora_rank),
        ]
    )
    return (
        _norm(model, "attention norm"),
        *queries,
        Gemm(name="kv down", k=h, n=kv_down),
        Elementwise(name="kv norm", moved=2.0 * kv_down, region=Region.SEQUENCE, saved_bytes=_HALF * kv_down),
        Gemm(
            name="kv up",
            k=latent.kv_lora_rank,
            n=heads * (latent.qk_nope_head_dim + latent.v_head_dim),
            cut=Cut.COLUMN,
            saved=latent.kv_lora_rank,
        ),
        Elementwise(name="rotary", moved=4.0 * heads * qk, region=Region.TENSOR, kernels=3, backward_moved=1.0),
        Attention(
            name="attention",
            heads=heads,
            kv_heads=heads,
            qk_dim=qk,
            v_dim=latent.v_head_dim,
            causal=True,
            window=model.sliding_window,
        ),
        Gemm(name="attention out", k=heads * latent.v_head_dim, n=h, cut=Cut.ROW, saved=heads * latent.v_head_dim),
        _residual(model, "attention residual"),
    )


def feed_forward_operators(model: Transformer, width: int, prefix: str = "ffn") -> tuple[Operator, ...]:
    """Return one dense feed-forward network of the given hidden width (elements), with norm and residual."""
    return (
        _norm(model, f"{prefix} norm"),
        *_two_matrices(model, width, prefix),
        _residual(model, f"{prefix} residual"),
    )


def _two_matrices(model: Transformer, width: int, prefix: str) -> tuple[Operator, ...]:
    h = model.hidden
    up = 2 * width if model.gated else width
    moved = float(up + width)
    return (
        Gemm(name=f"{prefix} up", k=h, n=up, cut=Cut.COLUMN, saved=h),
        Elementwise(name=f"{prefix} activation", moved=moved, region=Region.TENSOR, saved_bytes=_HALF * up),
        Gemm(name=f"{prefix} down", k=width, n=h, cut=Cut.ROW, saved=width),
    )


def expert_operators(model: Transformer) -> tuple[Operator, ...]:
    """Return the routed and shared experts of one MoE layer, with router, permutation, norm and residual."""
    experts = model.experts
    assert experts is not None
    h, width, active = model.hidden, experts.ffn, experts.active
    inside = experts.latent or h  # width in which routed experts work
    up = 2 * width if model.gated else width
    narrowing = (
        ()
        if experts.latent is None
        else (Gemm(name="latent down", k=h, n=inside, saved=h), Gemm(name="latent up", k=inside, n=h, saved=inside))
    )
    shared = _two_matrices(model, experts.shared_width, "shared expert") if experts.shared_width else ()
    return (
        _norm(model, "ffn norm"),
        Gemm(name="router", k=h, n=experts.count, saved=h),
        *narrowing,
        Elementwise(
            name="permute",
            moved=PERMUTE_PASSES * active * inside,
            region=Region.SEQUENCE,
            kernels=EXPERT_LAUNCHES,
            backward_moved=1.0,
            saved_bytes=_HALF * active * inside,
        ),
        ExpertGemm(name="expert up", k=inside, n=up, experts=experts.count, active=active),
        Elementwise(
            name="expert activation",
            moved=float(active * (up + width)),
            region=Region.SEQUENCE,
            saved_bytes=_HALF * active * up,
        ),
        ExpertGemm(name="expert down", k=width, n=inside, experts=experts.count, active=active, saved=float(width)),
        Elementwise(
            name="unpermute",
            moved=PERMUTE_PASSES * active * inside,
            region=Region.SEQUENCE,
            kernels=EXPERT_LAUNCHES,
            backward_moved=1.0,
        ),
        *shared,
        _residual(model, "ffn residual"),
    )


def recurrence_operators(model: Transformer) -> tuple[Operator, ...]:
    """Return one Mamba-2 layer: in-projection, causal convolution, scan, gated norm, out-projection."""
    mamba = model.recurrence
    assert mamba is not None
    inner = mamba.inner
    mixed = inner + 2 * mamba.groups * mamba.state
    return (
        _norm(model, "recurrence norm"),
        Gemm(name="recurrence in", k=model.hidden, n=inner + mixed + mamba.heads, cut=Cut.COLUMN, saved=model.hidden),
        Elementwise(name="convolution", moved=2.0 * mixed, region=Region.TENSOR, saved_bytes=_HALF * mixed),
        Scan(name="scan", inner=inner, state=mamba.state),
        Elementwise(name="gated norm", moved=3.0 * inner, region=Region.TENSOR, saved_bytes=2 * _HALF * inner),
        Gemm(name="recurrence out", k=inner, n=model.hidden, cut=Cut.ROW, saved=inner),
        _residual(model, "recurrence residual"),
    )


def total_layers(model: Transformer) -> int:
    """Return the layers that a pipeline deals out: the encoder's and the decoder's."""
    return model.layers + model.encoder_layers


def blocks(model: Transformer) -> tuple[Block, ...]:
    """Return the half-layers of a model grouped into equal ones.

    A layer of a classic model is one attention and one feed-forward block; hybrids hold fewer of one kind. An
    encoder-decoder model's decoder layers have a second, cross attention.
    """
    h, causal = model.hidden, model.kind != "encoder"
    windowed = model.attending_layers - model.global_layers if model.sliding_window is not None else 0
    found = [
        Block(name="windowed attention", count=windowed, operators=attention_operators(model), width=h),
        Block(
            name="attention",
            count=model.attending_layers - windowed,
            width=h,
            operators=attention_operators(model, causal=causal, windowed=False),
        ),
        Block(
            name="feed-forward",
            count=model.dense_ffn_layers,
            width=h,
            operators=feed_forward_operators(model, model.ffn),
        ),
    ]
    if model.encoder_layers:
        bidirectional = attention_operators(model, causal=False, windowed=False)
        feed_forward = feed_forward_operators(model, model.ffn)
        found += [
            Block(name="encoder attention", count=model.encoder_layers, operators=bidirectional, width=h),
            Block(name="encoder feed-forward", count=model.encoder_layers, operators=feed_forward, width=h),
            Block(name="cross attention", count=model.layers, operators=bidirectional, width=h),
        ]
    if model.experts is not None:
        found.append(
            Block(
                name="experts",
                count=model.moe_layers,
                operators=expert_operators(model),
                width=h,
                tensor_collectives=1 if model.experts.shared_width else 0,
                routed=model.experts.active,
                routed_width=model.experts.latent or h,
            )
        )
    if model.recurrence is not None:
        found.append(
            Block(name="recurrence", count=model.recurrence.layers, operators=recurrence_operators(model), width=h)
        )
    return tuple(block for block in found if block.count)


def embedding_operators(model: Transformer) -> tuple[Operator, ...]:
    """Return what stands before the first layer: gathers, and dropout where the model has it."""
    if not model.vocab:
        return ()
    moved = (4.0 if model.learned_positions else 2.0) * model.hidden
    return (Elementwise(name="embedding", moved=moved, region=Region.SEQUENCE, kernels=2),)


def head_operators(model: Transformer) -> tuple[Operator, ...]:
    """Return what stands after the last layer: norm, vocabulary projection, and cross-entropy in fp32."""
    norm = (_norm(model, "final norm"),) if model.final_norm else ()
    if not model.vocab or not model.head:
        return norm
    columns = model.vocab_met or model.vocab
    return (
        *norm,
        Gemm(name="vocabulary", k=model.hidden, n=columns, cut=Cut.COLUMN, saved=model.hidden),
        Elementwise(
            name="cross entropy",
            moved=6.0 * columns,
            region=Region.TENSOR,
            kernels=8,
            saved_bytes=3 * _HALF * columns,
            backward_moved=0.5,
        ),
    )
