"""Federated rounds against order statistics, and their conservation laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.costs.rounds import expected_order, exponential_order
from simulator.engine.training.federated import FederatedJob, Spread, play_rounds
from simulator.foundation.errors import InputError


def job(**changes) -> FederatedJob:
    same = Spread(median=1e6, sigma=0.0)
    return FederatedJob(**{
        "rounds": 200, "clients": 20_000, "sampled": 100, "needed": 100, "deadline": math.inf, "dropout": 0.0,
        "down": same, "up": same, "compute": Spread(median=60.0, sigma=0.7), "download": 1e6, "upload": 2e6,
        "server": 1e12,
    } | changes)  # fmt: skip


def play(plan: FederatedJob):
    return play_rounds(plan, np.random.default_rng(5))


def test_the_last_of_n_exponential_times_is_the_harmonic_number():
    assert exponential_order(2.0, 50, 50) == pytest.approx(2.0 * sum(1 / k for k in range(1, 51)))


@pytest.mark.parametrize(("rank", "clients"), [(1, 1), (1, 20), (10, 20), (20, 20), (90, 100)])
def test_the_general_formula_agrees_with_the_exponential_one(rank, clients):
    found = expected_order(lambda share: -np.log1p(-share), rank, clients)
    assert found == pytest.approx(exponential_order(1.0, rank, clients), rel=2e-3)


@pytest.mark.parametrize("needed", [20, 60, 100])
def test_a_round_takes_as_long_as_its_order_statistic(needed):
    found = play(job(needed=needed))
    error = found.round_s.std() / math.sqrt(len(found.round_s))
    assert found.expected_s is not None
    assert abs(found.round_s.mean() - found.expected_s) < 4 * error


def test_clients_alike_take_transfer_and_training():
    found = play(job(compute=Spread(median=60.0, sigma=0.0)))
    assert found.round_s == pytest.approx(np.full(200, 1.0 + 60.0 + 2.0))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 100), st.floats(0.0, 0.9), st.floats(1.0, 200.0))
def test_every_asked_client_is_used_late_or_silent(needed, dropout, deadline):
    plan = job(rounds=20, needed=needed, dropout=dropout, deadline=deadline)
    found = play(plan)
    assert (found.answers + found.late <= plan.sampled).all()
    assert (found.round_s <= deadline + 1e-9).all()
    assert (found.failed == (found.answers < needed)).all()
    assert found.bytes_up == pytest.approx(2e6 * found.answers.sum())


def test_asking_more_than_are_needed_shortens_rounds():
    tight, ample = play(job(sampled=100)), play(job(sampled=130))
    assert ample.round_s.mean() < 0.8 * tight.round_s.mean()
    assert ample.late.mean() == pytest.approx(30)


def test_a_narrow_server_holds_every_client_up():
    assert play(job(server=1e6)).round_s.mean() > play(job()).round_s.mean() + 250


def test_a_round_cannot_need_more_than_it_asks():
    with pytest.raises(InputError, match="at most the next"):
        job(needed=101)
