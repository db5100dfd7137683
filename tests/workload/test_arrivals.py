"""Arrival processes keep their mean, their variability and their shape."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.randomness import Streams
from simulator.workload.arrivals import arrival_processes, arrivals


@pytest.mark.parametrize("name", [name for name in arrival_processes if name != "surge"])
def test_every_process_arrives_in_order_inside_the_horizon_at_its_mean_rate(name: str) -> None:
    times = arrivals(name, rate=20.0, seconds=86400.0, generator=Streams(1)[name])
    assert np.all(np.diff(times) >= 0)
    assert times[0] >= 0
    assert times[-1] < 86400.0
    assert len(times) / 86400.0 == pytest.approx(20.0, rel=0.03)


@pytest.mark.parametrize(
    ("name", "options", "cv"),
    [("poisson", {}, 1.0), ("gamma", {"cv": 3.0}, 3.0), ("gamma", {"cv": 0.3}, 0.3), ("deterministic", {}, 0.0)],
)
def test_gaps_have_the_coefficient_of_variation_of_their_law(name: str, options: dict[str, float], cv: float) -> None:
    gaps = np.diff(arrivals(name, rate=5.0, seconds=40_000.0, generator=Streams(2)["a"], **options))
    assert gaps.std() / gaps.mean() == pytest.approx(cv, rel=0.03, abs=1e-6)


def test_twice_the_rate_is_the_same_pattern_twice_as_fast() -> None:
    slow = arrivals("gamma", rate=5.0, seconds=1000.0, generator=Streams(3)["a"])
    fast = arrivals("gamma", rate=10.0, seconds=500.0, generator=Streams(3)["a"])
    np.testing.assert_allclose(slow, 2 * fast)


def test_a_surge_is_as_many_times_the_rate_as_it_says() -> None:
    times = arrivals(
        "surge", rate=50.0, seconds=300.0, generator=Streams(4)["a"], factor=6.0, start_s=100.0, length_s=100.0
    )
    inside = ((times >= 100) & (times < 200)).sum()
    outside = len(times) - inside
    assert inside / outside == pytest.approx(3.0, rel=0.06)


def test_bursts_make_a_modulated_process_more_variable_than_poisson() -> None:
    times = arrivals("mmpp", rate=20.0, seconds=20_000.0, generator=Streams(5)["a"])
    counts = np.bincount((times / 10).astype(int))
    assert counts.var() / counts.mean() > 3


def test_a_day_peaks_where_it_should() -> None:
    times = arrivals("diurnal", rate=5.0, seconds=86400.0, generator=Streams(6)["a"], amplitude=0.5, peak_s=43200.0)
    hours = np.histogram(times, bins=24, range=(0, 86400))[0]
    assert hours[11:13].mean() / hours[[0, 23]].mean() == pytest.approx(3.0, rel=0.1)


def test_what_cannot_be_drawn_is_refused_with_the_mend() -> None:
    generator = Streams(0)["a"]
    with pytest.raises(UnknownName, match="Did you mean 'poisson'"):
        arrivals("poison", rate=1, seconds=1, generator=generator)
    with pytest.raises(InputError, match="must be above 0"):
        arrivals("poisson", rate=0, seconds=1, generator=generator)
    with pytest.raises(InputError, match=r"no option 'cvv'\. Known: cv"):
        arrivals("gamma", rate=1, seconds=1, generator=generator, cvv=2)


def test_more_than_a_machine_holds_is_refused_before_it_is_drawn() -> None:
    with pytest.raises(InputError, match="Lower the rate or speed"):
        arrivals("poisson", rate=1e6, seconds=1e6, generator=np.random.default_rng(0))
