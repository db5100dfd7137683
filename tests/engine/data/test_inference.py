"""Batch inference over huge inputs."""

from __future__ import annotations

import pytest

from simulator.costs.input import Loader
from simulator.costs.storage import StorageSystem
from simulator.engine.data.inference import InferJob, run_inference
from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.randomness import Streams
from simulator.workload.dataset import Dataset, SampleSize

CLASSES = {"rare": 0.02, "common": 0.98}


def job(**changes) -> InferJob:
    data = Dataset(samples=50_000, size=SampleSize(mean=1e4), classes=CLASSES)
    given = {"dataset": data, "rates": (100.0, 100.0, 300.0), "loader": Loader(workers=2, cores=2.0),
             "storage": StorageSystem(read_bandwidth=1e9), "batch": 50}  # fmt: skip
    return InferJob(**(given | changes))


def test_workers_of_different_speed_finish_together_near_the_bound():
    run = run_inference(job(), Streams(0))
    assert run.job.bound_s == pytest.approx(100.0)
    assert run.makespan_s == pytest.approx(100.0, rel=0.01)
    assert run.makespan_s >= run.job.bound_s
    assert max(run.finish_s) - min(run.finish_s) < 2.0


def test_every_shard_keeps_the_proportions_of_the_whole():
    run = run_inference(job(), Streams(0))
    assert sum(run.samples) == 50_000
    assert run.skew < 2 / 10_000
    cut = run_inference(job(sharding="by-speed"), Streams(0))
    assert cut.skew > 0.07  # sorted by class and merely cut: one shard holds all that is rare


def test_an_even_split_waits_for_the_slow():
    run = run_inference(job(sharding="balanced"), Streams(0))
    assert run.makespan_s == pytest.approx(50_000 / 3 / 100, rel=0.01)


def test_a_shared_storage_bounds_them_all():
    run = run_inference(job(storage=StorageSystem(read_bandwidth=2.5e6)), Streams(0))
    assert run.makespan_s == pytest.approx(200.0, rel=0.02)
    assert run.job.bound_s == pytest.approx(200.0)


def test_memory_holds_only_what_is_in_flight():
    run = run_inference(job(), Streams(0))
    assert sum(run.memory.values()) == 2 * 2 * 50 * 1e4
    with pytest.raises(Infeasible):
        run_inference(job(host_memory=1e5), Streams(0))


def test_batches_that_stand_for_several_change_little(monkeypatch):
    whole = run_inference(job(), Streams(0))
    monkeypatch.setattr("simulator.engine.data.inference.MAX_BATCHES", 300)
    assert run_inference(job(), Streams(0)).makespan_s == pytest.approx(whole.makespan_s, rel=0.05)


@pytest.mark.parametrize("wrong", [{"rates": ()}, {"rates": (1.0, 0.0)},
                                   {"dataset": Dataset(samples=10, size=SampleSize(mean=1.0))}])  # fmt: skip
def test_nonsense_is_refused(wrong):
    with pytest.raises(InputError):
        job(**wrong)
