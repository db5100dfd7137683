"""Stations against queueing theory; seeds are fixed, tolerances set beforehand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulator.engine.serving.stations.batching import batched
from simulator.engine.serving.stations.queue import first_come
from simulator.engine.serving.stations.routed import routed
from simulator.engine.serving.stations.shared import processor_sharing
from simulator.foundation.randomness import Streams

N = 400_000
WARM = 40_000


def poisson(rate: float, seed: int = 1, n: int = N) -> np.ndarray:
    return np.cumsum(Streams(seed)["arrivals"].exponential(1 / rate, n))


def exponential(mean: float, seed: int = 2, n: int = N) -> np.ndarray:
    return Streams(seed)["service"].exponential(mean, n)


def erlang_c(servers: int, load: float) -> float:
    blocking = 1.0
    for k in range(1, servers + 1):
        blocking = load * blocking / (k + load * blocking)
    rho = load / servers
    return blocking / (1 - rho + rho * blocking)


@pytest.mark.parametrize(("rho", "tolerance"), [(0.5, 0.01), (0.8, 0.03)])
def test_the_mean_stay_in_m_m_1_is_one_over_mu_minus_lambda(rho: float, tolerance: float) -> None:
    visits = first_come(poisson(rho), exponential(1.0))
    assert visits.sojourn_s[WARM:].mean() == pytest.approx(1 / (1 - rho), rel=tolerance)


@pytest.mark.parametrize(("servers", "rho"), [(8, 0.8), (64, 0.9)])
def test_the_wait_in_m_m_c_is_erlangs(servers: int, rho: float) -> None:
    load = servers * rho
    visits = first_come(poisson(load), exponential(1.0), servers=servers)
    waiting = erlang_c(servers, load)
    assert (visits.wait_s[WARM:] > 0).mean() == pytest.approx(waiting, rel=0.05)
    assert visits.sojourn_s[WARM:].mean() == pytest.approx(1 + waiting / (servers - load), rel=0.02)


def test_the_wait_in_m_d_1_is_half_of_that_in_m_m_1() -> None:
    visits = first_come(poisson(0.8), np.ones(N))
    assert visits.wait_s[WARM:].mean() == pytest.approx(0.8 / (2 * (1 - 0.8)), rel=0.03)


def test_the_wait_in_m_g_1_is_pollaczeks_and_khinchines() -> None:
    draws = Streams(3)["service"]
    service = np.where(draws.random(N) < 0.1, draws.exponential(5.0, N), draws.exponential(0.5 / 0.9, N))
    mean, second = service.mean(), (service**2).mean()
    rate = 0.7 / mean
    visits = first_come(poisson(rate), service)
    assert visits.wait_s[WARM:].mean() == pytest.approx(rate * second / (2 * (1 - 0.7)), rel=0.06)


@pytest.mark.parametrize(("rho", "room"), [(1.5, 50), (0.9, 5)])
def test_a_full_m_m_1_k_refuses_what_theory_says(rho: float, room: int) -> None:
    visits = first_come(poisson(rho), exponential(1.0), room=room)
    expected = (1 - rho) * rho**room / (1 - rho ** (room + 1))
    assert visits.refused[WARM:].mean() == pytest.approx(expected, rel=0.02)


def test_a_loss_system_refuses_erlangs_share() -> None:
    visits = first_come(poisson(8.0), exponential(1.0), servers=10, room=10)
    blocking = 1.0
    for k in range(1, 11):
        blocking = 8.0 * blocking / (k + 8.0 * blocking)
    assert visits.refused[WARM:].mean() == pytest.approx(blocking, rel=0.03)


@pytest.mark.parametrize("law", ["exponential", "deterministic"])
def test_sharing_a_processor_makes_the_mean_stay_independent_of_the_law(law: str) -> None:
    n = 150_000
    work = exponential(1.0, n=n) if law == "exponential" else np.ones(n)
    arrival = poisson(0.8, n=n)
    assert (processor_sharing(arrival, work) - arrival)[15_000:].mean() == pytest.approx(5.0, rel=0.04)


def test_two_choices_cut_the_stay_from_ten_to_two_and_a_half() -> None:
    servers = 200
    arrival, service = poisson(0.9 * servers, n=800_000), exponential(1.0, n=800_000)
    two = routed(arrival, service, servers=servers, policy="power-of-two", generator=Streams(4)["router"])
    expected = sum(0.9 ** (2**i - 2) for i in range(1, 12))  # Mitzenmacher 2001, d = 2
    assert two.sojourn_s[200_000:].mean() == pytest.approx(expected, rel=0.05)
    one = routed(arrival, service, servers=servers, policy="random", generator=Streams(4)["router"])
    assert one.sojourn_s[200_000:].mean() > 3 * two.sojourn_s[200_000:].mean()


def test_littles_law_holds_exactly_over_a_run_that_starts_and_ends_empty() -> None:
    visits = first_come(poisson(0.9, n=20_000), exponential(1.0, n=20_000), servers=1)
    events = np.concatenate([visits.arrival_s, visits.end_s])
    change = np.concatenate([np.ones(20_000), -np.ones(20_000)])
    order = np.argsort(events, kind="stable")
    inside = np.cumsum(change[order])[:-1]
    area = (inside * np.diff(events[order])).sum()
    assert area == pytest.approx(visits.sojourn_s.sum(), rel=1e-9)


def test_pooling_servers_beats_giving_each_its_own_queue() -> None:
    arrival, service = poisson(7.2), exponential(1.0)
    pooled = first_come(arrival, service, servers=8)
    apart = routed(arrival, service, servers=8, policy="random", generator=Streams(5)["router"])
    assert pooled.sojourn_s.mean() < 0.4 * apart.sojourn_s.mean()


def test_tandem_queues_of_a_jackson_network_add_up() -> None:
    first = first_come(poisson(3.2), exponential(1.0), servers=4)
    order = np.argsort(first.end_s, kind="stable")
    second = first_come(first.end_s[order], exponential(5.0, seed=9), servers=20)
    stay = first.sojourn_s[WARM:].mean() + second.sojourn_s[WARM:].mean()
    expected = 1 + erlang_c(4, 3.2) / (4 - 3.2) + 5 + erlang_c(20, 16.0) / (20 / 5 - 3.2)
    assert stay == pytest.approx(expected, rel=0.02)


def test_hand_computed_batches() -> None:
    arrival = np.array([0.0, 0.5, 0.9, 10.0])
    visits, batch = batched(arrival, latency_s=[1.0, 1.2, 1.4, 1.6], delay_s=0.6)
    assert visits.start_s.tolist() == [0.6, 0.6, 1.8, 10.6]
    assert visits.end_s.tolist() == pytest.approx([1.8, 1.8, 2.8, 11.6])
    assert batch.tolist() == [2, 2, 1, 1]


def test_a_pipeline_takes_the_next_sample_after_its_initiation_interval() -> None:
    visits, _ = batched(np.zeros(5), latency_s=[10.0], occupied_s=[2.0])
    assert visits.end_s.tolist() == [10, 12, 14, 16, 18]


def test_customers_without_patience_give_up_and_the_rest_is_served() -> None:
    visits = first_come(np.array([0.0, 0.1, 0.2]), np.array([1.0, 1.0, 1.0]), patience_s=0.95)
    assert visits.gave_up.tolist() == [False, False, True]
    assert math.isnan(visits.end_s[2])
