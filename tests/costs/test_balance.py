"""Shares and stage lengths in proportion to speed, against every possibility of small problems and against bounds."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.costs.balance import fastest_lengths, fastest_shares

SMALL_PROBLEMS = 250


def until(start, each, units):
    """Return the seconds until replicas are done with 0, 1, ... units."""
    counts = np.arange(units + 1)
    return np.where(counts > 0, np.array(start)[:, None] + np.array(each)[:, None] * counts, 0.0)


def last_done(shares, times):
    return max(float(times[kind, share]) for kind, found in enumerate(shares) for share in found)


def test_shares_equal_brute_force_on_small_problems():
    rng = np.random.default_rng(5)
    for _ in range(SMALL_PROBLEMS):
        kinds, units = int(rng.integers(1, 4)), int(rng.integers(1, 8))
        counts = rng.integers(1, 3, kinds).tolist()
        times = until(rng.uniform(0, 2, kinds), rng.uniform(0.3, 3, kinds), units)
        found = fastest_shares(times, counts, units)
        owner = [kind for kind, count in enumerate(counts) for _ in range(count)]
        best = min(
            max(float(times[kind, share]) for kind, share in zip(owner, shares, strict=True))
            for shares in product(range(units + 1), repeat=len(owner))
            if sum(shares) == units
        )
        assert sum(map(sum, found)) == units
        assert last_done(found, times) == pytest.approx(best, rel=1e-12)


SPEEDS = st.lists(st.floats(0.2, 5.0), min_size=1, max_size=6)


@given(each=SPEEDS, units=st.integers(1, 200))
@settings(derandomize=True, max_examples=100, deadline=None)
def test_shares_end_within_one_unit_of_total_work_over_total_speed_and_no_later_than_equal_ones(each, units):
    times = until([0.0] * len(each), each, units)
    done = last_done(fastest_shares(times, [1] * len(each), units), times)
    ideal = units / sum(1 / seconds for seconds in each)
    assert ideal * (1 - 1e-9) <= done <= ideal + max(each)
    assert done <= -(-units // len(each)) * max(each) * (1 + 1e-12)  # some replica of equal shares has that many


@given(each=SPEEDS, another=st.floats(0.2, 5.0), units=st.integers(1, 60), start=st.floats(0.0, 3.0))
@settings(derandomize=True, max_examples=100, deadline=None)
def test_a_further_replica_never_slows_the_step(each, another, units, start):
    fewer, more = (until([start] * len(speeds), speeds, units) for speeds in (each, [*each, another]))
    before = last_done(fastest_shares(fewer, [1] * len(each), units), fewer)
    assert last_done(fastest_shares(more, [1] * (len(each) + 1), units), more) <= before


def test_equal_machines_have_equal_shares():
    (found,) = fastest_shares(until([1.0], [2.0], 24), [8], 24)
    assert found == (3,) * 8


def step(fixed, each, lengths, m):
    work = np.array(fixed) + np.array(lengths) * np.array(each)
    return float(work.sum() + (m - 1) * work.max())


def test_lengths_equal_brute_force_on_small_problems():
    rng = np.random.default_rng(6)
    infeasible = 0
    for _ in range(SMALL_PROBLEMS):
        p, unit = int(rng.integers(1, 5)), int(rng.integers(1, 3))
        layers, m = unit * int(rng.integers(p, p + 7)), int(rng.integers(1, 20))
        fixed, each = rng.uniform(0, 2, p), rng.uniform(0.3, 3, p)
        most = rng.integers(1, layers + 1, p)
        found = fastest_lengths(fixed, each, layers, m, most=most, unit=unit)
        cuts = [cut for cut in product(range(unit, layers + 1, unit), repeat=p)
                if sum(cut) == layers and np.all(np.array(cut) <= most)]  # fmt: skip
        if not cuts:
            assert found is None
            infeasible += 1
            continue
        assert found in cuts
        assert step(fixed, each, found, m) == pytest.approx(min(step(fixed, each, cut, m) for cut in cuts), rel=1e-12)
    assert 0 < infeasible < SMALL_PROBLEMS / 2


@given(each=st.lists(st.floats(0.2, 5.0), min_size=1, max_size=6), more=st.integers(0, 60), m=st.integers(1, 100))
@settings(derandomize=True, max_examples=100, deadline=None)
def test_the_longest_stage_is_bounded_by_total_work_over_total_speed(each, more, m):
    layers = len(each) + more
    lengths = fastest_lengths([0.0] * len(each), each, layers, m)
    work = np.array(lengths) * np.array(each)
    assert work.max() >= layers / sum(1 / seconds for seconds in each) * (1 - 1e-9)
    even = [layers // len(each) + (stage < layers % len(each)) for stage in range(len(each))]
    assert step([0.0] * len(each), each, lengths, m) <= step([0.0] * len(each), each, even, m) * (1 + 1e-12)


def test_equal_stages_have_equal_lengths_and_the_head_takes_layers_off_its_stage():
    assert fastest_lengths([0.0] * 4, [1.0] * 4, 32, 8) == (8,) * 4
    *others, last = fastest_lengths([0.0, 0.0, 0.0, 2.5], [1.0] * 4, 32, 64)
    assert last < min(others)
