"""Whole jobs: epochs, caches, shards, checkpoints, memory."""

from __future__ import annotations

import pytest

from simulator.costs.input import Loader
from simulator.costs.storage import StorageSystem
from simulator.engine.data.job import Checkpoint, DataJob
from simulator.engine.data.run import cache_hit_rates, run_data
from simulator.foundation.errors import Infeasible, InputError, UnknownName
from simulator.foundation.randomness import Streams
from simulator.mapping.sharding.expectation import seed_literal
from simulator.workload.dataset import Dataset, SampleSize

FAST = StorageSystem(read_bandwidth=1e9)


def job(**changes) -> DataJob:
    given = {"dataset": Dataset(samples=64_000, size=SampleSize(mean=1e5)), "loader": Loader(workers=2, cores=2.0),
             "storage": FAST, "batch": 100, "compute_s": 0.1, "devices": 4, "epochs": 3}  # fmt: skip
    return DataJob(**(given | changes))


def test_a_well_fed_job_computes_all_the_time():
    run = run_data(job(), Streams(0))
    assert run.epochs[-1].time_s == pytest.approx(160 * 0.1, rel=0.02)
    assert run.steady.bottleneck == ""
    assert run.mends == ()
    assert run.summary()["stall_fraction"] < 0.02


def test_every_byte_that_no_cache_served_was_read():
    for epoch in run_data(job(), Streams(0)).epochs:
        assert epoch.storage_bytes == pytest.approx(64_000 * 1e5)


def test_a_slow_disk_sets_the_pace_and_is_named():
    run = run_data(job(storage=StorageSystem(read_bandwidth=1e8)), Streams(0))
    assert run.epochs[-1].time_s == pytest.approx(64_000 * 1e5 / 1e8, rel=0.02)
    assert run.steady.bottleneck == "storage"
    assert run.summary()["device_idle_fraction"] == pytest.approx(1 - 16 / 64, rel=0.05)


def test_a_warm_cache_spares_its_share_and_a_cold_one_nothing():
    cached = Loader(workers=2, cores=2.0, cache_bytes=3.2e9, cache_policy="minio")
    epochs = run_data(job(loader=cached, storage=StorageSystem(read_bandwidth=1e8)), Streams(0)).epochs
    assert [epoch.hit_rate for epoch in epochs] == pytest.approx([0.0, 0.5, 0.5])
    assert epochs[1].time_s == pytest.approx(epochs[0].time_s / 2, rel=0.03)


def test_reading_in_order_starves_a_cache_that_replaces():
    lru = Loader(workers=2, cores=2.0, cache_bytes=3.2e9, cache_policy="lru", same_order=True)
    rates = cache_hit_rates(job(loader=lru, shuffle="none"), Streams(0)["cache"])
    assert rates.tolist() == [0.0, 0.0, 0.0]


def test_the_article_s_split_makes_every_step_wait_for_the_largest_shard():
    even = run_data(job(devices=8), Streams(3))
    split = run_data(job(devices=8, sharding="seed-literal"), Streams(3))
    assert split.epochs[-1].time_s / even.epochs[-1].time_s == pytest.approx(split.imbalance, rel=0.03)
    assert 1.5 < split.imbalance < 8
    runs = [run_data(job(devices=8, epochs=1, sharding="seed-literal"), Streams(seed)).imbalance for seed in range(40)]
    assert sum(runs) / 40 == pytest.approx(seed_literal(8), rel=0.15)


def test_packed_files_read_through_spare_requests_that_single_samples_cost():
    packed = Dataset(samples=64_000, size=SampleSize(mean=1e5), samples_per_file=100)
    store = StorageSystem(read_bandwidth=1e9, read_rate=1000.0)
    single = run_data(job(dataset=packed, storage=store), Streams(0))
    through = run_data(job(dataset=packed, storage=store, shuffle="shard-wise"), Streams(0))
    assert single.steady.bottleneck == "requests"
    assert single.epochs[-1].time_s == pytest.approx(64, rel=0.02)
    assert through.epochs[-1].time_s == pytest.approx(16, rel=0.02)


def test_a_checkpoint_beside_the_reads_costs_time_when_the_storage_is_full():
    storage = StorageSystem(read_bandwidth=4.2e8, write_bandwidth=2.1e8)
    quiet = run_data(job(storage=storage, epochs=1), Streams(0)).epochs[0]
    checkpoint = Checkpoint(every_steps=40, bytes=4e8)
    busy = run_data(job(storage=storage, epochs=1, checkpoint=checkpoint), Streams(0)).epochs[0]
    assert busy.time_s > quiet.time_s + 0.5


def test_what_does_not_fit_into_memory_is_infeasible_with_its_account():
    with pytest.raises(Infeasible) as caught:
        run_data(job(host_memory=1e6), Streams(0))
    assert caught.value.binding == "host memory"
    assert caught.value.account["prefetched batches"] == 2 * 2 * 100 * 1e5
    assert "less" in caught.value.relaxation


def test_streaming_needs_only_what_is_in_flight_however_large_the_data_set():
    huge = job(dataset=Dataset(samples=10**9, size=SampleSize(mean=1e6)), host_memory=1e9, epochs=1)
    assert sum(huge.memory().values()) < 1e9
    run = run_data(huge, Streams(0))
    assert run.epochs[0].played_steps < run.epochs[0].steps
    assert run.epochs[0].time_s == pytest.approx(1e9 * 1e6 / 1e9, rel=0.02)


def test_a_batch_used_twice_is_loaded_once():
    slow = StorageSystem(read_bandwidth=1e8)
    plain = run_data(job(storage=slow), Streams(0)).epochs[-1]
    echo = run_data(job(storage=slow, loader=Loader(workers=2, cores=2.0, echo=2.0)), Streams(0)).epochs[-1]
    assert echo.storage_bytes == pytest.approx(plain.storage_bytes / 2)
    assert echo.time_s == pytest.approx(plain.time_s / 2, rel=0.02)


def test_steps_that_are_not_played_repeat_the_steady_pace(monkeypatch):
    whole = run_data(job(epochs=1), Streams(0)).epochs[0]
    monkeypatch.setattr("simulator.engine.data.run.MAX_BATCHES", 1)
    short = run_data(job(epochs=1), Streams(0)).epochs[0]
    assert short.played_steps < whole.played_steps
    assert short.time_s == pytest.approx(whole.time_s, rel=0.01)
    assert short.storage_bytes == pytest.approx(whole.storage_bytes, rel=0.01)


def test_the_same_seed_gives_the_same_run():
    sized = Dataset(samples=10_000, size=SampleSize(mean=1e5, std=5e4, shape="gamma"))
    first, second = (run_data(job(dataset=sized), Streams(5)).rows() for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("changes", "kind"), [
    ({"devices": 100_000}, InputError), ({"sharding": "nonsense"}, UnknownName), ({"buffer_samples": 5}, InputError),
    ({"shuffle": "none"}, InputError), ({"batch": 0}, InputError),
])  # fmt: skip
def test_nonsense_is_refused(changes, kind):
    with pytest.raises(kind):
        job(**changes)
