"""A service that answers in one pass against queueing theory; seeds are fixed, tolerances set beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.costs.caching import che, zipf
from simulator.engine.serving.predictor import Predicted, PredictorService, Stage, predict
from simulator.engine.serving.stations.batching import batched
from simulator.foundation.randomness import Streams
from simulator.workload.requests import Requests

N = 200_000


def poisson(rate: float) -> Requests:
    ones = np.ones(N, np.int32)
    return Requests(arrival_s=np.cumsum(Streams(1)["arrivals"].exponential(1 / rate, N)), prompt=ones, output=ones)


def played(rate: float, *stages: Stage) -> Predicted:
    return predict(poisson(rate), PredictorService(stages=stages))


def stage(name: str = "only", *, seconds: tuple[float, ...] = (1.0,), **more: object) -> Stage:
    return Stage(name=name, latency_s=seconds, occupied_s=seconds, servers=1, **more)  # type: ignore[arg-type]


def test_without_batching_the_stay_is_that_of_m_d_1() -> None:
    run = played(0.8, stage())
    assert run.latency_s.mean() == pytest.approx(1 + 0.8 / (2 * 0.2), rel=0.03)
    assert run.stages["only"].busy_s / run.span_s == pytest.approx(0.8, rel=0.01)


def test_a_device_that_shares_its_time_gives_the_stay_of_m_g_1_ps() -> None:
    assert played(0.8, stage(shared=True)).latency_s.mean() == pytest.approx(1 / (1 - 0.8), rel=0.04)


def test_static_batches_wait_for_the_mean_half_of_their_filling() -> None:
    full = 10
    run = played(1.0, stage(seconds=tuple(0.001 for _ in range(full)), delay_s=None))
    assert run.stages["only"].mean_batch == pytest.approx(full, rel=1e-3)
    assert run.latency_s.mean() == pytest.approx((full - 1) / 2 + 0.001, rel=0.02)


def test_the_last_static_batch_leaves_with_the_last_request() -> None:
    visits, batch = batched(np.array([0.0, 1.0, 2.0, 3.0, 5.0]), latency_s=[1.0, 1.0, 1.0], delay_s=None)
    assert visits.start_s.tolist() == [2.0, 2.0, 2.0, 5.0, 5.0]
    assert batch.tolist() == [3, 3, 3, 2, 2]


def test_a_graph_waits_for_the_slower_branch() -> None:
    quick, slow = stage("quick", seconds=(0.1,)), stage("slow", seconds=(0.5,))
    run = played(0.05, quick, slow, stage("join", seconds=(0.2,), before=("quick", "slow")))
    assert np.median(run.latency_s) == pytest.approx(0.7)


def test_ches_rate_with_equal_sizes_is_that_of_equal_items() -> None:
    popularity = zipf(100, 0.8)
    same = che(popularity, 60.0, np.full(100, 3.0))
    assert same == pytest.approx(che(popularity, 20.0))
