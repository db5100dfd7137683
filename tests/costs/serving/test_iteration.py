"""Step times of inference: laws that hold whatever the constants, and capacities that add up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator.costs.serving.capacity import memory_of, token_bytes, weight_bytes
from simulator.costs.serving.forward import Runner, activation_bytes, forward_seconds
from simulator.costs.serving.iteration import Replica, context_seconds, dense_seconds, launches, pair_seconds
from simulator.costs.serving.layers import Layout
from simulator.costs.serving.numerics import Numerics, rate_of
from simulator.costs.serving.static_batch import decode_seconds, generation_seconds, prompt_seconds
from simulator.costs.serving.tiles import useful_share
from simulator.costs.serving.traits import engine_named, engines, kernels_of, meanings
from simulator.foundation.errors import Infeasible, UnknownName
from simulator.profiles.catalogue import load_catalogue
from simulator.topology.tiers import Tier
from simulator.workload.models.library import find_model, load_model


def replica(tp: int = 1, *, model: str = "llama-3.1-8b", device: str = "nvidia-h100-sxm5-80gb", weights: str = "bf16",
            pp: int = 1, engine: str = "vllm") -> Replica:  # fmt: skip
    card = load_catalogue().devices[device]
    rate = card.scaleup_bandwidth or 16e9
    tier = Tier(name=card.scaleup_link or "pcie4-x16", span=8, bandwidth=rate, port_bandwidth=rate, latency=0.0)
    return Replica.of(load_model(model), card, layout=Layout(tp=tp, pp=pp), numerics=Numerics.of(card, weights),  # type: ignore[arg-type]
                      engine=engine_named(engine), tiers=(tier,))  # fmt: skip


@pytest.mark.parametrize("name", engines())
def test_more_tokens_never_take_less_time(name: str) -> None:
    times = dense_seconds(replica(engine=name), np.array([1.0, 2, 8, 64, 65, 256, 1024, 8192]))
    assert (np.diff(times) > -1e-4 * times[:-1]).all()


def test_a_decode_iteration_takes_at_least_the_time_to_read_the_weights() -> None:
    r = replica()
    assert decode_seconds(r, 1, 10) > weight_bytes(r) * 0.8 / r.bandwidth


@pytest.mark.parametrize("device", ["apple-m2-pro", "nvidia-rtx-3090-24gb", "nvidia-h100-sxm5-80gb"])
def test_one_token_is_bound_by_its_weights_not_by_half_empty_tiles(device: str) -> None:
    r = replica(device=device, weights="q4", engine="llama.cpp")
    assert decode_seconds(r, 1, 10) < 2.5 * weight_bytes(r) / r.bandwidth


def test_products_of_fewer_bits_first_cast_what_they_read() -> None:
    wide, narrow = replica(engine="trtllm"), replica(engine="trtllm", weights="fp8")
    products = sum(product.count for product in wide.cut().products)
    assert launches(narrow) == launches(wide) + products


def test_routing_is_launched_in_fewer_kernels_than_the_steps_it_consists_of() -> None:
    work = replica(model="mixtral-8x7b", tp=2).cut()
    dense = replica().cut()
    assert work.launched < work.kernels
    assert dense.launched == dense.kernels


def test_a_prompt_takes_at_least_its_arithmetic_at_the_peak() -> None:
    r = replica()
    assert prompt_seconds(r, 1, 4096) > 2 * 7.5e9 * 4096 / r.numerics.weights.peak


def test_a_device_with_twice_of_everything_is_faster() -> None:
    r = replica()
    d = r.device
    assert d.memory_bandwidth is not None
    twice = replace(d, peak={k: 2 * v for k, v in d.peak.items()}, memory_bandwidth=2 * d.memory_bandwidth)
    numerics = Numerics.of(twice, "bf16")
    assert decode_seconds(replace(r, device=twice, numerics=numerics), 32, 1000) < decode_seconds(r, 32, 1000)


def test_fewer_bits_make_decoding_faster_and_leave_more_room() -> None:
    wide, narrow = replica(), replica(weights="fp8")
    assert decode_seconds(narrow, 4, 1000) < decode_seconds(wide, 4, 1000)
    assert memory_of(narrow).cache_tokens > memory_of(wide).cache_tokens


def test_tensor_parallel_shares_weights_and_cache_and_speeds_up_large_models() -> None:
    one, four = replica(2, model="llama-3.1-70b", weights="fp8"), replica(8, model="llama-3.1-70b", weights="fp8")
    assert weight_bytes(four) == pytest.approx(weight_bytes(one) / 4)
    assert token_bytes(four) == pytest.approx(token_bytes(one) / 4)
    assert one.engine == four.engine
    assert decode_seconds(four, 8, 2000) < 0.6 * decode_seconds(one, 8, 2000)


def test_key_value_heads_that_do_not_divide_are_repeated() -> None:
    model = load_model("llama-3.1-8b")
    eight, sixteen = replica(8), replica(16)
    assert model.kv_heads == 8  # type: ignore[union-attr]
    assert token_bytes(sixteen) == token_bytes(eight)


def test_a_sliding_window_caps_what_long_contexts_cost() -> None:
    r = replica(model="mistral-7b-v0.1")
    assert context_seconds(r, typical=20_000) * 20_000 == pytest.approx(context_seconds(r, typical=4096) * 4096)


def test_slots_of_one_length_are_read_whole_however_little_they_hold() -> None:
    r = replica(engine="jetstream", device="google-tpu-v5e")
    slot = r.engine.padded_context
    reads = [context * context_seconds(r, typical=context) for context in (100.0, 500.0, float(slot), 2.0 * slot)]
    assert reads[0] == pytest.approx(reads[1]) == pytest.approx(reads[2])
    assert reads[3] == pytest.approx(2 * reads[2])


def test_latent_attention_caches_far_less_than_heads_would() -> None:
    r = replica(8, model="deepseek-v3", weights="fp8", device="nvidia-h200-sxm5-141gb")
    assert token_bytes(r) == 61 * (512 + 64) * 2


def test_generation_is_prompts_and_then_one_iteration_a_token() -> None:
    r = replica()
    whole = generation_seconds(r, 4, 100, 50)
    assert whole == pytest.approx(prompt_seconds(r, 4, 100) + 49 * decode_seconds(r, 4, 125))


def test_attention_between_prompt_tokens_gets_relatively_cheaper_with_length() -> None:
    r = replica()
    assert pair_seconds(r, typical=8000) < pair_seconds(r, typical=200)


def test_what_does_not_fit_is_told_with_the_devices_that_would() -> None:
    with pytest.raises(Infeasible, match="does not fit") as told:
        memory_of(replica(model="llama-3.1-70b"))
    assert told.value.account["weights"] > 100e9
    assert "devices" in told.value.relaxation


def test_a_format_a_device_lacks_is_multiplied_in_the_next_wider_one() -> None:
    a100 = load_catalogue().devices["nvidia-a100-sxm4-80gb"]
    assert rate_of("fp8", a100).peak == a100.peak["bf16"]
    assert rate_of("fp8", a100).weight_bytes == 1.0
    with pytest.raises(UnknownName, match="Did you mean 'fp8'"):
        rate_of("fp9", a100)


def test_weights_narrower_than_any_unit_are_multiplied_in_the_faster_of_the_two_16_bit_formats() -> None:
    gaudi = load_catalogue().devices["intel-gaudi3-128gb"]  # its fp16 runs at a quarter of its bf16
    assert rate_of("int8", gaudi).peak == rate_of("int4-weights", gaudi).peak == gaudi.peak["bf16"]
    assert rate_of("fp16", gaudi).peak == gaudi.peak["fp16"]


def test_useful_shares_are_shares_and_whole_tiles_waste_nothing() -> None:
    m = np.array([1.0, 17, 64, 128, 1000, 4096])
    share = useful_share(m, np.full(6, 4096.0), 4096.0, np.ones(6), 132)
    assert ((share > 0) & (share <= 1)).all()
    assert useful_share(np.array([256.0]), np.array([128.0]), 64.0, np.ones(1), 1)[0] == 1.0


def test_an_image_network_scales_with_its_batch_and_every_constant_has_a_meaning() -> None:
    card = load_catalogue().devices["nvidia-t4-pcie-16gb"]
    rate = rate_of("int8", card)
    runner = Runner(device=card, kernels=kernels_of(card), engine=engine_named("tensorrt"), rate=rate,
                    activation_bytes=activation_bytes(rate))  # fmt: skip
    recipe = find_model("resnet50-v1.5").network
    assert recipe is not None
    one, many = (forward_seconds(recipe.build(), batch, runner, tokens=0) for batch in (1, 64))
    assert 4 * one < many < 64 * one
    assert {"compute16", "cache", "product"} <= set(meanings())
