"""Dense decoders: what each published architecture calls its widths, and where it differs from the plain layer."""

from __future__ import annotations

from simulator.workload.models.huggingface.config import Config, Shape, reads


def llama_like(config: Config, *, tied: bool = False) -> Shape:
    """Return the shape of a gated, RMS-normed decoder with rotary positions (Llama and its many kin)."""
    heads, hidden = config.integer("num_attention_heads"), config.integer("hidden_size")
    attention_bias = config.flag("attention_bias", default=False)
    return {
        "kind": "decoder",
        "layers": config.integer("num_hidden_layers"),
        "hidden": hidden,
        "heads": heads,
        "kv_heads": config.maybe("num_key_value_heads") or heads,
        "head_dim": config.maybe("head_dim") or hidden // max(heads, 1),
        "ffn": config.integer("intermediate_size"),
        "vocab": config.integer("vocab_size"),
        "max_seq": config.integer("max_position_embeddings"),
        "gated": True,
        "tied_embeddings": config.flag("tie_word_embeddings", default=tied),
        "qkv_bias": attention_bias,
        "out_bias": attention_bias,
        "ffn_bias": config.flag("mlp_bias", default=False),
    }


@reads("llama", "mistral", "ministral", "yi", "internlm2", "smollm3", "helium", "granite", "aquila")
def _llama(config: Config) -> Shape:
    return llama_like(config) | {"sliding_window": config.maybe("sliding_window")}


@reads("qwen2", "qwen2_5")
def _qwen2(config: Config) -> Shape:
    return llama_like(config) | {"qkv_bias": True, "out_bias": False, **qwen_window(config)}


@reads("qwen3")
def _qwen3(config: Config) -> Shape:
    return llama_like(config) | {"qk_norm": True, **qwen_window(config)}


def qwen_window(config: Config) -> Shape:
    """Return the sliding window of a Qwen configuration, which prints one even where it is not used."""
    return {
        "sliding_window": config.maybe("sliding_window") if config.flag("use_sliding_window", default=False) else None
    }


@reads("gemma")
def _gemma(config: Config) -> Shape:
    return llama_like(config, tied=True)


@reads("gemma2")
def _gemma2(config: Config) -> Shape:
    window = {"sliding_window": config.maybe("sliding_window"), "window_every": 2}
    return llama_like(config, tied=True) | {"block_norms": 4} | window


@reads("gemma3_text")
def _gemma3(printed: Config) -> Shape:
    config = printed.with_defaults(num_attention_heads=8, num_key_value_heads=4, head_dim=256, vocab_size=262208,
                                   max_position_embeddings=131072, sliding_window=4096)  # fmt: skip
    window = {
        "sliding_window": config.maybe("sliding_window"),
        "window_every": config.maybe("sliding_window_pattern") or 6,
    }
    return llama_like(config, tied=True) | {"block_norms": 4, "qk_norm": True} | window


@reads("seed_oss")
def _seed_oss(config: Config) -> Shape:
    return llama_like(config) | {"out_bias": config.flag("attention_out_bias", default=False)}


@reads("baichuan")
def _baichuan(config: Config) -> Shape:
    return llama_like(config.with_defaults(max_position_embeddings=config.maybe("model_max_length")))


@reads("phi3")
def _phi3(config: Config) -> Shape:
    return llama_like(config) | {"sliding_window": config.maybe("sliding_window")}


@reads("phi")
def _phi(config: Config) -> Shape:
    plain = {"gated": False, "norm": "layer", "bias": True, "parallel": True, "block_norms": 1, "head_bias": True}
    return llama_like(config) | plain


@reads("olmo")
def _olmo(config: Config) -> Shape:
    return llama_like(config) | {"norm": "plain"}


@reads("olmo2", "olmo3")
def _olmo2(config: Config) -> Shape:
    shape = llama_like(config)
    query_key_norms = (shape["heads"] + shape["kv_heads"]) * shape["head_dim"]  # over all heads at once
    return shape | {"extra_parameters": shape["layers"] * query_key_norms}


@reads("stablelm")
def _stablelm(config: Config) -> Shape:
    shape = llama_like(config) | {"norm": "layer", "qkv_bias": config.flag("use_qkv_bias", default=False)}
    if config.flag("use_parallel_residual", default=False):
        shape |= {"parallel": True, "block_norms": 1}
    return shape


@reads("starcoder2")
def _starcoder2(config: Config) -> Shape:
    bias = config.flag("use_bias", default=True)
    return llama_like(config, tied=True) | {"gated": False, "norm": "layer", "bias": bias,
                                            "sliding_window": config.maybe("sliding_window")}  # fmt: skip


@reads("cohere")
def _cohere(config: Config) -> Shape:
    return llama_like(config, tied=True) | {"parallel": True, "block_norms": 1}


@reads("nemotron")
def _nemotron(config: Config) -> Shape:
    return llama_like(config) | {"gated": False, "norm": "layer"}


@reads("glm", "chatglm")
def _glm(config: Config) -> Shape:
    if config.has("multi_query_group_num"):  # the older spelling of the same shape
        return _chatglm(config)
    return llama_like(config) | {"qkv_bias": True, "out_bias": False}


def _chatglm(config: Config) -> Shape:
    heads = config.integer("num_attention_heads")
    return {
        "kind": "decoder",
        "layers": config.integer("num_layers"),
        "hidden": config.integer("hidden_size"),
        "heads": heads,
        "kv_heads": config.integer("multi_query_group_num"),
        "head_dim": config.maybe("kv_channels") or config.integer("hidden_size") // max(heads, 1),
        "ffn": config.integer("ffn_hidden_size"),
        "vocab": config.integer("padded_vocab_size", "vocab_size"),
        "max_seq": config.integer("seq_length"),
        "gated": True,
        "qkv_bias": True,
    }


def _gpt_like(config: Config, **more: object) -> Shape:
    """Return the shape of an un-gated, layer-normed decoder with biases (GPT-2 and its kin)."""
    heads, hidden = config.integer("n_head", "num_attention_heads"), config.integer("n_embd", "hidden_size", "n_embed")
    shape: Shape = {
        "kind": "decoder",
        "layers": config.integer("n_layer", "num_hidden_layers"),
        "hidden": hidden,
        "heads": heads,
        "kv_heads": heads,
        "head_dim": hidden // max(heads, 1),
        "ffn": config.maybe("n_inner", "intermediate_size") or 4 * hidden,
        "vocab": config.integer("vocab_size"),
        "norm": "layer",
    }
    if "max_seq" not in more:
        shape["max_seq"] = config.integer("n_positions", "n_ctx", "max_position_embeddings")
    return shape | more


@reads("gpt2")
def _gpt2(config: Config) -> Shape:
    tied = config.flag("tie_word_embeddings", default=True)
    return _gpt_like(config, bias=True, learned_positions=True, tied_embeddings=tied)


@reads("gpt_bigcode")
def _gpt_bigcode(config: Config) -> Shape:
    shape = _gpt_like(config, bias=True, learned_positions=True, tied_embeddings=True)
    return shape | ({"kv_heads": 1} if config.flag("multi_query", default=True) else {})


@reads("gpt_neox")
def _gpt_neox(config: Config) -> Shape:
    parallel = config.flag("use_parallel_residual", default=True)
    tied = config.flag("tie_word_embeddings", default=False)
    return _gpt_like(config, bias=True, parallel=parallel, tied_embeddings=tied)


@reads("gptj", "codegen")
def _gptj(config: Config) -> Shape:
    return _gpt_like(config, ffn_bias=True, parallel=True, block_norms=1, head_bias=True)


@reads("gpt_neo")
def _gpt_neo(config: Config) -> Shape:
    heads, hidden = config.integer("num_heads"), config.integer("hidden_size")
    return {
        "kind": "decoder",
        "layers": config.integer("num_layers"),
        "hidden": hidden,
        "heads": heads,
        "kv_heads": heads,
        "head_dim": hidden // max(heads, 1),
        "ffn": config.maybe("intermediate_size") or 4 * hidden,
        "vocab": config.integer("vocab_size"),
        "max_seq": config.integer("max_position_embeddings"),
        "out_bias": True,
        "ffn_bias": True,
        "norm": "layer",
        "learned_positions": True,
        "tied_embeddings": True,
        "sliding_window": config.maybe("window_size") or 256,
        "window_every": 2,
    }


@reads("bloom")
def _bloom(config: Config) -> Shape:
    positions = config.maybe("seq_length") or 2048  # ALiBi: no table, any length; the training length if it is named
    return _gpt_like(config, bias=True, embedding_norm=True, tied_embeddings=True, max_seq=positions)


@reads("opt")
def _opt(config: Config) -> Shape:
    hidden = config.integer("hidden_size")
    narrow = config.maybe("word_embed_proj_dim")
    shape = _gpt_like(config, bias=config.flag("enable_bias", default=True), learned_positions=True,
                      tied_embeddings=config.flag("tie_word_embeddings", default=True), ffn=config.integer("ffn_dim"),
                      final_norm=config.flag("do_layer_norm_before", default=True))  # fmt: skip
    shape["position_rows"] = shape["max_seq"] + 2  # two rows are kept for padding
    if narrow not in (None, hidden):  # the tables are narrow, the position table is not; both projections lack a bias
        assert narrow is not None
        shape["embedding_parameters"] = shape["vocab"] * narrow + 2 * narrow * hidden
    return shape


@reads("falcon", "RefinedWeb", "RefinedWebModel")
def _falcon(config: Config) -> Shape:
    new = config.flag("new_decoder_architecture", default=False)
    heads = config.integer("num_attention_heads", "n_head")
    if new:
        kv_heads = config.maybe("num_kv_heads", "n_head_kv") or heads
    else:
        kv_heads = 1 if config.flag("multi_query", default=True) else heads
    parallel = new or config.flag("parallel_attn", default=True)
    norms = 2 if new or not parallel else 1
    return _gpt_like(config, kv_heads=kv_heads, parallel=parallel, block_norms=norms,
                     ffn=config.maybe("ffn_hidden_size") or 4 * config.integer("hidden_size"),
                     bias=config.flag("bias", default=False), tied_embeddings=True,
                     max_seq=config.maybe("max_position_embeddings") or 2048)  # fmt: skip


@reads("mpt")
def _mpt(config: Config) -> Shape:
    hidden, heads = config.integer("d_model"), config.integer("n_heads")
    attention = config.part("attn_config")
    groups = {"multiquery_attention": 1, "grouped_query_attention": attention.maybe("kv_n_heads")}
    plain = config.flag("no_bias", default=True)
    return {
        "kind": "decoder",
        "layers": config.integer("n_layers"),
        "hidden": hidden,
        "heads": heads,
        "kv_heads": groups.get(attention.text("attn_type"), heads) or heads,
        "head_dim": hidden // max(heads, 1),
        "ffn": (config.maybe("expansion_ratio") or 4) * hidden,
        "vocab": config.integer("vocab_size"),
        "max_seq": config.integer("max_seq_len"),
        "bias": not plain,
        "norm": "rms" if plain else "layer",  # without biases the layer norm has a scale only
        "tied_embeddings": True,
        "learned_positions": config.flag("learned_pos_emb", default=True)
        and not attention.flag("alibi", default=False),
    }
