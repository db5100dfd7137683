"""Stages of unequal length: the closed form beside the engine, and what unequal lengths are good for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.mapping.plan import Plan
from tests.engine.training.steps import engine_seconds, estimate_seconds, step_times

STAGES = st.lists(st.tuples(st.floats(0.5, 2.0), st.floats(1.2, 2.8)), min_size=1, max_size=8)


def passes(stages):
    """Return forward and backward times of stages drawn as (forward, ratio)."""
    return [f for f, _ in stages], [f * ratio for f, ratio in stages]


@given(stages=STAGES, m=st.integers(1, 20))
@settings(derandomize=True, max_examples=80, deadline=None)
def test_gpipe_is_two_flow_shops_of_equal_jobs(stages, m):
    f, b = passes(stages)
    plan = Plan(pp=len(f), micro_batches=m, schedule="gpipe")
    times = step_times(f, b, weights=[0.0] * len(f))
    exact = sum(f) + sum(b) + (m - 1) * (max(f) + max(b))
    assert engine_seconds(plan, times) == pytest.approx(exact, rel=1e-9)
    assert estimate_seconds(plan, times) == pytest.approx(exact, rel=1e-9)


@given(stages=STAGES, m=st.integers(1, 20))
@settings(derandomize=True, max_examples=150, deadline=None)
def test_1f1b_is_no_shorter_than_its_longest_chain_and_hardly_longer(stages, m):
    """The estimate is a chain of passes that wait for each other: a lower bound, and within 4 % of what is played."""
    f, b = passes(stages)
    plan, times = Plan(pp=len(f), micro_batches=m), step_times(f, b, weights=[0.0] * len(f))
    played, chain = engine_seconds(plan, times), estimate_seconds(plan, times)
    work = [one + other for one, other in zip(f, b, strict=True)]
    assert chain <= played * (1 + 1e-9)
    assert played <= chain * 1.04
    assert played <= (sum(work) + (m - 1) * max(work)) * (1 + 1e-9)
    assert chain >= m * max(work) * (1 - 1e-9)


@given(stages=STAGES, half=st.integers(1, 4), more=st.integers(0, 6))
@settings(derandomize=True, max_examples=60, deadline=None)
def test_split_schedules_are_bounded_by_work_and_by_equal_stages_as_long_as_the_longest(stages, half, more):
    stages = (stages * 8)[: 2 * half]
    f, b = passes(stages)
    p, m = len(f), 2 * len(f) + 2 * more
    for name in ("zb-h1", "dualpipe"):
        plan = Plan(pp=p, micro_batches=m, schedule=name)
        played = engine_seconds(plan, step_times(f, b, weights=[one / 2 for one in b], joined=0.0))
        longest = step_times([max(f)] * p, [max(b)] * p, weights=[max(b) / 2] * p)
        work = [one + other for one, other in zip(f, b, strict=True)]
        piece = work if name == "zb-h1" else [(one + other) / 2 for one, other in zip(work, work[::-1], strict=True)]
        assert m * max(piece) <= played * (1 + 1e-9)
        assert played <= engine_seconds(plan, longest) * (1 + 1e-9)
        assert m * max(piece) <= estimate_seconds(plan, step_times(f, b, weights=[one / 2 for one in b])) * (1 + 1e-9)


@given(stages=STAGES, v=st.integers(2, 3), groups=st.integers(1, 3))
@settings(derandomize=True, max_examples=60, deadline=None)
def test_interleaved_stages_of_unequal_length_are_bounded_too(stages, v, groups):
    stages = stages if len(stages) > 1 else stages * 2
    f, b = passes(stages)
    plan = Plan(pp=len(f), vpp=v, micro_batches=groups * len(f))
    played = engine_seconds(plan, step_times(f, b, weights=[0.0] * len(f)))
    work = [one + other for one, other in zip(f, b, strict=True)]
    assert plan.micro_batches * max(work) <= played * (1 + 1e-9)
    equal = step_times([max(f)] * len(f), [max(b)] * len(f), weights=[0.0] * len(f))
    assert played <= engine_seconds(plan, equal) * (1 + 1e-9)


@pytest.mark.parametrize("name", ["gpipe", "1f1b", "zb-h1", "dualpipe"])
@pytest.mark.parametrize("p", [2, 4, 6])
def test_a_column_per_stage_prices_what_three_columns_do(name, p):
    three = step_times([0.9, 1.0, 1.2], [1.8, 2.0, 2.5], weights=[0.8, 1.0, 1.1], joined=0.1)
    spread = [0, *[1] * (p - 2), 2]
    each = step_times(*([values[column] for column in spread] for values in ([0.9, 1.0, 1.2], [1.8, 2.0, 2.5])),
                      weights=[[0.8, 1.0, 1.1][column] for column in spread], joined=0.1)  # fmt: skip
    plan = Plan(pp=p, micro_batches=3 * p, schedule=name)
    assert engine_seconds(plan, each) == engine_seconds(plan, three)
    assert estimate_seconds(plan, each) == pytest.approx(estimate_seconds(plan, three), rel=1e-12)
