"""Parameter counts held against those that are known of the published weights."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.workload.models.library import shipped_models
from simulator.workload.models.parameters import (
    attention_parameters,
    count_parameters,
    dense_ffn_parameters,
    expert_parameters,
    recurrence_parameters,
)
from simulator.workload.models.transformer import Experts, Recurrence, Transformer

# Numbers of learned parameters of the published weights, recalled and not read again for this table. What makes them
# evidence is that a count from the shape alone meets every digit.
PUBLISHED = {
    "llama-7b": 6_738_415_616,
    "llama-2-13b": 13_015_864_320,
    "llama-2-70b": 68_976_648_192,
    "llama-3-8b": 8_030_261_248,
    "llama-3-70b": 70_553_706_496,
    "llama-3.1-405b": 405_853_388_800,
    "llama-3.2-1b": 1_235_814_400,
    "llama-3.2-3b": 3_212_749_824,
    "tinyllama-1.1b": 1_100_048_384,
    "mistral-7b-v0.1": 7_241_732_096,
    "mixtral-8x7b": 46_702_792_704,
    "yi-34b": 34_388_917_248,
    "qwen2-0.5b": 494_032_768,
    "qwen2-1.5b": 1_543_714_304,
    "qwen2-7b": 7_615_616_512,
    "qwen2-72b": 72_706_203_648,
    "qwen2.5-32b": 32_763_876_352,
    "qwen3-8b": 8_190_735_360,
    "qwen3-30b-a3b": 30_532_122_624,
    "qwen3-235b-a22b": 235_093_634_560,
    "gemma-2b": 2_506_172_416,
    "gemma-7b": 8_537_680_896,
    "gemma-2-2b": 2_614_341_888,
    "gemma-2-9b": 9_241_705_984,
    "gemma-2-27b": 27_227_128_320,
    "gpt2-124m": 124_439_808,
    "gpt2-xl": 1_557_611_200,
    "gpt-j-6b": 6_050_882_784,
    "gpt-neox-20b": 20_554_567_680,
    "opt-6.7b": 6_658_473_984,
    "bloom-176b": 176_247_271_424,
    "bloom-7b1": 7_069_016_064,
    "falcon-7b": 6_921_720_704,
    "falcon-40b": 41_303_293_952,
    "phi-1.5": 1_418_270_720,
    "phi-2": 2_779_683_840,
    "phi-3-mini-4k": 3_821_079_552,
    "bert-base": 109_482_240,
    "bert-large": 335_141_888,
    "roberta-base": 124_645_632,
    "roberta-large": 355_359_744,
    "distilbert-base": 66_362_880,
    "electra-base": 108_891_648,
    "albert-large-v2": 17_683_968,
    "albert-xxlarge-v1": 222_595_584,
    "t5-small": 60_506_624,
    "t5-base": 222_903_552,
    "t5-3b": 2_851_598_336,
    "t5-v1.1-xxl": 11_135_332_352,
    "bart-large": 406_291_456,
    "whisper-small": 241_734_912,
    "whisper-large-v3": 1_543_490_560,
    "gpt-oss-20b": 20_914_757_184,
    "gpt-oss-120b": 116_829_156_672,
    "vit-b16-224": 86_567_656,
    "wav2vec2-base": 94_371_712,
    "clip-vit-base": 151_277_313,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_count_is_the_published_one_to_the_last_digit(name):
    model = shipped_models()[name].transformer
    assert model is not None
    assert count_parameters(model).total == PUBLISHED[name]


@pytest.mark.parametrize(
    ("name", "total", "active"),
    [
        ("deepseek-v3", 671e9, 37e9),  # arXiv 2412.19437
        ("kimi-k2", 1.04e12, 32e9),  # arXiv 2507.20534: 1.04T and 32.6B with embeddings rounded
        ("mixtral-8x7b", 46.7e9, 12.9e9),  # arXiv 2401.04088 and its announcement
        ("mixtral-8x22b", 141e9, 39e9),
        ("qwen3-30b-a3b", 30.5e9, 3.3e9),  # arXiv 2505.09388
        ("qwen3-235b-a22b", 235e9, 22e9),
        ("llama-4-maverick", 400e9, 17e9),
    ],
)
def test_total_and_active_parameters_of_mixtures_round_to_the_printed_ones(name, total, active):
    counts = count_parameters(shipped_models()[name].transformer)
    assert counts.total == pytest.approx(total, rel=0.015)
    assert counts.active == pytest.approx(active, rel=0.03)


def test_gpt_oss_and_nemotron_print_active_parameters_without_the_input_embedding():
    for name, active in (("gpt-oss-120b", 5.13e9), ("gpt-oss-20b", 3.61e9), ("nemotron-3-nano", 3.2e9)):
        counts = count_parameters(shipped_models()[name].transformer)
        assert counts.active - counts.embedding == pytest.approx(active, rel=0.015)


def test_a_hybrid_counts_recurrent_attending_and_expert_blocks_apart():
    model = shipped_models()["nemotron-3-nano"].transformer
    counts = count_parameters(model)
    assert counts.recurrence == 23 * recurrence_parameters(model)
    assert counts.attention == 6 * attention_parameters(model)
    assert counts.experts == 23 * 128 * expert_parameters(model)
    assert counts.norms == (52 + 1) * model.hidden
    assert counts.total == pytest.approx(31.6e9, rel=0.005)


def test_gpt_3_has_175_billion_parameters_by_the_formula_of_its_layers():
    model = shipped_models()["gpt3-175b"].transformer
    layers, hidden = model.layers, model.hidden
    closed_form = 12 * layers * hidden**2 + 13 * layers * hidden + (model.vocab + model.max_seq) * hidden + 2 * hidden
    assert count_parameters(model).total == closed_form


def plain(**changes) -> Transformer:
    shape = {"name": "m", "kind": "decoder", "layers": 4, "hidden": 64, "heads": 8, "kv_heads": 8, "head_dim": 8,
             "ffn": 128, "vocab": 1000, "max_seq": 128}  # fmt: skip
    return Transformer(**{**shape, **changes})


def test_tying_the_embeddings_saves_exactly_the_head():
    assert count_parameters(plain()).total - count_parameters(plain(tied_embeddings=True)).total == 1000 * 64


def test_grouped_queries_save_keys_and_values_only():
    full, grouped = attention_parameters(plain()), attention_parameters(plain(kv_heads=2))
    assert full - grouped == 2 * 64 * (8 - 2) * 8


def test_a_sliding_window_changes_no_parameter():
    assert count_parameters(plain()) == count_parameters(plain(sliding_window=16, window_every=2))


def test_an_encoder_decoder_holds_a_cross_attention_and_a_norm_more_per_decoder_layer():
    both = count_parameters(plain(kind="encoder-decoder", encoder_layers=4))
    one = count_parameters(plain())
    assert both.attention == 3 * one.attention
    assert both.norms == 2 * one.norms + 4 * 64
    assert both.ffn == 2 * one.ffn


def test_one_expert_that_every_token_visits_is_a_dense_network_with_a_router():
    dense = count_parameters(plain(gated=True))
    mixture = count_parameters(plain(gated=True, ffn=0, experts=Experts(count=1, active=1, ffn=128)))
    assert mixture.experts == dense.ffn
    assert mixture.active == mixture.total == dense.total + 4 * 64


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    layers=st.integers(1, 12),
    heads=st.sampled_from([1, 2, 4, 8]),
    groups=st.sampled_from([1, 2, 4]),
    head_dim=st.integers(1, 32),
    ffn=st.integers(1, 256),
    gated=st.booleans(),
    bias=st.booleans(),
    count=st.integers(1, 16),
    data=st.data(),
)
def test_the_parts_add_up_and_no_token_visits_more_than_there_is(
    layers, heads, groups, head_dim, ffn, gated, bias, count, data
):
    active, dense = data.draw(st.integers(1, count)), data.draw(st.integers(0, layers))
    experts = Experts(count=count, active=active, ffn=ffn, shared=1, dense_layers=dense)
    model = plain(layers=layers, heads=heads * groups, kv_heads=heads, head_dim=head_dim, ffn=ffn, gated=gated,
                  bias=bias, experts=experts)  # fmt: skip
    counts = count_parameters(model)
    assert sum(number for _, number in counts.parts()) == counts.total
    assert 0 < counts.active <= counts.total
    assert counts.total - counts.active == (layers - dense) * (count - active) * expert_parameters(model)
    longer = count_parameters(dataclasses.replace(model, layers=layers + 1))
    assert longer.total > counts.total
    assert counts.ffn == dense * dense_ffn_parameters(model)


def test_a_recurrence_grows_linearly_with_its_layers():
    mamba = Recurrence(layers=2, heads=4, head_dim=16, state=16)
    two = count_parameters(plain(attention_layers=1, ffn_layers=1, recurrence=mamba))
    four = count_parameters(plain(attention_layers=1, ffn_layers=1, recurrence=dataclasses.replace(mamba, layers=4)))
    assert four.recurrence == 2 * two.recurrence
