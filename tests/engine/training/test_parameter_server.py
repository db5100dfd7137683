"""Workers and parameter servers: bounds, limits and conservation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.costs.synchronization import server_time, update_rate_bound
from simulator.engine.training.parameter_server import Workers, play
from simulator.foundation.errors import InputError

RESNET50 = 25.557e6 * 4  # bytes of its gradients in fp32


def run(workers: Workers, updates: int = 400):
    return play(workers, updates, np.random.default_rng(3))


def crew(compute, **changes) -> Workers:
    return Workers(**{"compute": compute, "service": 0.01, "own": 0.02, "staleness": None} | changes)


def test_sixteen_workers_of_resnet50_on_one_server_exchange_for_262_ms():
    service = float(server_time(RESNET50, servers=1, bandwidth=12.5e9))
    found = run(crew([0.1] * 16, service=service, own=service, staleness=0))
    assert found.round_s - 0.1 == pytest.approx(0.262, abs=0.0005)


times = st.lists(st.floats(0.01, 1.0), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(times, st.floats(0.0, 0.1), st.floats(0.0, 0.1))
def test_asynchronous_workers_stay_below_both_bounds(compute, service, own):
    found = run(crew(compute, service=service, own=own), 60 * len(compute))
    edge = 1 + 2 * len(compute) / found.updates  # batches under way at either end of the run
    assert found.rate <= update_rate_bound(compute, service, own) * edge
    assert sum(found.by_worker) == found.updates <= sum(found.staleness.values()) <= found.updates + len(compute)


@settings(max_examples=40, deadline=None)
@given(times, st.integers(0, 5), st.floats(0.0, 0.5))
def test_no_worker_is_further_ahead_than_its_bound(compute, staleness, spread):
    found = run(crew(compute, staleness=staleness, spread=spread), 30 * len(compute))
    assert found.ahead <= staleness


@settings(max_examples=30, deadline=None)
@given(times, st.floats(0.0, 0.1))
def test_no_staleness_is_a_synchronous_step(compute, service):
    found = run(crew(compute, service=service, own=0.0, staleness=0), 20 * len(compute))
    slowest = max(compute)
    assert slowest + service <= found.round_s * (1 + 1e-9)
    assert found.round_s <= (slowest + len(compute) * service) * (1 + 1e-9)
    assert len(set(found.by_worker)) == 1
    assert set(found.staleness) == {0}


def test_more_freedom_is_never_slower_where_times_vary():
    rates = [run(crew([0.1] * 8, staleness=bound, spread=0.3), 4000).rate for bound in (0, 1, 4, None)]
    assert rates == sorted(rates)
    assert rates[-1] > 1.2 * rates[0]


def test_bounded_staleness_runs_at_the_pace_of_the_slowest_and_free_workers_do_not():
    compute = [0.1] * 7 + [0.3]
    bounded, free = (run(crew(compute, staleness=bound), 4000).rate for bound in (3, None))
    assert bounded == pytest.approx(8 / 0.32, rel=0.01)
    assert free == pytest.approx(7 / 0.12 + 1 / 0.32, rel=0.02)


@pytest.mark.parametrize("service", [0.0, 0.01, 0.05])
def test_free_workers_are_late_by_one_update_of_each_other_worker(service):
    found = run(crew([0.1] * 7 + [0.2], service=service, spread=0.5), 8000)
    assert found.mean_staleness == pytest.approx(7, rel=0.01)


def test_a_tighter_bound_makes_gradients_fresher():
    late = [run(crew([0.1] * 7 + [0.3], staleness=bound), 4000).mean_staleness for bound in (0, 1, 8, None)]
    assert late == sorted(late)
    assert late[1] < late[-1]


def test_a_saturated_server_sets_the_rate():
    found = run(crew([0.05] * 50), 5000)
    assert found.rate == pytest.approx(1 / 0.01, rel=0.02)
    assert found.busy == pytest.approx(1.0, abs=0.02)


def test_the_same_stream_gives_the_same_run():
    assert run(crew([0.1, 0.2], spread=0.2)) == run(crew([0.1, 0.2], spread=0.2))


def test_a_job_without_workers_is_refused():
    with pytest.raises(InputError, match="at least 1 worker"):
        crew([])
