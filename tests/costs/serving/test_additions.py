"""Laws of guessed tokens, adapters, and weights in host memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.costs.serving.additions import Adapters, Speculation
from simulator.costs.serving.capacity import memory_of, weight_bytes
from simulator.costs.serving.iteration import Replica, context_seconds, dense_seconds
from simulator.costs.serving.layers import Layout
from simulator.costs.serving.numerics import Numerics
from simulator.costs.serving.speculative import token_context_seconds, token_dense_seconds
from simulator.costs.serving.traits import engine_named
from simulator.engine.serving.fleet.from_replica import step_times
from simulator.foundation.errors import InputError
from simulator.profiles.catalogue import load_catalogue
from simulator.workload.models.library import load_model
from simulator.workload.models.transformer import Transformer

DEVICE = load_catalogue().devices["nvidia-h100-sxm5-80gb"]
ONE = np.array([1.0, 8.0, 64.0, 256.0])


def model_named(name: str) -> Transformer:
    model = load_model(name)
    assert isinstance(model, Transformer)
    return model


DRAFT = model_named("llama-3.2-1b")
PLAIN = Replica.of(model_named("llama-3.1-8b"), DEVICE, layout=Layout(), numerics=Numerics.of(DEVICE, "bf16"),
                   engine=engine_named("vllm"))  # fmt: skip

chances = st.floats(0.0, 1.0)
guesses = st.integers(1, 8)
drafts = st.sampled_from([None, DRAFT])


def guessing(speculation: Speculation) -> Replica:
    return replace(PLAIN, speculation=speculation)


@given(chances, guesses)
def test_a_pass_yields_the_geometric_sum(a: float, k: int) -> None:
    found = Speculation(tokens=k, acceptance=a).expected_tokens
    assert 1 <= found <= k + 1
    if a < 0.99:
        assert found == pytest.approx((1 - a ** (k + 1)) / (1 - a))


@given(chances, guesses)
def test_a_pass_yields_what_guessing_one_by_one_does(a: float, k: int) -> None:
    # the pass ends at the first wrong guess, which the check replaces by the right token
    expected = sum((i + 1) * a**i * (1 - a) for i in range(k)) + (k + 1) * a**k
    assert Speculation(tokens=k, acceptance=a).expected_tokens == pytest.approx(expected)


@given(guesses, drafts)
def test_guesses_that_are_never_right_are_never_faster(k: int, draft: Transformer | None) -> None:
    wrong = Speculation(tokens=k, acceptance=0.0, draft=draft)
    assert np.all(token_dense_seconds(guessing(wrong), ONE, wrong) >= dense_seconds(PLAIN, ONE) * (1 - 1e-12))
    context = token_context_seconds(guessing(wrong), wrong, typical=1000)
    assert context >= context_seconds(PLAIN, typical=1000)


@given(chances, chances, guesses, drafts)
def test_a_better_guess_is_never_slower(a: float, b: float, k: int, draft: Transformer | None) -> None:
    low, high = (Speculation(tokens=k, acceptance=x, draft=draft) for x in sorted((a, b)))
    assert np.all(token_dense_seconds(guessing(high), ONE, high) <= token_dense_seconds(guessing(low), ONE, low))


def test_a_good_draft_pays_for_one_request_and_not_for_a_full_batch() -> None:
    good = Speculation(tokens=4, acceptance=0.8, draft=DRAFT)
    gain = dense_seconds(PLAIN, ONE) / token_dense_seconds(guessing(good), ONE, good)
    assert gain[0] > 1.3
    assert gain[-1] < gain[0]


def test_the_host_issues_one_iteration_for_all_tokens_of_a_pass() -> None:
    good = Speculation(tokens=3, acceptance=0.5)
    plain = step_times(PLAIN, typical_prompt=500, typical_context=600)
    found = step_times(guessing(good), typical_prompt=500, typical_context=600)
    assert found.host_fixed == pytest.approx(plain.host_fixed / good.expected_tokens)
    assert found.host_fixed_prompt == pytest.approx(plain.host_fixed_prompt)
    assert found.dense == plain.dense  # a look-up reads no prompts


def test_a_draft_takes_room_from_the_cache() -> None:
    assert memory_of(guessing(Speculation(tokens=4, acceptance=0.7))) == memory_of(PLAIN)
    drafted = memory_of(guessing(Speculation(tokens=4, acceptance=0.7, draft=DRAFT)))
    assert drafted.cache_tokens < memory_of(PLAIN).cache_tokens
    assert drafted.weights - memory_of(PLAIN).weights == pytest.approx(weight_bytes(replace(PLAIN, model=DRAFT)))


def test_one_adapter_has_the_bytes_of_its_thin_products() -> None:
    work, rank = PLAIN.cut(), 16
    # of Llama 3.1 8B: 32 layers of q, k, v (4096 to 6144 together), o, gate and up, down
    by_hand = 32 * rank * 2 * ((4096 + 6144) + (4096 + 4096) + (4096 + 2 * 14336) + (14336 + 4096))
    found = Adapters(count=1, resident=1, rank=rank).bytes_each(work)
    assert found >= by_hand  # products that are fused share their input
    assert found == pytest.approx(by_hand, rel=0.25)


@given(st.integers(1, 64), st.integers(1, 64), st.sampled_from([8, 16, 64]))
def test_more_resident_adapters_are_never_faster_and_take_more_room(a: int, b: int, rank: int) -> None:
    few, many = sorted((a, b))
    least, most = (replace(PLAIN, adapters=Adapters(count=64, resident=n, rank=rank)) for n in (few, many))
    assert np.all(dense_seconds(PLAIN, ONE) < dense_seconds(least, ONE))
    assert np.all(dense_seconds(least, ONE) <= dense_seconds(most, ONE) * (1 + 1e-12))
    assert memory_of(most).cache_tokens <= memory_of(least).cache_tokens <= memory_of(PLAIN).cache_tokens


def test_an_adapter_that_is_not_there_is_loaded_over_the_link_to_the_host() -> None:
    half = replace(PLAIN, adapters=Adapters(count=8, resident=4, rank=16))
    assert half.adapters is not None
    whole = replace(PLAIN, adapters=Adapters(count=4, resident=4, rank=16))
    waits = [step_times(one, typical_prompt=500, typical_context=600).prefill_fixed for one in (half, whole)]
    load = half.adapters.bytes_each(half.cut()) / DEVICE.require("host_bandwidth")
    assert waits[0] - waits[1] == pytest.approx(0.5 * load)


@given(st.floats(1e8, 1.5e10))
def test_offloaded_weights_cross_the_link_in_every_iteration_and_free_their_room(moved: float) -> None:
    away = replace(PLAIN, offloaded=moved)
    longer = dense_seconds(away, ONE) - dense_seconds(PLAIN, ONE)
    assert longer == pytest.approx(moved / DEVICE.require("host_bandwidth"))
    gained = memory_of(away).cache - memory_of(PLAIN).cache
    assert gained == pytest.approx(moved)


def test_what_cannot_be_is_told() -> None:
    with pytest.raises(InputError, match="at 0 to 1"):
        Speculation(tokens=4, acceptance=1.2)
    with pytest.raises(InputError, match="cannot be resident"):
        Adapters(count=2, resident=3, rank=8)
    with pytest.raises(InputError, match="are to lie in host memory"):
        memory_of(replace(PLAIN, offloaded=1e12))
