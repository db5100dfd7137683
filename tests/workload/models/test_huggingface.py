"""Published configurations become shapes with the published number of parameters; broken ones are refused."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.foundation.errors import InputError
from simulator.workload.models.files import read_model
from simulator.workload.models.huggingface.config import ARCHITECTURES
from simulator.workload.models.huggingface.importing import import_config, model_text
from simulator.workload.models.parameters import count_parameters


def llama(model_type="llama", **more):
    return {"model_type": model_type, "num_hidden_layers": 32, "hidden_size": 4096, "num_attention_heads": 32,
            "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256,
            "max_position_embeddings": 8192, **more}  # fmt: skip


GPT2 = {"model_type": "gpt2", "n_layer": 12, "n_embd": 768, "n_head": 12, "n_positions": 1024, "vocab_size": 50257}
BERT = {"model_type": "bert", "num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12,
        "intermediate_size": 3072, "vocab_size": 30522,
        "max_position_embeddings": 512, "type_vocab_size": 2}  # fmt: skip
DEEPSEEK = llama("deepseek_v3", num_hidden_layers=61, hidden_size=7168, num_attention_heads=128,
                 num_key_value_heads=128, intermediate_size=18432, vocab_size=129280, max_position_embeddings=163840,
                 q_lora_rank=1536, kv_lora_rank=512, qk_nope_head_dim=128, qk_rope_head_dim=64, v_head_dim=128,
                 n_routed_experts=256, num_experts_per_tok=8, n_shared_experts=1, moe_intermediate_size=2048,
                 first_k_dense_replace=3, topk_method="noaux_tc")  # fmt: skip
T5 = {"model_type": "t5", "num_layers": 6, "d_model": 512, "num_heads": 8, "d_kv": 64, "d_ff": 2048,
      "vocab_size": 32128, "relative_attention_num_buckets": 32}  # fmt: skip
FALCON = {"model_type": "falcon", "num_hidden_layers": 32, "hidden_size": 4544, "num_attention_heads": 71,
          "vocab_size": 65024, "multi_query": True, "parallel_attn": True, "bias": False}  # fmt: skip
QWEN3_MOE = llama("qwen3_moe", num_hidden_layers=48, hidden_size=2048, num_key_value_heads=4, head_dim=128,
                  intermediate_size=6144, vocab_size=151936, max_position_embeddings=40960, num_experts=128,
                  num_experts_per_tok=8, moe_intermediate_size=768, decoder_sparse_step=1,
                  mlp_only_layers=[])  # fmt: skip
GEMMA2 = llama("gemma2", num_hidden_layers=42, hidden_size=3584, num_attention_heads=16, head_dim=256,
               vocab_size=256000, sliding_window=4096)  # fmt: skip
NEMOTRON_H = llama("nemotron_h", num_hidden_layers=52, hidden_size=2688, num_key_value_heads=2, head_dim=128,
                   intermediate_size=1856, vocab_size=131072, hybrid_override_pattern="ME" * 23 + "*" * 6,
                   mamba_num_heads=64, mamba_head_dim=64, ssm_state_size=128, n_groups=8, conv_kernel=4,
                   n_routed_experts=128, num_experts_per_tok=6, n_shared_experts=1, moe_intermediate_size=1856,
                   moe_shared_expert_intermediate_size=3712)  # fmt: skip

# configurations and counts of the published weights, both written from memory: each count checks its configuration
CONFIGS = [
    (llama(), 8_030_261_248),
    (llama("mistral", vocab_size=32000, sliding_window=4096), 7_241_732_096),
    (llama("mixtral", vocab_size=32000, num_local_experts=8, num_experts_per_tok=2), 46_702_792_704),
    (llama("qwen2", num_hidden_layers=28, hidden_size=3584, num_attention_heads=28, num_key_value_heads=4,
           intermediate_size=18944, vocab_size=152064, sliding_window=131072), 7_615_616_512),
    (llama("qwen3", num_hidden_layers=36, intermediate_size=12288, vocab_size=151936, head_dim=128), 8_190_735_360),
    (QWEN3_MOE, 30_532_122_624),
    (GEMMA2, 9_241_705_984),
    (llama("gemma", num_hidden_layers=18, hidden_size=2048, num_attention_heads=8, num_key_value_heads=1,
           head_dim=256, intermediate_size=16384, vocab_size=256000), 2_506_172_416),
    (llama("phi3", hidden_size=3072, num_key_value_heads=32, intermediate_size=8192, vocab_size=32064), 3_821_079_552),
    (llama("phi", hidden_size=2560, num_key_value_heads=32, intermediate_size=10240, vocab_size=51200), 2_779_683_840),
    (llama("olmo", num_key_value_heads=32, intermediate_size=11008, vocab_size=50304), 6_888_095_744),
    (llama("olmo2", num_key_value_heads=32, intermediate_size=11008, vocab_size=100352), 7_298_617_344),
    (llama("gpt_oss", num_hidden_layers=24, hidden_size=2880, num_attention_heads=64, head_dim=64,
           intermediate_size=2880, vocab_size=201088, num_local_experts=32, num_experts_per_tok=4,
           sliding_window=128), 20_914_757_184),
    (GPT2, 124_439_808),
    ({"model_type": "gpt_neox", "num_hidden_layers": 44, "hidden_size": 6144, "num_attention_heads": 64,
      "intermediate_size": 24576, "vocab_size": 50432, "max_position_embeddings": 2048}, 20_554_567_680),
    ({"model_type": "gptj", "n_layer": 28, "n_embd": 4096, "n_head": 16, "n_positions": 2048, "vocab_size": 50400},
     6_050_882_784),
    ({"model_type": "bloom", "n_layer": 30, "hidden_size": 4096, "n_head": 32, "vocab_size": 250880}, 7_069_016_064),
    ({"model_type": "opt", "num_hidden_layers": 32, "hidden_size": 4096, "num_attention_heads": 32, "ffn_dim": 16384,
      "vocab_size": 50272, "max_position_embeddings": 2048, "word_embed_proj_dim": 4096}, 6_658_473_984),
    ({"model_type": "opt", "num_hidden_layers": 24, "hidden_size": 1024, "num_attention_heads": 16, "ffn_dim": 4096,
      "vocab_size": 50272, "max_position_embeddings": 2048, "word_embed_proj_dim": 512,
      "do_layer_norm_before": False}, 331_196_416),
    ({"model_type": "gpt_neo", "num_layers": 12, "hidden_size": 768, "num_heads": 12, "vocab_size": 50257,
      "max_position_embeddings": 2048, "window_size": 256}, 125_198_592),
    ({"model_type": "codegen", "n_layer": 20, "n_embd": 1024, "n_head": 16, "n_positions": 2048, "vocab_size": 51200},
     356_712_448),
    ({"model_type": "dbrx", "n_layers": 40, "d_model": 6144, "n_heads": 48, "vocab_size": 100352,
      "max_seq_len": 32768, "attn_config": {"kv_n_heads": 8},
      "ffn_config": {"ffn_hidden_size": 10752, "moe_num_experts": 16, "moe_top_k": 4}}, 131_596_523_520),
    (FALCON, 6_921_720_704),
    (FALCON | {"num_hidden_layers": 60, "hidden_size": 8192, "num_attention_heads": 128, "num_kv_heads": 8,
               "new_decoder_architecture": True}, 41_303_293_952),
    ({"model_type": "mpt", "n_layers": 32, "d_model": 4096, "n_heads": 32, "vocab_size": 50432, "max_seq_len": 2048,
      "no_bias": True, "attn_config": {"alibi": True, "attn_type": "multihead_attention"}}, 6_649_286_656),
    (BERT, 109_482_240),
    (BERT | {"model_type": "roberta", "vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1},
     124_645_632),
    (BERT | {"model_type": "albert", "embedding_size": 128, "vocab_size": 30000}, 11_683_584),
    (BERT | {"model_type": "electra", "embedding_size": 768}, 108_891_648),
    ({"model_type": "distilbert", "n_layers": 6, "dim": 768, "n_heads": 12, "hidden_dim": 3072, "vocab_size": 30522,
      "max_position_embeddings": 512}, 66_362_880),
    (T5, 60_506_624),
    (T5 | {"num_layers": 24, "d_model": 4096, "num_heads": 64, "d_ff": 10240, "feed_forward_proj": "gated-gelu",
           "tie_word_embeddings": False}, 11_135_332_352),
    ({"model_type": "bart", "encoder_layers": 12, "decoder_layers": 12, "d_model": 1024,
      "decoder_attention_heads": 16, "decoder_ffn_dim": 4096, "vocab_size": 50265, "max_position_embeddings": 1024},
     406_291_456),
    ({"model_type": "whisper", "encoder_layers": 12, "decoder_layers": 12, "d_model": 768,
      "decoder_attention_heads": 12, "decoder_ffn_dim": 3072, "vocab_size": 51865, "max_target_positions": 448,
      "max_source_positions": 1500, "num_mel_bins": 80}, 241_734_912),
]  # fmt: skip


def written(folder, config):
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return path


@pytest.mark.parametrize(("config", "parameters"), CONFIGS, ids=lambda value: str(value)[:24] if isinstance(value, int)
                         else value["model_type"])  # fmt: skip
def test_an_imported_configuration_has_the_parameters_of_the_published_weights(tmp_path, config, parameters):
    imported = import_config(written(tmp_path, config), name="m")
    assert count_parameters(imported.model).total == parameters


@pytest.mark.parametrize(("config", "parameters"), CONFIGS, ids=lambda value: str(value)[:24] if isinstance(value, int)
                         else value["model_type"])  # fmt: skip
def test_an_imported_model_written_as_our_file_is_read_back_the_same(tmp_path, config, parameters):
    imported = import_config(written(tmp_path, config), name="m-1.5")
    file = tmp_path / "m.yaml"
    file.write_text(model_text(imported, source='config.json of m: a "quoted" one'))
    read = read_model(file)
    assert read.transformer == imported.model
    assert read.source == 'config.json of m: a "quoted" one'


def test_deepseek_v3_and_nemotron_are_the_mixtures_that_their_papers_describe(tmp_path):
    deepseek = count_parameters(import_config(written(tmp_path, DEEPSEEK), name="d").model)
    assert deepseek.total == pytest.approx(671e9, rel=0.001)
    assert deepseek.active == pytest.approx(37e9, rel=0.02)
    hybrid = import_config(written(tmp_path, NEMOTRON_H), name="n").model
    assert (hybrid.attending_layers, hybrid.moe_layers, hybrid.recurrence.layers) == (6, 23, 23)
    assert count_parameters(hybrid).total == pytest.approx(31.6e9, rel=0.005)


def test_two_thirds_of_the_layers_of_a_sparse_step_of_three_stay_dense(tmp_path):
    config = QWEN3_MOE | {"decoder_sparse_step": 3, "mlp_only_layers": [2]}
    model = import_config(written(tmp_path, config), name="m").model
    assert model.experts.dense_layers == 32 + 1
    assert model.ffn == 6144


def test_a_window_that_is_switched_off_is_no_window(tmp_path):
    for used, window in ((False, None), (True, 4096)):
        config = llama("qwen2", sliding_window=4096, use_sliding_window=used)
        assert import_config(written(tmp_path, config), name="m").model.sliding_window == window


def test_the_language_part_of_a_model_with_images_is_read_and_said_so(tmp_path):
    config = {
        "model_type": "gemma3",
        "vision_config": {"hidden_size": 1},
        "text_config": GEMMA2 | {"model_type": "gemma3_text"},
    }
    imported = import_config(written(tmp_path, config), name="m")
    assert imported.model.qk_norm
    assert imported.model.window_every == 6
    assert "towers are not counted" in imported.warnings[0]


def test_keys_that_a_configuration_leaves_at_their_default_are_known(tmp_path):
    text = {"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34,
            "sliding_window": 1024}  # fmt: skip
    imported = import_config(written(tmp_path, {"model_type": "gemma3", "text_config": text}), name="m")
    assert count_parameters(imported.model).total == 3_880_263_168
    assert imported.model.sliding_window == 1024


def test_glm_4_5_is_the_mixture_that_its_report_describes(tmp_path):
    # arXiv:2508.06471: 355 billion parameters, 32 billion active
    config = llama("glm4_moe", num_hidden_layers=92, hidden_size=5120, num_attention_heads=96, head_dim=128,
                   intermediate_size=12288, vocab_size=151552, max_position_embeddings=131072, attention_bias=True,
                   use_qk_norm=True, n_routed_experts=160, num_experts_per_tok=8, n_shared_experts=1,
                   moe_intermediate_size=1536, first_k_dense_replace=3)  # fmt: skip
    counts = count_parameters(import_config(written(tmp_path, config), name="m").model)
    assert counts.total == pytest.approx(355e9, rel=0.02)
    assert counts.active == pytest.approx(32e9, rel=0.06)


def test_the_name_comes_from_the_configuration_or_the_folder(tmp_path):
    assert (
        import_config(written(tmp_path, llama(_name_or_path="meta-llama/Meta Llama-3 8B/"))).model.name
        == "Meta-Llama-3-8B"
    )
    folder = tmp_path / "my model"
    folder.mkdir()
    assert import_config(written(folder, llama())).model.name == "my-model"


def test_the_index_beside_a_configuration_confirms_its_size(tmp_path):
    path = written(tmp_path, llama(torch_dtype="bfloat16"))
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 2 * 8_030_261_248}, "weight_map": {}}))
    right = import_config(path, name="m")
    assert right.counted_bytes == right.index_bytes == 2 * 8_030_261_248
    assert not right.warnings
    index.write_text(json.dumps({"metadata": {"total_size": 3 * 8_030_261_248}}))
    assert "-33.3%" in import_config(path, name="m").warnings[0]


def test_quantised_weights_are_named_and_not_held_against_the_index(tmp_path):
    config = llama(torch_dtype="float16", quantization_config={"quant_method": "awq", "bits": 4})
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": 5_700_000_000}}))
    imported = import_config(written(tmp_path, config), name="m")
    assert (imported.quantization, imported.weight_bits, imported.counted_bytes) == ("awq", 4, None)
    assert not imported.warnings
    assert "awq, 4 bits" in model_text(imported, source="x")


def test_an_unknown_architecture_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(InputError, match=r"architecture 'rwkv' is not known. Known: .*llama.*t5") as caught:
        import_config(written(tmp_path, llama("rwkv")))
    assert "config.json model_type" in str(caught.value)
    with pytest.raises(InputError, match=r"this key is needed\. Known"):
        import_config(written(tmp_path, {"hidden_size": 1}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": None}, "hidden_size: this key is needed"),
        ({"hidden_size": "4096"}, "hidden_size: found '4096'; a whole number"),
        ({"hidden_size": -1}, "hidden_size: found -1"),
        ({"hidden_size": True}, "hidden_size: found True"),
        ({"num_hidden_layers": 1.5}, "num_hidden_layers: found 1.5"),
        ({"num_attention_heads": 0}, "heads"),
        ({"num_key_value_heads": 7}, "multiple of kv_heads"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings: found 'yes'; true or false"),
        ({"quantization_config": 4}, "quantization_config: found 4; an object"),
        ({"vocab_size": 10**12}, "vocab_size: found"),
    ],
)
def test_a_key_of_the_wrong_kind_is_refused_with_its_place(tmp_path, change, message):
    with pytest.raises(InputError, match=message) as caught:
        import_config(written(tmp_path, llama() | change), name="m")
    assert "config.json" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "not JSON"), (b"[1]", "one JSON object"), (b'{"a": 1,}', r":1:9: not JSON"), (b"\xff\xfe", "not UTF-8"),
     (b"[" * 100_000, "nested too deep|not JSON")],
)  # fmt: skip
def test_a_file_that_is_no_configuration_is_refused(tmp_path, content, message):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        import_config(path)


def test_a_missing_file_or_a_directory_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        import_config(tmp_path / "none.json")
    with pytest.raises(InputError, match=r"name its config.json"):
        import_config(tmp_path)


LEAVES = st.none() | st.booleans() | st.integers(-5, 10**12) | st.floats(allow_nan=False) | st.text(max_size=5)
KEYS = st.text(max_size=5)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
                    max_leaves=4)  # fmt: skip


@settings(max_examples=150, derandomize=True, deadline=None)
@given(
    kind=st.sampled_from(sorted(ARCHITECTURES)),
    key=st.sampled_from(sorted({k for c, _ in CONFIGS for k in c})),
    value=JSON,
)
def test_no_value_of_any_key_breaks_the_reader(tmp_path_factory, kind, key, value):
    everything: dict[str, object] = {}
    for config, _ in CONFIGS:
        everything |= config
    everything |= NEMOTRON_H | DEEPSEEK | {"model_type": kind, key: value}
    path = written(tmp_path_factory.mktemp("c"), everything)
    with contextlib.suppress(InputError):
        assert count_parameters(import_config(path, name="m").model).total > 0
