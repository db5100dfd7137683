"""Laws of a shared pipe."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.engine.clock import TICKS_PER_SECOND, to_ticks
from simulator.engine.data.pipe import SharedPipe


def ends_of(arrivals: list[tuple[float, float]], capacity: float, cap: float) -> dict[int, float]:
    """Drive a pipe with (second, bytes) and return the second at which each ended."""
    pipe, ended = SharedPipe(capacity, cap), {}
    pending = sorted((to_ticks(second), tag, size) for tag, (second, size) in enumerate(arrivals))
    while pending or pipe.open:
        end = pipe.next_end()
        if end is not None and (not pending or end <= pending[0][0]):
            ended[pipe.end(end)] = end / TICKS_PER_SECOND
        else:
            now, tag, size = pending.pop(0)
            pipe.start(now, size, tag)
    assert pipe.moved == pytest.approx(sum(size for _, size in arrivals))
    return ended


def naive(arrivals: list[tuple[float, float]], capacity: float, cap: float) -> dict[int, float]:
    """The slow, obvious twin: every open transfer's remaining bytes, brought forward at each change."""
    left, ended, now = {}, {}, 0.0
    pending = sorted((second, tag, size) for tag, (second, size) in enumerate(arrivals))
    while pending or left:
        rate = min(cap, capacity / len(left)) if left else 0.0
        finish = now + min(left.values()) / rate if left else np.inf
        if pending and pending[0][0] < finish:
            moment, tag, size = pending.pop(0)
            left = {key: value - rate * (moment - now) for key, value in left.items()}
            left[tag], now = size, moment
        else:
            tag = min(left, key=lambda key: left[key])
            left = {key: value - rate * (finish - now) for key, value in left.items() if key != tag}
            ended[tag], now = finish, finish
    return ended


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    arrivals=st.lists(st.tuples(st.floats(0, 10), st.floats(1, 50)), min_size=1, max_size=15),
    cap=st.sampled_from([1.0, 4.0, float("inf")]),
)
def test_transfers_end_when_the_obvious_twin_says(arrivals, cap):
    fast, slow = ends_of(arrivals, 7.0, cap), naive(arrivals, 7.0, cap)
    assert fast.keys() == slow.keys()
    for tag, end in slow.items():
        assert fast[tag] == pytest.approx(end, abs=1e-8)


def test_two_equal_transfers_take_twice_as_long_and_a_capped_one_does_not():
    assert set(ends_of([(0, 10), (0, 10)], 10.0, np.inf).values()) == {2.0}
    assert set(ends_of([(0, 10), (0, 10)], 10.0, 5.0).values()) == {2.0}
    assert set(ends_of([(0, 10)], 10.0, 5.0).values()) == {2.0}


def test_poisson_transfers_last_as_processor_sharing_says():
    rng = np.random.default_rng(3)
    arrivals = np.cumsum(rng.exponential(1 / 0.6, size=60_000))
    sizes = rng.exponential(1.0, size=60_000)
    ended = ends_of(list(zip(arrivals.tolist(), sizes.tolist(), strict=True)), 1.0, np.inf)
    times = np.array([ended[tag] for tag in range(60_000)]) - arrivals
    assert times.mean() == pytest.approx(1 / (1 - 0.6), rel=0.05)


def test_busy_time_is_counted_only_while_something_moves():
    pipe = SharedPipe(10.0)
    pipe.start(to_ticks(1.0), 20.0, 0)
    end = pipe.next_end()
    assert end == to_ticks(3.0)
    pipe.end(end)
    pipe.change(to_ticks(9.0), 5.0)
    assert pipe.busy_ticks == to_ticks(2.0)


def test_a_pipe_without_capacity_stands_still_until_it_changes():
    pipe = SharedPipe(10.0)
    pipe.start(0, 10.0, 0)
    pipe.change(to_ticks(0.5), 0.0)
    assert pipe.next_end() is None
    pipe.change(to_ticks(2.0), 10.0)
    assert pipe.next_end() == to_ticks(2.5)
