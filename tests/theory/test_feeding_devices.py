"""Closed forms of storage and loading."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.costs.input import STAGES, Loader, Sample, account, load_time, stall_fraction, step_time
from simulator.costs.storage import (
    Redundancy,
    StorageSystem,
    aggregate_read,
    file_read_bandwidth,
    in_flight_rate,
    local_fraction,
    rebuild_time,
    small_file_slowdown,
)
from simulator.foundation.errors import InputError


def test_loading_takes_bytes_over_the_slowest_link():
    assert load_time(130e9, 7e9) == pytest.approx(18.571, abs=1e-3)  # 130 GB of weights from a Gen4 drive
    assert load_time(141e9, 55e9, 3.35e12) == pytest.approx(2.564, abs=1e-3)
    assert load_time([10.0, 20.0], 10.0, [5.0, 20.0], latency=1.0).tolist() == [3.0, 3.0]


def test_overlap_is_the_larger_and_no_overlap_is_the_sum():
    assert step_time(2.0, [1.0, 3.0]).tolist() == [2.0, 3.0]
    assert step_time(2.0, [1.0, 3.0], overlapped=False).tolist() == [3.0, 5.0]
    assert stall_fraction(1.0, 4.0) == pytest.approx(0.75)


def test_aggregate_reads_are_bound_by_servers_adapters_or_the_cut():
    storage = StorageSystem(servers=10, read_bandwidth=2.0)
    assert aggregate_read(storage, [4, 40], 1.0).tolist() == [4.0, 20.0]
    assert aggregate_read(storage, 40, 1.0, bisection=7.0) == 7.0


def test_object_stores_obey_little_s_law():
    store = StorageSystem(latency=0.15, stream_bandwidth=90e6)
    rate = in_flight_rate(store, 64, 8e6)
    time_in_system = 0.15 + 8e6 / 90e6
    assert float(rate) / 8e6 * time_in_system == pytest.approx(64)


def test_requests_per_second_cap_small_objects_and_bandwidth_caps_large_ones():
    store = StorageSystem(read_bandwidth=1e9, read_rate=5500.0, latency=0.1)
    assert float(in_flight_rate(store, 10**6, 1e3)) == pytest.approx(5500 * 1e3)
    assert float(in_flight_rate(store, 10**6, 1e9)) == pytest.approx(1e9)
    assert float(small_file_slowdown(store, 1e3, 10**6)) == pytest.approx(1e9 / 5.5e6)
    assert float(small_file_slowdown(store, 1e9, 10**6)) == 1.0


def test_stripes_multiply_one_file_s_bandwidth_up_to_the_client():
    storage = StorageSystem(servers=8, read_bandwidth=2.0, stripes=4)
    assert file_read_bandwidth(storage, [100.0, 5.0]).tolist() == [8.0, 5.0]


@pytest.mark.parametrize(("redundancy", "overhead", "tolerates", "reads"), [
    (Redundancy(copies=3), 3.0, 2, 1.0), (Redundancy(data=8, parity=3), 1.375, 3, 8.0), (Redundancy(), 1.0, 0, 1.0),
])  # fmt: skip
def test_redundancy_costs_space_and_rebuild_reads(redundancy, overhead, tolerates, reads):
    assert (redundancy.overhead, redundancy.tolerates, redundancy.rebuild_reads) == (overhead, tolerates, reads)


def test_a_rebuild_reads_what_the_code_needs_with_all_survivors():
    copies = StorageSystem(servers=11, read_bandwidth=1.0, write_bandwidth=1.0, capacity=100.0,
                           redundancy=Redundancy(copies=3))  # fmt: skip
    coded = StorageSystem(servers=11, read_bandwidth=1.0, write_bandwidth=1.0, capacity=100.0,
                          redundancy=Redundancy(data=8, parity=2))  # fmt: skip
    assert rebuild_time(copies) == pytest.approx(10.0)
    assert rebuild_time(coded) == pytest.approx(80.0)
    assert rebuild_time(coded, used_fraction=0.5, share=0.25) == pytest.approx(160.0)
    assert copies.usable == pytest.approx(1100 / 3)
    assert coded.write_total == pytest.approx(11 / 1.25)


def test_three_copies_on_ten_nodes_are_local_three_times_in_ten():
    assert float(local_fraction(3, 10)) == pytest.approx(0.3)
    assert 1 - float(local_fraction(1, 16)) == pytest.approx(1 - 1 / 16)


@pytest.mark.parametrize("wrong", [
    {"servers": 0}, {"read_bandwidth": 0.0}, {"latency": -1.0}, {"stripes": 2},
    {"servers": 2, "redundancy": Redundancy(copies=3)},
])  # fmt: skip
def test_impossible_storage_is_refused(wrong):
    with pytest.raises(InputError):
        StorageSystem(**wrong)


def test_copies_and_a_code_at_once_are_refused():
    with pytest.raises(InputError, match="not both"):
        Redundancy(copies=2, parity=1)


FAST = StorageSystem(servers=10, read_bandwidth=1e9, latency=1e-4)


def one(stage: str):
    """A feed that the named stage alone holds back to 100 samples/s per device."""
    sample, loader, storage = Sample(stored=1e5, decoded=1e6), Loader(workers=64, cores=64.0), FAST
    if stage == "storage":
        storage = StorageSystem(read_bandwidth=1e7)
    elif stage == "requests":
        storage = StorageSystem(read_bandwidth=1e9, read_rate=100.0)
    elif stage == "network":
        loader = Loader(workers=64, cores=64.0, node_bandwidth=1e7)
    elif stage == "decode":
        sample, loader = Sample(stored=1e5, decoded=1e6, decode_s=0.04), Loader(workers=64, cores=4.0)
    elif stage == "workers":
        sample, loader = Sample(stored=1e5, decoded=1e6, decode_s=0.02), Loader(workers=2, cores=64.0)
        storage = StorageSystem(read_bandwidth=1e9)
    elif stage == "cache":
        loader = Loader(workers=64, cores=64.0, cache_bytes=1e12, cache_bandwidth=1e7, cache_policy="minio")
    else:
        loader = Loader(workers=64, cores=64.0, host_bandwidth=1e8)
    return sample, loader, storage


@pytest.mark.parametrize("stage", list(STAGES))
def test_the_stage_that_holds_back_is_named_and_sets_the_pace(stage):
    sample, loader, storage = one(stage)
    found = account(sample, loader, storage, batch=50, compute_s=0.1, dataset_bytes=1e12)
    assert found.bottleneck == stage
    assert found.step_s == pytest.approx(0.5, rel=0.01)
    assert found.idle_fraction == pytest.approx(0.8, rel=0.01)
    assert found.stall_s + found.compute_s == pytest.approx(found.step_s)


@pytest.mark.parametrize("stage", list(STAGES))
def test_a_step_longer_than_its_loading_does_not_wait(stage):
    sample, loader, storage = one(stage)
    found = account(sample, loader, storage, batch=50, compute_s=1.0, dataset_bytes=1e12)
    assert (found.bottleneck, found.stall_s) == ("", 0.0)


def test_data_echoing_divides_what_must_be_loaded():
    sample, _, storage = one("storage")
    plain = account(sample, Loader(workers=64, cores=64.0), storage, batch=50, compute_s=0.1)
    echo = account(sample, Loader(workers=64, cores=64.0, echo=4.0), storage, batch=50, compute_s=0.1)
    assert echo.load_s == pytest.approx(plain.load_s / 4)
    assert echo.bytes_from_storage == pytest.approx(plain.bytes_from_storage / 4)


def test_compression_trades_bytes_for_cores():
    sample = Sample(stored=1e5, decoded=1e6, decode_s=0.001).compressed(4.0, 0.003)
    assert (sample.stored, sample.decode_s) == (2.5e4, 0.004)


def test_a_cache_spares_the_storage_its_hits():
    sample, _, storage = one("storage")
    loader = Loader(workers=64, cores=64.0, cache_bytes=0.6e9, cache_policy="minio")
    found = account(sample, loader, storage, batch=50, compute_s=0.1, dataset_bytes=1e9)
    assert found.load_s == pytest.approx(0.5 * 0.4)
    assert found.bytes_from_storage == pytest.approx(0.4 * 50 * 1e5)


def test_nodes_that_share_their_caches_hold_more_of_the_data():
    sample, _, storage = one("storage")
    alone = Loader(workers=64, cores=64.0, cache_bytes=0.25e9, cache_policy="minio")
    shared = Loader(workers=64, cores=64.0, cache_bytes=0.25e9, cache_policy="minio", shared_cache=True)
    rates = [account(sample, x, storage, batch=50, compute_s=0.1, devices=4, dataset_bytes=1e9).rates["storage"]
             for x in (alone, shared)]  # fmt: skip
    assert rates[0] == pytest.approx(25 / 0.75)
    assert math.isinf(rates[1])


@settings(derandomize=True, max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), factor=st.floats(1.0, 10.0))
def test_more_of_anything_is_never_slower(seed, factor):
    rng = np.random.default_rng(seed)
    sample = Sample(stored=float(rng.uniform(1e3, 1e7)), decoded=1e6, decode_s=float(rng.uniform(0, 0.05)))
    cores, workers = float(rng.uniform(1, 16)), int(rng.integers(1, 16))
    loader = Loader(workers=workers, cores=cores, node_bandwidth=float(rng.uniform(1e8, 1e10)),
                    host_bandwidth=1e10, devices_per_node=4, cache_bytes=float(rng.uniform(0, 2e12)))  # fmt: skip
    storage = StorageSystem(servers=3, read_bandwidth=float(rng.uniform(1e7, 1e10)), read_rate=1e4, latency=1e-3)

    def step(loader: Loader, storage: StorageSystem) -> float:
        return account(sample, loader, storage, batch=64, compute_s=0.1, devices=16, dataset_bytes=1e12).step_s

    base = step(loader, storage)
    more = Loader(
        workers=workers, cores=cores * factor, node_bandwidth=loader.node_bandwidth * factor,
        host_bandwidth=1e10 * factor, devices_per_node=4, cache_bytes=loader.cache_bytes * factor,
    )  # fmt: skip
    assert step(more, storage) <= base * (1 + 1e-9)
    assert step(loader, storage.grown(factor)) <= base * (1 + 1e-9)
    assert base >= 0.1
