"""Routing of tokens to experts, held against draws of the router itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.workload.models.routing import dropped, group_shares, imbalance, popularity


def drawn_imbalance(experts, active, groups, tokens, rounds=200):
    """Route ``tokens`` to ``active`` different experts each, uniformly, and take the busiest group's load."""
    stream = Streams(7)["router"]
    found = []
    for _ in range(rounds):
        chosen = np.argsort(stream.random((tokens, experts)), axis=1)[:, :active]
        loads = np.bincount(chosen.ravel() % groups, minlength=groups)
        found.append(loads.max() / loads.mean())
    return float(np.mean(found))


@pytest.mark.parametrize(
    ("experts", "active", "groups", "tokens"), [(8, 2, 8, 64), (64, 6, 8, 256), (128, 8, 32, 128), (16, 1, 4, 400)]
)
def test_the_busiest_group_of_balanced_routing_is_as_busy_as_in_draws(experts, active, groups, tokens):
    drawn = drawn_imbalance(experts, active, groups, tokens)
    assert imbalance(experts=experts, active=active, groups=groups, tokens=tokens) == pytest.approx(drawn, rel=0.06)


def test_with_many_tokens_balanced_routing_is_even():
    assert imbalance(experts=256, active=8, groups=64, tokens=1e9) == pytest.approx(1.0, abs=1e-3)


def test_more_skew_is_never_more_even_and_one_group_is_always_even():
    last = 0.0
    for skew in (0.0, 0.2, 0.5, 1.0, 2.0):
        now = imbalance(experts=64, active=4, groups=8, tokens=1e7, skew=skew)
        assert now >= last
        last = now
    assert imbalance(experts=64, active=4, groups=1, tokens=10, skew=2.0) == 1.0


@settings(max_examples=50, derandomize=True, deadline=None)
@given(
    groups=st.sampled_from([1, 2, 4, 8]), per_group=st.integers(1, 16), skew=st.floats(0, 3), tokens=st.floats(1, 1e9)
)
def test_the_busiest_group_holds_between_its_fair_share_and_everything(groups, per_group, skew, tokens):
    ratio = imbalance(experts=groups * per_group, active=1, groups=groups, tokens=tokens, skew=skew)
    assert 1.0 <= ratio <= groups


def test_shares_add_up_to_one_before_and_after_grouping():
    shares = popularity(48, 1.0)
    assert shares.sum() == pytest.approx(1.0)
    assert group_shares(shares, 6).sum() == pytest.approx(1.0)
    assert group_shares(shares, 6).max() < shares.reshape(6, -1).sum(axis=1).max()


def test_nothing_is_dropped_with_room_to_spare_and_what_exceeds_it_is():
    assert dropped(experts=8, skew=0.0, capacity=1.0) == 0.0
    assert dropped(experts=8, skew=1.0, capacity=8.0) == 0.0
    assert dropped(experts=2, skew=1.0, capacity=1.0) == pytest.approx(2 / 3 - 1 / 2)


def test_routing_that_cannot_be_is_refused():
    with pytest.raises(InputError, match="do not divide"):
        imbalance(experts=10, active=2, groups=4, tokens=100)
    with pytest.raises(InputError, match="cannot be"):
        imbalance(experts=4, active=5, groups=4, tokens=100)
    with pytest.raises(InputError, match="cannot be"):
        popularity(0)
    with pytest.raises(InputError, match="above 0"):
        dropped(experts=4, skew=0.0, capacity=0.0)
