"""The advice that ends a stall."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.costs.input import Loader, Sample
from simulator.costs.mends import KINDS, Feed, mends
from simulator.costs.storage import StorageSystem

IMAGE = Sample(stored=115e3, decoded=600e3, decode_s=4e-3)
DISK = StorageSystem(read_bandwidth=530e6, latency=1e-4)


def feed(**changes) -> Feed:
    given = {"sample": IMAGE, "loader": Loader(workers=8, cores=8.0), "storage": DISK, "batch": 256.0,
             "compute_s": 0.5, "dataset_bytes": 146e9}  # fmt: skip
    return Feed(**(given | changes))


def test_a_step_that_does_not_wait_needs_no_mend():
    assert mends(feed()) == ()


def test_too_few_workers_are_a_setting():
    found = mends(feed(loader=Loader(workers=1, cores=8.0)))
    assert [m.kind for m in found] == ["setting"]
    assert "loader workers" in found[0].action
    assert found[-1].stall_s == 0.0


def test_too_few_cores_need_cores():
    found = mends(feed(loader=Loader(workers=2, cores=2.0), compute_s=0.2))
    assert [(m.stage, m.kind) for m in found][-1] == ("decode", "cores")
    assert "6 CPU cores" in found[-1].action  # 1,280 samples/s of 4 ms
    assert found[-1].stall_s == 0.0


def test_a_cache_that_thrashes_is_kept_from_replacing_before_memory_is_bought():
    slow = StorageSystem(read_bandwidth=50e6)
    loader = Loader(workers=8, cores=8.0, cache_bytes=110e9)
    found = mends(feed(storage=slow, loader=loader, compute_s=0.2))
    assert [m.kind for m in found] == ["setting"]
    assert "MinIO" in found[0].action


def test_a_slow_disk_wants_memory_of_the_right_size():
    slow = StorageSystem(read_bandwidth=10e6)
    found = mends(feed(storage=slow))
    assert [m.kind for m in found] == ["memory"]
    needed = 256 / 0.5 * 115e3
    share = 1 - 10e6 / needed
    assert f"{share * 146:.0f}" in found[0].action
    assert found[0].stall_s == 0.0


def test_a_slow_disk_and_endless_data_want_more_servers():
    slow = StorageSystem(read_bandwidth=10e6)
    found = mends(feed(storage=slow, dataset_bytes=float("inf")))
    assert [(m.stage, m.kind) for m in found] == [("storage", "hardware")]
    assert found[0].action == "6 storage servers instead of 1"


def test_small_files_are_packed_before_anything_is_bought():
    store = StorageSystem(read_bandwidth=10e9, read_rate=100.0)
    found = mends(feed(storage=store))
    assert [(m.stage, m.kind) for m in found] == [("requests", "layout")]
    assert "6 samples with each request" in found[0].action


def test_loading_that_does_not_overlap_is_prefetched_first():
    found = mends(feed(loader=Loader(workers=8, cores=8.0, prefetch=0)))
    assert found[0].kind == "setting"
    assert "prefetch" in found[0].action
    assert found[-1].stall_s == 0.0


def test_two_bottlenecks_are_mended_one_after_the_other():
    found = mends(feed(storage=StorageSystem(read_bandwidth=10e6), loader=Loader(workers=8, cores=1.0)))
    assert {m.stage for m in found} == {"decode", "storage"}
    assert found[-1].stall_s == 0.0


@settings(derandomize=True, max_examples=60, deadline=None)
@given(bandwidth=st.floats(1e6, 1e10), cores=st.floats(0.5, 16), workers=st.integers(1, 16), prefetch=st.integers(0, 2),
       rate=st.floats(10, 1e5), host=st.floats(1e7, 1e10), devices=st.sampled_from([1, 8, 64]))  # fmt: skip
def test_mends_always_help_and_end_the_stall(bandwidth, cores, workers, prefetch, rate, host, devices):
    loader = Loader(workers=workers, cores=cores, prefetch=prefetch, host_bandwidth=host, devices_per_node=8)
    start = feed(loader=loader, storage=StorageSystem(read_bandwidth=bandwidth, read_rate=rate, latency=1e-3),
                 devices=devices)  # fmt: skip
    found = mends(start)
    steps = [start.account().step_s] + [m.step_s for m in found]
    assert all(later < earlier for earlier, later in pairwise(steps))
    assert all(m.kind in KINDS for m in found)
    assert steps[-1] == pytest.approx(0.5)
