"""Laws of pipeline schedules, over the whole registry."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.mapping.pipeline import Action, comes_from, goes_to, most_in_flight, schedule_of, schedules
from simulator.mapping.plan import Plan

SHAPES = [(p, m, v) for p in (1, 2, 3, 4, 7) for m in (1, 2, 3, 4, 5, 8, 13) for v in (1, 2, 3)]


def cases():
    for name in schedules:
        for p, m, v in SHAPES:
            if name != "1f1b" or v == 1:
                yield name, p, m, v


@pytest.mark.parametrize(("name", "p", "m", "v"), list(cases()))
def test_a_stage_passes_every_micro_batch_through_every_chunk_once_each_way_forward_first(name, p, m, v):
    for stage in range(p):
        actions = list(schedules[name](stage, p, m, v))
        wanted = {Action(back, j, c) for back in (False, True) for j in range(m) for c in range(v)}
        assert Counter(actions) == Counter(wanted)
        for action in actions:
            if action.backward:
                assert actions.index(action._replace(backward=False)) < actions.index(action)


@pytest.mark.parametrize(("name", "p", "m", "v"), list(cases()))
def test_no_schedule_waits_in_a_circle(name, p, m, v):
    orders = [list(schedules[name](stage, p, m, v)) for stage in range(p)]
    at, done, moved = [0] * p, set(), True
    while moved:
        moved = False
        for stage, order in enumerate(orders):
            while at[stage] < len(order):
                action = order[at[stage]]
                source = comes_from(action, stage, p, v)
                if source and (source.stage, action._replace(chunk=source.chunk)) not in done:
                    break
                done.add((stage, action))
                at[stage] += 1
                moved = True
    assert at == [2 * m * v] * p


@pytest.mark.parametrize(("name", "p", "m", "v"), list(cases()))
def test_the_activations_held_are_those_that_the_memory_account_counts(name, p, m, v):
    """costs.memory.in_flight: all micro-batches, p of them, or p + (p - 1) / v where chunks are interleaved."""
    bound = {"gpipe": m, "1f1b": min(m, p), "interleaved-1f1b": min(m, p + (p - 1) / v)}[name]
    assert max(most_in_flight(schedules[name], stage, p, m, v) for stage in range(p)) <= bound + 1e-12


@given(p=st.integers(2, 9), v=st.integers(1, 4), stage=st.integers(0, 8), chunk=st.integers(0, 3), back=st.booleans())
@settings(derandomize=True, max_examples=100)
def test_what_one_piece_sends_is_what_its_neighbour_waits_for(p, v, stage, chunk, back):
    stage, chunk = stage % p, chunk % v
    target = goes_to(Action(back, 0, chunk), stage, p, v)
    if target is None:
        assert (stage, chunk) == ((0, 0) if back else (p - 1, v - 1))
    else:
        assert comes_from(Action(back, 0, target.chunk), target.stage, p, v) == (stage, chunk)


def test_1f1b_with_virtual_stages_is_the_interleaved_schedule():
    assert schedule_of(Plan(pp=2, vpp=2, micro_batches=2)) is schedules["interleaved-1f1b"]
    assert schedule_of(Plan(pp=2, micro_batches=2)) is schedules["1f1b"]
