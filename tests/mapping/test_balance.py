"""Laws of cutting a list of layers into balanced stages."""

from __future__ import annotations

from itertools import accumulate, combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.foundation.errors import InputError
from simulator.mapping.balance import balanced_stages

COSTS = st.lists(st.integers(0, 50).map(float), min_size=1, max_size=9)


def costliest(costs, held):
    ends = list(accumulate(held))
    return max(sum(costs[end - count : end]) for end, count in zip(ends, held, strict=True))


@settings(max_examples=120, derandomize=True, deadline=None)
@given(costs=COSTS, data=st.data())
def test_no_other_cut_has_a_cheaper_costliest_stage(costs, data):
    stages = data.draw(st.integers(1, len(costs)))
    held = balanced_stages(costs, stages)
    assert len(held) == stages
    assert sum(held) == len(costs)
    assert min(held) >= 1
    every = (
        [end - first for first, end in zip((0, *cut), (*cut, len(costs)), strict=True)]
        for cut in combinations(range(1, len(costs)), stages - 1)
    )
    assert costliest(costs, held) == min(costliest(costs, other) for other in every)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(costs=st.lists(st.floats(0.1, 9.0), min_size=2, max_size=60), data=st.data())
def test_the_costliest_stage_lies_between_the_mean_and_the_mean_and_one_layer(costs, data):
    stages = data.draw(st.integers(1, len(costs)))
    mean = sum(costs) / stages
    found = costliest(costs, balanced_stages(costs, stages))
    assert max(mean, max(costs)) * (1 - 1e-12) <= found <= mean + max(costs)


def test_fewer_layers_than_stages_are_refused():
    with pytest.raises(InputError, match="use at most 2"):
        balanced_stages([1.0, 1.0], 3)
