"""Closed forms of what each way of cutting costs, against many seeded draws."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.mapping.sharding import Request, imbalance, shard
from simulator.mapping.sharding.expectation import (
    EXPECTED,
    GOLOMB_DICKMAN,
    hashed,
    ring,
    ring_spread,
    seed_literal,
    uniform_cuts,
)
from simulator.mapping.sharding.reshard import moved


def mean_imbalance(method: str, shards: int, draws: int, **more: object) -> float:
    rng = np.random.default_rng(11)
    request = Request(records=10**6, shards=shards, rng=rng, **more)  # type: ignore[arg-type]
    return float(np.mean([imbalance(shard(method, request).loads()) for _ in range(draws)]))


@pytest.mark.parametrize("shards", [2, 3, 8, 64])
def test_the_article_s_split_costs_its_closed_form(shards):
    assert mean_imbalance("seed-literal", shards, 1500) == pytest.approx(seed_literal(shards), rel=0.03)


def test_the_article_s_split_tends_to_the_golomb_dickman_constant():
    assert seed_literal(64) / 64 == pytest.approx(GOLOMB_DICKMAN, rel=1e-4)
    assert seed_literal(8) == pytest.approx(5.0, abs=0.01)
    assert seed_literal(64) == pytest.approx(40.0, abs=0.05)


def test_two_workers_share_three_quarters_and_one_quarter():
    assert seed_literal(2) == pytest.approx(1.5, abs=1e-6)
    assert uniform_cuts(2) == pytest.approx(1.5)


@pytest.mark.parametrize("shards", [2, 8, 64])
def test_uniform_cuts_cost_a_harmonic_number(shards):
    assert mean_imbalance("uniform-cuts", shards, 3000) == pytest.approx(uniform_cuts(shards), rel=0.02)
    assert uniform_cuts(8) == pytest.approx(2.7179, abs=1e-4)


def test_methods_that_look_cost_nothing():
    labels = np.arange(10**6) % 10
    for method in ("balanced", "recursive-bisect", "by-speed", "stratified"):
        assert mean_imbalance(method, 64, 1, classes=labels) == pytest.approx(EXPECTED[method](64), rel=1e-3)


def test_hash_remainders_spread_as_a_multinomial():
    counts = shard("hash", Request(records=10**6, shards=100)).counts()
    chi_square = float(((counts - 10**4) ** 2 / 10**4).sum())
    assert 99 - 4 * np.sqrt(2 * 99) < chi_square < 99 + 4 * np.sqrt(2 * 99)
    assert imbalance(counts.astype(float)) <= hashed(100, 10**6)


def test_a_ring_with_one_point_each_is_as_bad_as_uniform_cuts():
    found = [imbalance(shard("consistent-hash", Request(records=20_000, shards=8, virtual_nodes=1, salt=salt)).loads())
             for salt in range(300)]  # fmt: skip
    assert np.mean(found) == pytest.approx(ring(8, 1), rel=0.05)


@pytest.mark.parametrize("points", [4, 64])
def test_virtual_nodes_narrow_the_shares_by_their_square_root(points):
    shares = np.concatenate([
        shard("consistent-hash", Request(records=50_000, shards=8, virtual_nodes=points, salt=salt)).loads() / 6250
        for salt in range(120)
    ])  # fmt: skip
    sampling = 7 / 50_000  # variance that counting records adds
    assert shares.std() == pytest.approx(np.sqrt(ring_spread(8, points) ** 2 + sampling), rel=0.12)


def test_joining_one_worker_moves_few_on_a_ring_and_nearly_all_by_remainder():
    old = {m: shard(m, Request(records=200_000, shards=9)) for m in ("consistent-hash", "hash", "balanced")}
    new = {m: shard(m, Request(records=200_000, shards=10)) for m in old}
    assert moved(old["consistent-hash"], new["consistent-hash"]).fraction == pytest.approx(1 / 10, rel=0.35)
    assert moved(old["hash"], new["hash"]).fraction == pytest.approx(9 / 10, rel=0.01)
    assert moved(old["balanced"], new["balanced"]).fraction == pytest.approx(1 / 2, rel=0.01)


def test_what_moves_on_a_ring_moves_to_the_joiner_alone():
    old = shard("consistent-hash", Request(records=50_000, shards=9))
    new = shard("consistent-hash", Request(records=50_000, shards=10))
    received = moved(old, new).received_bytes
    assert sum(received[:9]) == 0
    assert received[9] == new.counts()[9]


def test_a_failed_worker_s_records_are_lost_and_only_they_move_on_a_ring():
    old = shard("consistent-hash", Request(records=50_000, shards=8))
    survivors = np.array([0, 1, 2, 4, 5, 6, 7])
    request = Request(records=50_000, shards=7, members=tuple(survivors.tolist()))
    change = moved(old, shard("consistent-hash", request), failed=[3], names=survivors)
    assert change.lost_records == change.records == old.counts()[3]
    assert change.lost_bytes == change.bytes


def test_bytes_moved_count_sizes_and_what_is_received_adds_up():
    sizes = np.random.default_rng(0).integers(1, 100, size=1000)
    request = [Request(records=1000, shards=n, sizes=sizes) for n in (4, 5)]
    change = moved(shard("balanced", request[0]), shard("balanced", request[1]), sizes)
    assert change.total_bytes == sizes.sum()
    assert sum(change.received_bytes) == change.bytes
    assert 0 < change.fraction < 1


def test_keeping_the_workers_moves_nothing():
    same = shard("hash", Request(records=1000, shards=4))
    assert moved(same, same).bytes == 0


def test_the_article_s_example_gives_three_shards_of_eight_records():
    found = shard("seed-literal", Request(records=8, shards=3, rng=np.random.default_rng(7)))
    assert found.counts().sum() == 8
    assert (found.counts() > 0).all()


def test_the_article_s_split_runs_out_of_records_and_says_so_with_empty_shards():
    counts = shard("seed-literal", Request(records=8, shards=64, rng=np.random.default_rng(7))).counts()
    assert counts.sum() == 8
    assert (counts == 0).any()
