"""Closed-form hit rates against caches played access by access."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.costs import caching
from simulator.engine.data.caches import epochs, hit_rates, play, policies
from simulator.foundation.errors import UnknownName

ITEMS = 2000


def steady(policy: str, cached: float, *, reshuffle: bool, items: int = ITEMS) -> float:
    rng = np.random.default_rng(5)
    reads = epochs(items, 14, rng, reshuffle=reshuffle)
    return float(hit_rates(play(policy, reads, round(cached * items), rng), items)[6:].mean())


@pytest.mark.parametrize("cached", [0.1, 0.35, 0.65, 0.9])
@pytest.mark.parametrize("policy", list(caching.reshuffled))
def test_reshuffled_epochs_hit_as_their_closed_form(policy, cached):
    assert steady(policy, cached, reshuffle=True) == pytest.approx(float(caching.reshuffled[policy](cached)), abs=0.012)


@pytest.mark.parametrize("cached", [0.1, 0.35, 0.65, 0.9])
@pytest.mark.parametrize("policy", list(caching.cyclic))
def test_cyclic_scans_hit_as_their_closed_form(policy, cached):
    assert steady(policy, cached, reshuffle=False) == pytest.approx(float(caching.cyclic[policy](cached)), abs=0.012)


def test_minio_hits_exactly_the_share_that_fits():
    assert steady("minio", 0.35, reshuffle=True) == 0.35
    assert float(caching.minio(0.35)) == 0.35


def test_lru_on_a_cyclic_scan_never_hits():
    assert steady("lru", 0.99, reshuffle=False) == 0.0
    assert float(caching.lru_scan(0.999)) == 0.0


@pytest.mark.parametrize("policy", list(policies))
def test_the_first_epoch_of_a_fresh_order_never_hits_and_all_hit_once_everything_fits(policy):
    rng = np.random.default_rng(1)
    rates = hit_rates(play(policy, epochs(100, 3, rng), 100, rng), 100)
    assert rates.tolist() == [0.0, 1.0, 1.0]


@settings(derandomize=True, max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), capacity=st.integers(0, 12), items=st.integers(1, 12))
def test_no_policy_hits_more_often_than_belady(seed, capacity, items):
    rng = np.random.default_rng(seed)
    reads = rng.integers(0, items, size=120)
    best = play("belady", reads, capacity, rng).sum()
    for policy in policies:
        assert play(policy, reads, capacity, rng).sum() <= best


@settings(derandomize=True, max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), items=st.integers(1, 5), capacity=st.integers(1, 4))
def test_belady_is_the_best_of_all_choices_by_brute_force(seed, items, capacity):
    reads = np.random.default_rng(seed).integers(0, items, size=9).tolist()

    def best(place: int, held: frozenset[int]) -> int:
        if place == len(reads):
            return 0
        item = reads[place]
        if item in held:
            return 1 + best(place + 1, held)
        kept = [held] if len(held) >= capacity else [held | {item}]
        if len(held) >= capacity:
            kept += [held - {old} | {item} for old in held]
        return max(best(place + 1, choice) for choice in kept)

    rng = np.random.default_rng(0)
    assert play("belady", np.array(reads), capacity, rng).sum() == best(0, frozenset())


def test_che_s_approximation_holds_for_zipf_requests():
    rng = np.random.default_rng(2)
    popularity = caching.zipf(1000, 0.9)
    reads = rng.choice(1000, size=120_000, p=popularity)
    measured = play("lru", reads, 100, rng)[20_000:].mean()
    assert measured == pytest.approx(float((popularity * caching.che(popularity, 100)).sum()), rel=0.01)


def test_che_fills_the_cache_exactly():
    popularity = caching.zipf(500, 1.1)
    assert caching.che(popularity, 50).sum() == pytest.approx(50)
    assert (caching.che(popularity, 500) == 1).all()


@pytest.mark.parametrize("policy", list(caching.reshuffled))
def test_more_cache_never_hits_less(policy):
    rates = caching.reshuffled[policy](np.linspace(0, 1.2, 50))
    assert (np.diff(rates) >= -1e-12).all()
    assert rates[0] == 0
    assert rates[-1] == 1


def test_partitioned_caches_together_hold_what_each_holds_alone_times_the_nodes():
    own, other = caching.partitioned(0.2, 4)
    assert float(own + other) == pytest.approx(0.8)
    assert float(own) == pytest.approx(0.2)
    own, other = caching.partitioned(0.5, 4)
    assert float(own + other) == 1.0
    assert float(other) == pytest.approx(1 - 1 / 4)  # a random item is on another node


def test_an_unknown_policy_is_met_with_the_known_ones():
    with pytest.raises(UnknownName, match="lru"):
        play("lfu", np.arange(3), 0, np.random.default_rng(0))
