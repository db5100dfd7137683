"""Many models on few devices, and requests that pass several models."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from simulator.engine.serving.stations.catalogue import serve_catalogue
from simulator.engine.serving.stations.graph import play_graph
from simulator.engine.serving.stations.queue import first_come
from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.randomness import Streams


def zipf(models: int, n: int, skew: float) -> np.ndarray:
    weights = np.arange(1, models + 1) ** -skew
    return np.searchsorted(np.cumsum(weights / weights.sum()), Streams(1)["models"].random(n))


def test_hits_of_a_least_recently_used_store_of_models_are_those_of_ches_approximation() -> None:
    models, room, n = 200, 40, 60_000
    asked = zipf(models, n, 0.9)
    run = serve_catalogue(np.arange(n, dtype=float), asked, service_s=np.full(models, 1e-6), size_bytes=np.ones(models),
                          devices=1, memory_bytes=float(room), load_bandwidth=1e9)  # fmt: skip
    popularity = np.arange(1, models + 1) ** -0.9
    popularity /= popularity.sum()
    time = brentq(lambda t: (1 - np.exp(-popularity * t)).sum() - room, 1, 1e6)
    expected = (popularity * (1 - np.exp(-popularity * time))).sum()
    assert run.hit[5000:].mean() == pytest.approx(expected, rel=0.02)


def test_a_model_that_was_evicted_waits_for_its_load() -> None:
    at, asked, ones = np.array([0.0, 10.0, 20.0]), np.array([0, 1, 0]), np.ones(2)
    run = serve_catalogue(
        at, asked, service_s=ones, size_bytes=8 * ones, devices=1, memory_bytes=10.0, load_bandwidth=4.0
    )
    assert run.latency_s.tolist() == [3.0, 3.0, 3.0]
    assert run.loads == 3


def test_a_model_larger_than_a_device_is_infeasible() -> None:
    with pytest.raises(Infeasible, match="larger than the memory"):
        serve_catalogue(np.zeros(1), np.zeros(1, int), service_s=np.ones(1), size_bytes=np.array([11.0]), devices=1,
                        memory_bytes=10.0, load_bandwidth=1.0)  # fmt: skip


def test_a_stage_waits_for_the_slowest_of_those_before_it() -> None:
    fixed = {name: (lambda at, _, s=seconds: first_come(at, np.full(len(at), s), servers=9).end_s)
             for name, seconds in (("detect", 1.0), ("embed", 3.0), ("rank", 0.5))}  # fmt: skip
    ends = play_graph(np.array([0.0, 5.0]), fixed, {"rank": ["detect", "embed"]})
    assert ends["rank"].tolist() == [3.5, 8.5]


def test_stages_in_a_circle_are_told() -> None:
    with pytest.raises(InputError, match="in a circle"):
        play_graph(np.zeros(1), {"a": lambda at, _: at, "b": lambda at, _: at}, {"a": ["b"], "b": ["a"]})
