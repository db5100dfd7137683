"""Exact parameter counts of a transformer, part by part, from its shape."""

from __future__ import annotations

from dataclasses import dataclass, fields

from simulator.workload.models.transformer import Transformer


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Learned numbers by part; ``total`` is their sum.

    ``router`` holds gates and latent projections of MoE layers, ``shared_experts`` what every token visits there.
    ``other`` is what is no layer: stems, poolers, adapters.
    """

    embedding: int
    positions: int
    attention: int
    ffn: int
    experts: int
    shared_experts: int
    router: int
    recurrence: int
    norms: int
    head: int
    other: int
    idle_experts: int  # routed expert parameters that one token does not visit; part of ``experts``

    def parts(self) -> list[tuple[str, int]]:
        """Return the parts that are not empty, in the order of the fields; they add up to ``total``."""
        named = [(field.name, int(getattr(self, field.name))) for field in fields(self) if field.name != "idle_experts"]
        return [(name, count) for name, count in named if count]

    @property
    def total(self) -> int:
        """All parameters."""
        return sum(count for _, count in self.parts())

    @property
    def active(self) -> int:
        """Parameters on the path of one token: the total without the experts that it does not visit."""
        return self.total - self.idle_experts

    @property
    def without_embeddings(self) -> int:
        """The total without token and position embeddings; an untied head stays."""
        return self.total - self.embedding - self.positions


def count_parameters(model: Transformer) -> Parameters:
    """Count the parameters of a transformer by part.

    Leaves out buffers that are not learned (rotary tables, masks), and multi-token-prediction layers.

    >>> from simulator.workload.models.transformer import Transformer
    >>> gpt2 = Transformer(name="gpt2-xl", kind="decoder", layers=48, hidden=1600, heads=25, kv_heads=25, head_dim=64,
    ...                    ffn=6400, vocab=50257, max_seq=1024, tied_embeddings=True, learned_positions=True, bias=True,
    ...                    norm="layer")
    >>> count_parameters(gpt2).total
    1557611200
    """
    weight_sets = 1 if model.shared_layers else None
    attending = weight_sets or model.attending_layers
    dense = weight_sets or model.dense_ffn_layers
    experts, idle = _routed(model)
    return Parameters(
        embedding=embedding_parameters(model),
        positions=_positions(model),
        attention=_all_attention(model, attending),
        ffn=(dense + model.encoder_layers) * dense_ffn_parameters(model),
        experts=experts,
        shared_experts=model.moe_layers * shared_expert_parameters(model),
        router=model.moe_layers * router_parameters(model),
        recurrence=0 if model.recurrence is None else model.recurrence.layers * recurrence_parameters(model),
        norms=_norms(model, weight_sets),
        head=head_parameters(model),
        other=model.extra_parameters + _pooler(model),
        idle_experts=idle,
    )


def weight_tensors(model: Transformer) -> int:
    """Return how many tensors the learned numbers of a transformer lie in, routed experts of a layer as one each way.

    BERT-base: 16 in each of 12 layers (queries, keys, values and output, two matrices, two norms, each with a bias),
    and 5 of the embedding.

    >>> from simulator.workload.models.transformer import Transformer
    >>> bert = Transformer(name="bert", kind="encoder", layers=12, hidden=768, heads=12, kv_heads=12, head_dim=64,
    ...                    ffn=3072, vocab=30522, max_seq=512, tied_embeddings=True, learned_positions=True, bias=True,
    ...                    norm="layer", token_types=2, embedding_norm=True, final_norm=False, head=False)
    >>> weight_tensors(bert)
    197
    """
    matrices = 4 + (3 if model.gated else 2)
    each = (2 if model.bias else 1) * matrices + (2 if model.norm == "layer" else 1) * 2
    embeddings = 1 + model.learned_positions + (model.token_types > 0) + 2 * model.embedding_norm
    sides = model.layers + model.encoder_layers
    crossing = model.layers if model.encoder_layers else 0
    return each * sides + each // 2 * crossing + embeddings


def attention_parameters(model: Transformer, *, whole_sequence: bool = False) -> int:
    """Return the parameters of one self- (or cross-) attention, its inner norms and sinks included.

    Args:
        whole_sequence: count a layer without the sliding window, whose heads may differ.
    """
    if model.latent is not None:
        return _latent_attention(model)
    kv_heads, head_dim = model.kv_heads, model.head_dim
    if whole_sequence:
        kv_heads = model.global_kv_heads or kv_heads
        head_dim = model.global_head_dim or head_dim
    queries, keys = model.heads * head_dim, kv_heads * head_dim
    count = model.hidden * (queries + 2 * keys) + queries * model.hidden
    count += (queries + 2 * keys) * (model.bias or model.qkv_bias) + model.hidden * (model.bias or model.out_bias)
    count += 2 * head_dim * model.qk_norm + model.heads * model.sinks
    if model.relative_projection:  # of the distances, and two bias vectors over the heads
        count += model.hidden * queries + 2 * queries
    return count


def _latent_attention(model: Transformer) -> int:
    latent = model.latent
    assert latent is not None
    query_width = model.heads * (latent.qk_nope_head_dim + latent.qk_rope_head_dim)
    if latent.q_lora_rank is None:
        queries = model.hidden * query_width
    else:
        queries = latent.q_lora_rank * (model.hidden + query_width) + latent.q_lora_rank  # with the norm between
    keys_values = model.hidden * (latent.kv_lora_rank + latent.qk_rope_head_dim) + latent.kv_lora_rank
    keys_values += latent.kv_lora_rank * model.heads * (latent.qk_nope_head_dim + latent.v_head_dim)
    return queries + keys_values + model.heads * latent.v_head_dim * model.hidden


def _all_attention(model: Transformer, attending: int) -> int:
    differing = min(model.global_layers, attending) if model.global_kv_heads or model.global_head_dim else 0
    count = (attending - differing) * attention_parameters(model)
    count += differing * attention_parameters(model, whole_sequence=True)
    if model.kind == "encoder-decoder":  # the encoder's own, and the cross-attention of each decoder layer
        count += (model.encoder_layers + model.layers) * attention_parameters(model)
        count += model.relative_buckets * model.heads
    return count + model.relative_buckets * model.heads


def dense_ffn_parameters(model: Transformer) -> int:
    """Return the parameters of one dense feed-forward network."""
    return _feed_forward(model.hidden, model.ffn, gated=model.gated, bias=model.bias or model.ffn_bias)


def _feed_forward(hidden: int, ffn: int, *, gated: bool, bias: bool) -> int:
    inward = 2 if gated else 1
    return (inward + 1) * hidden * ffn + (inward * ffn + hidden) * bias


def expert_parameters(model: Transformer) -> int:
    """Return the parameters of one routed expert; 0 for a dense model."""
    if model.experts is None:
        return 0
    width = model.experts.latent or model.hidden
    return _feed_forward(width, model.experts.ffn, gated=model.gated, bias=model.experts.bias)


def shared_expert_parameters(model: Transformer) -> int:
    """Return the parameters of the shared experts of one MoE layer."""
    if model.experts is None:
        return 0
    return _feed_forward(model.hidden, model.experts.shared_width, gated=model.gated, bias=False)


def router_parameters(model: Transformer) -> int:
    """Return the parameters of the gates of one MoE layer, and of its projections into and out of a latent."""
    experts = model.experts
    if experts is None:
        return 0
    gate = experts.count * (model.hidden + experts.router_bias) + model.hidden * experts.shared_gate
    return gate + 2 * model.hidden * (experts.latent or 0)


def _routed(model: Transformer) -> tuple[int, int]:
    if model.experts is None:
        return 0, 0
    each = model.moe_layers * expert_parameters(model)
    return model.experts.count * each, (model.experts.count - model.experts.active) * each


def recurrence_parameters(model: Transformer) -> int:
    """Return the parameters of one Mamba-2 layer: projections, convolution, decay, skip and step, and gated norm.

    Source: Dao & Gu 2024, arXiv:2405.21060 (the layer of section 7).
    """
    layer = model.recurrence
    if layer is None:
        return 0
    convolved = layer.inner + 2 * layer.groups * layer.state
    projection_in = model.hidden * (layer.inner + convolved + layer.heads)
    return projection_in + (layer.conv + 1) * convolved + 3 * layer.heads + layer.inner + layer.inner * model.hidden


def norm_parameters(model: Transformer) -> int:
    """Return the parameters of one norm over the hidden width."""
    return model.hidden * {"rms": 1, "layer": 2, "plain": 0}[model.norm]


def _norms(model: Transformer, weight_sets: int | None) -> int:
    halves = weight_sets or (model.attending_layers + model.feed_forward_layers) / 2
    count = round(halves * model.block_norms)
    count += 0 if model.recurrence is None else model.recurrence.layers
    stacks = 1
    if model.kind == "encoder-decoder":
        count += model.encoder_layers * model.block_norms + model.layers * model.block_norms // 2
        stacks = 2
    count += stacks * (model.final_norm + (model.embedding_norm and model.embedding_width is None))
    factorised = _norm_scale(model) * (model.embedding_width or 0) if model.embedding_norm else 0
    return count * norm_parameters(model) + factorised


def _norm_scale(model: Transformer) -> int:
    return norm_parameters(model) // model.hidden


def embedding_parameters(model: Transformer) -> int:
    """Return the parameters of the token and segment embeddings, and of a factorised embedding's projection."""
    width = model.embedding_width or model.hidden
    tokens = model.vocab * width if model.embedding_parameters is None else model.embedding_parameters
    projection = 0 if model.embedding_width is None else width * model.hidden + model.hidden * model.bias
    return tokens + model.token_types * width + projection


def _positions(model: Transformer) -> int:
    if not model.learned_positions:
        return 0
    rows = model.max_seq if model.position_rows is None else model.position_rows
    return rows * (model.embedding_width or model.hidden)


def head_parameters(model: Transformer) -> int:
    """Return the parameters of the projection to the vocabulary that are not the embedding's."""
    if not model.head:
        return 0
    return model.vocab * model.hidden * (not model.tied_embeddings) + model.vocab * model.head_bias


def _pooler(model: Transformer) -> int:
    return model.pooler * (model.hidden * model.hidden + model.hidden)
