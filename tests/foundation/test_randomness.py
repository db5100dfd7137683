from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.foundation.randomness import Streams


def draws(streams: Streams, name: str, count: int = 8) -> list[float]:
    return [float(value) for value in streams[name].random(count)]


def test_the_same_seed_and_name_give_the_same_draws() -> None:
    assert draws(Streams(7), "arrivals") == draws(Streams(7), "arrivals")


def test_asking_for_other_names_or_in_another_order_changes_nothing() -> None:
    alone = draws(Streams(7), "faults")
    busy = Streams(7)
    for name in ("arrivals", "lengths", "placement"):
        draws(busy, name, 100)
    assert draws(busy, "faults") == alone


def test_names_and_seeds_give_streams_of_their_own() -> None:
    seen = {tuple(draws(Streams(seed), name)) for seed in range(20) for name in ("a", "b", "a/b", "ab")}
    assert len(seen) == 80


def test_a_childs_streams_differ_from_the_parents_and_are_found_by_name() -> None:
    parent = Streams(7)
    assert draws(parent.child("replica 1"), "a") == draws(Streams(7).child("replica 1"), "a")
    assert draws(parent.child("replica 1"), "a") != draws(parent, "a")
    assert draws(parent.child("replica 1"), "a") != draws(parent.child("replica 2"), "a")


def test_two_questions_that_share_a_seed_share_their_randomness() -> None:
    """Common random numbers: a difference between two designs is not drowned by different luck."""
    one, other = Streams(3)["arrivals"].exponential(1.0, 500), Streams(3)["arrivals"].exponential(2.0, 500)
    assert np.allclose(other, 2 * one)


def test_streams_of_different_names_are_not_correlated() -> None:
    columns = np.array([Streams(1)[f"name {i}"].random(4000) for i in range(12)])
    off_diagonal = np.corrcoef(columns) - np.eye(12)
    assert np.abs(off_diagonal).max() < 5 / np.sqrt(4000)


@pytest.mark.parametrize(
    ("seed", "name", "first"), [(0, "arrivals", 0.972809746419624), (7, "faults", 0.13999885177052607)]
)
def test_draws_are_the_same_on_every_platform_and_version(seed: int, name: str, first: float) -> None:
    assert float(Streams(seed)[name].random()) == first


@settings(derandomize=True, max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**63), name=st.text(max_size=20))
def test_any_seed_and_any_name_make_a_stream(seed: int, name: str) -> None:
    assert 0 <= Streams(seed)[name].random() < 1
    assert Streams(seed).child(name).seed >= 0
