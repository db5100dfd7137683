"""Laws that every registered sharder obeys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.foundation.errors import InputError, UnknownName
from simulator.mapping.sharding import Contiguous, Request, imbalance, shard, sharders

METHODS = list(sharders)


def request_for(records: int, shards: int, seed: int = 0, **more: object) -> Request:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 1000, size=records)
    classes = rng.integers(0, 5, size=records)
    return Request(records=records, shards=shards, sizes=sizes, classes=classes, rng=rng, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", METHODS)
@settings(derandomize=True, max_examples=25, deadline=None)
@given(records=st.integers(1, 300), shards=st.integers(1, 40), seed=st.integers(0, 10_000))
def test_every_record_has_exactly_one_shard_and_no_byte_is_lost(method, records, shards, seed):
    request = request_for(records, shards, seed)
    found = shard(method, request)
    together = np.concatenate([found.members(k) for k in range(shards)])
    assert np.array_equal(np.sort(together), np.arange(records))
    assert found.counts().sum() == records
    assert found.loads(request.sizes).sum() == request.sizes.sum()
    assert np.array_equal(np.bincount(found.owners(slice(0, records)), minlength=shards), found.counts())


@pytest.mark.parametrize("method", METHODS)
def test_members_agree_with_owners_and_keep_their_order(method):
    found = shard(method, request_for(500, 7))
    owners = found.owners(slice(0, 500))
    for k in range(7):
        assert np.array_equal(found.members(k), np.flatnonzero(owners == k))


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_cuts_the_same_way(method):
    first, second = (shard(method, request_for(400, 9, seed=5)).owners(slice(0, 400)) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("method", METHODS)
def test_one_worker_takes_everything(method):
    assert shard(method, request_for(50, 1)).counts().tolist() == [50]


@settings(derandomize=True, max_examples=50, deadline=None)
@given(records=st.integers(1, 400), shards=st.integers(1, 30), seed=st.integers(0, 10_000))
def test_balanced_shards_are_within_one_record_of_the_mean(records, shards, seed):
    request = request_for(records, shards, seed)
    loads = shard("balanced", request).loads(request.sizes)
    assert np.abs(loads - loads.mean()).max() <= request.sizes.max()


@settings(derandomize=True, max_examples=50, deadline=None)
@given(records=st.integers(1, 400), shards=st.integers(1, 30))
def test_balanced_counts_of_equal_records_differ_by_one(records, shards):
    counts = shard("balanced", Request(records=records, shards=shards)).counts()
    assert counts.max() - counts.min() <= 1


@settings(derandomize=True, max_examples=50, deadline=None)
@given(records=st.integers(1, 400), levels=st.integers(0, 5), seed=st.integers(0, 10_000))
def test_bisection_misses_by_half_a_record_a_level(records, levels, seed):
    request = request_for(records, 2**levels, seed)
    loads = shard("recursive-bisect", request).loads(request.sizes)
    assert np.abs(loads - loads.mean()).max() <= (levels + 1) / 2 * request.sizes.max()


def test_bisection_keeps_old_edges_when_shards_double():
    few, many = (shard("recursive-bisect", request_for(1000, n)) for n in (8, 16))
    assert isinstance(few, Contiguous)
    assert isinstance(many, Contiguous)
    assert set(few.edges) <= set(many.edges)


@settings(derandomize=True, max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), shards=st.integers(1, 12))
def test_by_speed_lets_all_workers_finish_within_one_record(seed, shards):
    speeds = np.random.default_rng(seed).uniform(0.2, 5.0, size=shards)
    request = request_for(600, shards, seed, speeds=speeds)
    loads = shard("by-speed", request).loads(request.sizes)
    due = speeds / speeds.sum() * request.sizes.sum()
    assert np.abs(loads - due).max() <= request.sizes.max()


@settings(derandomize=True, max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), shards=st.integers(1, 12), classes=st.integers(1, 9))
def test_stratified_keeps_every_proportion_within_one_record(seed, shards, classes):
    labels = np.random.default_rng(seed).integers(0, classes, size=333)
    found = shard("stratified", Request(records=333, shards=shards, classes=labels))
    owners = found.owners(slice(0, 333))
    table = np.zeros((classes, shards), dtype=int)
    np.add.at(table, (labels, owners), 1)
    assert (table.max(axis=1) - table.min(axis=1)).max() <= 1
    assert found.counts().max() - found.counts().min() <= 1


@settings(derandomize=True, max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), shards=st.integers(1, 8), classes=st.integers(1, 6))
def test_stratified_by_speed_keeps_proportions_within_two_records(seed, shards, classes):
    rng = np.random.default_rng(seed)
    labels, speeds = rng.integers(0, classes, size=400), rng.uniform(0.5, 4.0, size=shards)
    request = Request(records=400, shards=shards, classes=labels, speeds=speeds)
    owners = shard("stratified", request).owners(slice(0, 400))
    due = np.bincount(labels, minlength=classes)[:, None] * (speeds / speeds.sum())[None, :]
    table = np.zeros((classes, shards))
    np.add.at(table, (labels, owners), 1)
    assert np.abs(table - due).max() <= 2
    assert np.abs(table.sum(axis=0) - due.sum(axis=0)).max() <= 1


def test_stratified_takes_any_class_numbers():
    labels = np.array([-7, 10**12, -7, 10**12])
    owners = shard("stratified", Request(records=4, shards=2, classes=labels)).owners(slice(0, 4))
    assert sorted(owners[labels == -7].tolist()) == [0, 1]


def test_range_follows_the_key_and_not_the_order():
    keys = np.array([9.0, 0.0, 10.0, 4.9, 5.1])
    assert shard("range", Request(records=5, shards=2, keys=keys)).owners(slice(0, 5)).tolist() == [1, 0, 1, 0, 1]


def test_a_skewed_key_makes_skewed_ranges():
    keys = np.random.default_rng(1).exponential(size=20_000)
    loads = shard("range", Request(records=20_000, shards=8, keys=keys)).loads()
    width = (keys.max() - keys.min()) / 8
    assert imbalance(loads) == pytest.approx(8 * (1 - np.exp(-width)), rel=0.02)


def test_range_refuses_text_keys():
    with pytest.raises(InputError, match="use hash for text"):
        shard("range", Request(records=2, shards=2, keys=np.array(["a", "b"])))


def test_a_misspelt_method_is_met_with_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean 'balanced'"):
        shard("balancd", Request(records=2, shards=2))


@pytest.mark.parametrize("wrong", [{"records": 0}, {"shards": 0}, {"speeds": np.array([1.0, 0.0])},
                                   {"sizes": np.array([1])}])  # fmt: skip
def test_nonsense_is_refused_at_birth(wrong):
    with pytest.raises(InputError):
        Request(**({"records": 2, "shards": 2} | wrong))


def test_records_beyond_one_block_are_cut_alike():
    records = (1 << 20) + 12_345
    sizes = (np.arange(records) % 97 + 1).astype(np.uint32)
    found = shard("balanced", Request(records=records, shards=5, sizes=sizes))
    assert isinstance(found, Contiguous)
    totals = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    marks = totals[-1] * np.arange(1, 5) / 5
    expected = [int(np.abs(totals - mark).argmin()) for mark in marks]
    assert found.edges[1:-1].tolist() == expected
