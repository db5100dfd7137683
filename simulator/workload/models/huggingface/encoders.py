"""Encoders and encoder-decoders."""

from __future__ import annotations

from simulator.workload.models.huggingface.config import Config, Shape, reads


def _post_norm(config: Config, *, layers: str, hidden: str, heads: str, ffn: str, **more: object) -> Shape:
    """Return the shape of the encoder of Devlin et al. 2018; its sizes stand under the keys named."""
    count, width = config.integer(heads), config.integer(hidden)
    shape: Shape = {
        "kind": "encoder",
        "layers": config.integer(layers),
        "hidden": width,
        "heads": count,
        "kv_heads": count,
        "head_dim": width // max(count, 1),
        "ffn": config.integer(ffn),
        "vocab": config.integer("vocab_size"),
        "max_seq": config.integer("max_position_embeddings"),
        "bias": True,
        "norm": "layer",
        "learned_positions": True,
        "embedding_norm": True,
        "final_norm": False,
        "head": False,
        "tied_embeddings": True,
    }
    return shape | more


def _bert_like(config: Config, **more: object) -> Shape:
    return _post_norm(
        config,
        layers="num_hidden_layers",
        hidden="hidden_size",
        heads="num_attention_heads",
        ffn="intermediate_size",
        token_types=config.maybe("type_vocab_size") or 0,
        **more,
    )


@reads("bert", "roberta", "xlm-roberta", "camembert")
def _bert(config: Config) -> Shape:
    return _bert_like(config, pooler=True)


@reads("electra")
def _electra(config: Config) -> Shape:
    narrow, hidden = config.integer("embedding_size"), config.integer("hidden_size")
    return _bert_like(config, embedding_width=None if narrow == hidden else narrow)


@reads("albert")
def _albert(config: Config) -> Shape:
    return _bert_like(config, pooler=True, embedding_width=config.integer("embedding_size"), shared_layers=True)


@reads("distilbert")
def _distilbert(config: Config) -> Shape:
    return _post_norm(config, layers="n_layers", hidden="dim", heads="n_heads", ffn="hidden_dim")


@reads("t5", "mt5", "umt5")
def _t5(config: Config) -> Shape:
    heads = config.integer("num_heads")
    gated = config.text("feed_forward_proj", "relu").startswith("gated")
    return {
        "kind": "encoder-decoder",
        "layers": config.maybe("num_decoder_layers") or config.integer("num_layers"),
        "encoder_layers": config.integer("num_layers"),
        "hidden": config.integer("d_model"),
        "heads": heads,
        "kv_heads": heads,
        "head_dim": config.integer("d_kv"),
        "ffn": config.integer("d_ff"),
        "vocab": config.integer("vocab_size"),
        "max_seq": config.maybe("n_positions") or 512,  # relative positions: no table; the training length
        "gated": gated,
        "tied_embeddings": config.flag("tie_word_embeddings", default=True),
        "relative_buckets": config.maybe("relative_attention_num_buckets") or 32,
    }


@reads("bart", "mbart")
def _bart(config: Config) -> Shape:
    heads, hidden = config.integer("decoder_attention_heads"), config.integer("d_model")
    positions = config.integer("max_position_embeddings")
    own_norms = config.text("model_type") == "mbart"  # pre-norm, with a norm after each stack
    return {
        "kind": "encoder-decoder",
        "layers": config.integer("decoder_layers"),
        "encoder_layers": config.integer("encoder_layers"),
        "hidden": hidden,
        "heads": heads,
        "kv_heads": heads,
        "head_dim": hidden // max(heads, 1),
        "ffn": config.integer("decoder_ffn_dim"),
        "vocab": config.integer("vocab_size"),
        "max_seq": positions,
        "bias": True,
        "norm": "layer",
        "learned_positions": True,
        "position_rows": 2 * (positions + 2),  # a table for each stack, two rows of each kept for padding
        "embedding_norm": True,
        "final_norm": own_norms,
        "tied_embeddings": True,
    }


@reads("whisper")
def _whisper(config: Config) -> Shape:
    heads, hidden = config.integer("decoder_attention_heads"), config.integer("d_model")
    layers, encoder_layers = config.integer("decoder_layers"), config.integer("encoder_layers")
    stem = 3 * hidden * (config.maybe("num_mel_bins") or 80) + 3 * hidden * hidden + 2 * hidden  # two convolutions of 3
    positions = (config.maybe("max_source_positions") or 1500) * hidden
    keys_without_bias = (encoder_layers + 2 * layers) * hidden
    return {
        "kind": "encoder-decoder",
        "layers": layers,
        "encoder_layers": encoder_layers,
        "hidden": hidden,
        "heads": heads,
        "kv_heads": heads,
        "head_dim": hidden // max(heads, 1),
        "ffn": config.integer("decoder_ffn_dim"),
        "vocab": config.integer("vocab_size"),
        "max_seq": config.integer("max_target_positions"),
        "bias": True,
        "norm": "layer",
        "learned_positions": True,
        "tied_embeddings": True,
        "extra_parameters": stem + positions - keys_without_bias,
    }
