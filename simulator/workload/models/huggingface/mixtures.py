"""Mixtures of experts, latent attention and hybrids."""

from __future__ import annotations

from collections import Counter

from simulator.workload.models.huggingface.config import Config, Shape, reads
from simulator.workload.models.huggingface.decoders import llama_like, qwen_window
from simulator.workload.models.transformer import Experts, LatentAttention, Recurrence


@reads("mixtral", "phimoe")
def _mixtral(config: Config) -> Shape:
    shape = llama_like(config)
    experts = Experts(count=config.integer("num_local_experts"), active=config.integer("num_experts_per_tok"),
                      ffn=shape["ffn"])  # fmt: skip
    return shape | {"ffn": 0, "experts": experts, "sliding_window": config.maybe("sliding_window")}


@reads("dbrx")
def _dbrx(config: Config) -> Shape:
    heads, hidden = config.integer("n_heads"), config.integer("d_model")
    network = config.part("ffn_config")
    experts = Experts(count=network.integer("moe_num_experts"), active=network.integer("moe_top_k"),
                      ffn=network.integer("ffn_hidden_size"))  # fmt: skip
    return {
        "kind": "decoder",
        "layers": config.integer("n_layers"),
        "hidden": hidden,
        "heads": heads,
        "kv_heads": config.part("attn_config").maybe("kv_n_heads") or heads,
        "head_dim": hidden // max(heads, 1),
        "ffn": 0,
        "vocab": config.integer("vocab_size"),
        "max_seq": config.integer("max_seq_len"),
        "gated": True,
        "experts": experts,
    }


@reads("qwen2_moe")
def _qwen2_moe(config: Config) -> Shape:
    shared = config.maybe("shared_expert_intermediate_size")
    experts = _qwen_experts(config, shared=1 if shared else 0, shared_ffn=shared or None, shared_gate=bool(shared))
    return _with_experts(config, llama_like(config) | {"qkv_bias": True, "out_bias": False}, experts)


@reads("qwen3_moe")
def _qwen3_moe(config: Config) -> Shape:
    return _with_experts(config, llama_like(config) | {"qk_norm": True}, _qwen_experts(config))


@reads("olmoe")
def _olmoe(config: Config) -> Shape:
    shape = llama_like(config)
    query_key_norms = (shape["heads"] + shape["kv_heads"]) * shape["head_dim"]
    experts = Experts(count=config.integer("num_experts"), active=config.integer("num_experts_per_tok"),
                      ffn=shape["ffn"])  # fmt: skip
    return shape | {"ffn": 0, "experts": experts, "extra_parameters": shape["layers"] * query_key_norms}


def _qwen_experts(
    config: Config, *, shared: int = 0, shared_ffn: int | None = None, shared_gate: bool = False
) -> Experts:
    every = config.maybe("decoder_sparse_step") or 1
    layers = config.integer("num_hidden_layers")
    kept = {index for index in config.items("mlp_only_layers") if isinstance(index, int)}
    dense = sum(1 for layer in range(layers) if layer in kept or (layer + 1) % every)
    return Experts(count=config.integer("num_experts"), active=config.integer("num_experts_per_tok"),
                   ffn=config.integer("moe_intermediate_size"), dense_layers=dense, shared=shared,
                   shared_ffn=shared_ffn, shared_gate=shared_gate)  # fmt: skip


def _with_experts(config: Config, shape: Shape, experts: Experts) -> Shape:
    dense_width = shape["ffn"] if experts.dense_layers else 0
    return shape | {"experts": experts, "ffn": dense_width, **qwen_window(config)}


@reads("gpt_oss")
def _gpt_oss(config: Config) -> Shape:
    shape = llama_like(config)
    experts = Experts(count=config.integer("num_local_experts"), active=config.integer("num_experts_per_tok"),
                      ffn=shape["ffn"], router_bias=True, bias=True)  # fmt: skip
    return shape | {"ffn": 0, "experts": experts, "qkv_bias": True, "out_bias": True, "sinks": True,
                    "sliding_window": config.maybe("sliding_window"), "window_every": 2}  # fmt: skip


@reads("llama4_text")
def _llama4(config: Config) -> Shape:
    every = config.maybe("interleave_moe_layer_step") or 1
    shape = llama_like(config)
    experts = Experts(count=config.integer("num_local_experts"), active=config.integer("num_experts_per_tok"),
                      ffn=shape["ffn"], shared=1, dense_layers=shape["layers"] - shape["layers"] // every)  # fmt: skip
    dense_width = config.integer("intermediate_size_mlp") if experts.dense_layers else 0
    chunked = {"sliding_window": config.maybe("attention_chunk_size"), "window_every": 4}
    return shape | {"experts": experts, "ffn": dense_width} | chunked


@reads("glm4_moe")
def _glm4_moe(config: Config) -> Shape:
    shape = llama_like(config) | {"out_bias": False, "qk_norm": config.flag("use_qk_norm", default=False)}
    experts = Experts(count=config.integer("n_routed_experts"), active=config.integer("num_experts_per_tok"),
                      ffn=config.integer("moe_intermediate_size"), shared=config.maybe("n_shared_experts") or 0,
                      dense_layers=config.maybe("first_k_dense_replace") or 0, router_bias=True)  # fmt: skip
    return shape | {"experts": experts, "ffn": shape["ffn"] if experts.dense_layers else 0}


@reads("deepseek_v2", "deepseek_v3", "kimi_k2", "deepseek_v32")
def _deepseek(config: Config) -> Shape:
    shape = llama_like(config)
    latent = LatentAttention(
        q_lora_rank=config.maybe("q_lora_rank"),
        kv_lora_rank=config.integer("kv_lora_rank"),
        qk_nope_head_dim=config.integer("qk_nope_head_dim"),
        qk_rope_head_dim=config.integer("qk_rope_head_dim"),
        v_head_dim=config.integer("v_head_dim"),
    )
    width = latent.qk_nope_head_dim + latent.qk_rope_head_dim
    shape |= {"latent": latent, "head_dim": width, "kv_heads": shape["heads"]}
    if not config.has("n_routed_experts"):
        return shape
    experts = Experts(
        count=config.integer("n_routed_experts"),
        active=config.integer("num_experts_per_tok"),
        ffn=config.integer("moe_intermediate_size"),
        shared=config.maybe("n_shared_experts") or 0,
        dense_layers=config.maybe("first_k_dense_replace") or 0,
        router_bias=config.text("topk_method") == "noaux_tc" or config.text("model_type") != "deepseek_v2",
    )
    return shape | {"experts": experts, "ffn": shape["ffn"] if experts.dense_layers else 0}


@reads("nemotron_h")
def _nemotron_h(config: Config) -> Shape:
    pattern = Counter(config.text("hybrid_override_pattern"))  # M: Mamba-2, *: attention, -: FFN, E: experts
    if not pattern:
        raise config.error("hybrid_override_pattern", "this key is needed to know which block is what.")
    recurrence = Recurrence(
        layers=pattern["M"],
        heads=config.integer("mamba_num_heads"),
        head_dim=config.integer("mamba_head_dim"),
        state=config.integer("ssm_state_size"),
        groups=config.maybe("n_groups") or 1,
        conv=config.maybe("conv_kernel") or 4,
    )
    shape = llama_like(config) | {"gated": False, "recurrence": recurrence, "attention_layers": pattern["*"],
                                  "ffn_layers": pattern["-"] + pattern["E"]}  # fmt: skip
    if not pattern["E"]:
        return shape
    experts = Experts(
        count=config.integer("n_routed_experts"),
        active=config.integer("num_experts_per_tok"),
        ffn=config.integer("moe_intermediate_size"),
        shared=config.maybe("n_shared_experts") or 0,
        shared_ffn=config.maybe("moe_shared_expert_intermediate_size"),
        latent=config.maybe("moe_latent_size"),
        dense_layers=pattern["-"],
        router_bias=True,
    )
    return shape | {"experts": experts, "ffn": shape["ffn"] if pattern["-"] else 0}
