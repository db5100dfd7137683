"""Laws of pipeline schedules, over the whole registry."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.foundation.errors import InputError
from simulator.mapping.pipeline import (
    Action,
    comes_from,
    dualpipe_fits,
    goes_to,
    most_in_flight,
    schedule_of,
    schedules,
    turns,
)
from simulator.mapping.plan import Plan

SHAPES = [(p, m, v) for p in (1, 2, 3, 4, 7) for m in (1, 2, 3, 4, 5, 8, 13) for v in (1, 2, 3)]


def cases():
    for name in schedules:
        for p, m, v in SHAPES:
            plain = name in ("1f1b", "zb-h1") and v > 1
            if not plain and (name != "dualpipe" or dualpipe_fits(p, m, v)):
                yield name, p, m, v
    yield from (("dualpipe", p, m, 1) for p, m in ((2, 4), (6, 12), (8, 22), (16, 40)))


@pytest.mark.parametrize(("name", "p", "m", "v"), list(cases()))
def test_a_stage_passes_every_micro_batch_through_every_chunk_once_each_way_forward_first(name, p, m, v):
    for stage in range(p):
        actions = list(schedules[name](stage, p, m, v))
        wanted = {(j, c) for j in range(m) for c in range(v)}
        place = {(action.letter, action.micro_batch, action.chunk): at for at, action in enumerate(actions)}
        assert len(place) == len(actions)
        assert {key[1:] for key in place if key[0] == "F"} == wanted
        assert Counter(key[1:] for key in place if key[0] in "BI") == Counter(wanted)
        assert {key[1:] for key in place if key[0] == "W"} == {key[1:] for key in place if key[0] == "I"}
        for letter, j, c in place:
            if letter in "BI":
                assert place["F", j, c] < place[letter, j, c]
            if letter == "W":
                assert place["I", j, c] < place["W", j, c]
        assert not any(action.half != "whole" for action in actions if not action.backward)


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
                if source and (source.stage, action._replace(chunk=source.chunk).output) not in done:
                    break
                if action.half != "weights":
                    done.add((stage, action.output))
                at[stage] += 1
                moved = True
    assert at == [len(order) for order in orders]


@pytest.mark.parametrize(("name", "p", "m", "v"), list(cases()))
def test_the_activations_held_are_those_that_the_memory_account_counts(name, p, m, v):
    """costs.memory.in_flight: all micro-batches, p of them, or p + (p - 1) / v where chunks are interleaved.

    ZB-H1 holds what 1F1B does (arXiv 2401.10241, section 2.3), DualPipe p + 1 (arXiv 2412.19437, table 2).
    """
    bound = {
        "gpipe": m, "1f1b": min(m, p), "interleaved-1f1b": min(m, p + (p - 1) / v), "zb-h1": min(m, p),
        "dualpipe": p + 1,
    }[name]  # fmt: skip
    assert max(most_in_flight(schedules[name], stage, p, m, v) for stage in range(p)) <= bound + 1e-12


@pytest.mark.parametrize(("name", "p", "m", "v"), [case for case in cases() if case[0] == "dualpipe"])
def test_dualpipe_joins_a_forward_pass_of_one_way_with_a_backward_pass_of_the_other(name, p, m, v):
    for stage in range(p):
        pairs = [turn for turn in turns(schedules[name](stage, p, m, v)) if len(turn) > 1]
        assert len(pairs) <= m
        for ahead, back in pairs:
            assert (ahead.backward, back.backward) == (False, True)
            assert ahead.opposite != back.opposite


@given(
    p=st.integers(2, 9), v=st.integers(1, 4), stage=st.integers(0, 8), chunk=st.integers(0, 3), back=st.booleans(),
    other=st.booleans(),
)  # fmt: skip
@settings(derandomize=True, max_examples=100)
def test_what_one_piece_sends_is_what_its_neighbour_waits_for(p, v, stage, chunk, back, other):
    stage, chunk = stage % p, chunk % v
    target = goes_to(Action(back, 0, chunk, opposite=other), stage, p, v)
    if target is None:
        ends = ((0, 0), (p - 1, v - 1)) if not other else ((p - 1, 0), (0, v - 1))
        assert (stage, chunk) == ends[not back]
    else:
        assert comes_from(Action(back, 0, target.chunk, opposite=other), target.stage, p, v) == (stage, chunk)


def test_1f1b_with_virtual_stages_is_the_interleaved_schedule():
    assert schedule_of(Plan(pp=2, vpp=2, micro_batches=2)) is schedules["interleaved-1f1b"]
    assert schedule_of(Plan(pp=2, micro_batches=2)) is schedules["1f1b"]


@pytest.mark.parametrize(
    "keys",
    [
        {"pp": 3, "micro_batches": 8, "schedule": "dualpipe"},
        {"pp": 4, "micro_batches": 6, "schedule": "dualpipe"},
        {"pp": 4, "micro_batches": 8, "vpp": 2, "schedule": "zb-h1"},
    ],
)
def test_a_schedule_that_the_shape_does_not_have_is_refused_with_the_mend(keys):
    with pytest.raises(InputError, match=r"at least 2 \* pp|write vpp: 1"):
        Plan(**keys)
