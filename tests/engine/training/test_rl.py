"""Writers and learners: balance of two rates, tails, and what being ahead buys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.engine.training.rl import Answers, Writers, play_rl, write_time
from simulator.foundation.errors import InputError

EQUAL = Answers(mean=1000, spread=0.0, longest=10_000)


def writers(**changes) -> Writers:
    return Writers(**{"replicas": 4, "iteration_s": [0.01] * 16, "prompts_s": 0.5, "weights_s": 1.0} | changes)


def play(learn_s: float, *, ahead: int, answers: Answers = EQUAL, crew: Writers | None = None):
    return play_rl(answers, 64, crew or writers(), learn_s, steps=30, ahead=ahead, rng=np.random.default_rng(2))


def test_one_wave_of_equal_answers_takes_its_iterations():
    assert write_time(np.full(64, 1000), writers()) == pytest.approx(1.0 + 0.5 + 1000 * 0.01)
    assert write_time(np.full(128, 1000), writers()) == pytest.approx(1.0 + 0.5 + 2 * 1000 * 0.01)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 500), min_size=1, max_size=60), st.integers(1, 8), st.integers(1, 6))
def test_writing_lies_between_its_bounds(lengths, slots, replicas):
    crew = writers(replicas=replicas, iteration_s=[0.01] * slots, prompts_s=0.0, weights_s=0.0)
    found = write_time(np.array(lengths), crew)
    shares = [sum(lengths[first::replicas]) for first in range(replicas)]
    assert found >= max(max(lengths), max(shares) / slots) * 0.01 * (1 - 1e-9)
    assert found <= (max(shares) / slots + max(lengths)) * 0.01 * (1 + 1e-9)  # Graham's bound of a list schedule


@pytest.mark.parametrize("learn_s", [2.0, 11.5, 40.0])
def test_taking_turns_adds_up_and_being_ahead_takes_the_longer_of_both(learn_s):
    write = 11.5
    assert play(learn_s, ahead=0).step_s == pytest.approx(write + learn_s)
    assert play(learn_s, ahead=1).step_s == pytest.approx(max(write, learn_s))


def test_two_equal_rates_keep_both_pools_busy():
    found = play(11.5, ahead=1)
    assert found.writers_busy == pytest.approx(1.0)
    assert found.learners_busy == pytest.approx(1.0)
    taking_turns = play(11.5, ahead=0)
    assert taking_turns.writers_busy == pytest.approx(0.5)


def test_being_further_ahead_is_never_slower():
    uneven = Answers(mean=1000, spread=1.0, longest=10_000)
    steps = [play(20.0, ahead=ahead, answers=uneven).step_s for ahead in (0, 1, 2, 5)]
    assert steps == sorted(steps, reverse=True)


def test_a_long_tail_of_answers_holds_everybody_up():
    uneven = Answers(mean=1000, spread=1.0, longest=10_000)
    assert play(1.0, ahead=1, answers=uneven).step_s > 2 * play(1.0, ahead=1).step_s


def test_lengths_keep_their_mean_and_their_cut():
    drawn = Answers(mean=800, spread=0.5, longest=5000).draw(200_000, np.random.default_rng(0))
    assert drawn.mean() == pytest.approx(800, rel=0.01)
    assert drawn.std() == pytest.approx(400, rel=0.02)
    assert 1 <= drawn.min() <= drawn.max() <= 5000


def test_nobody_writes_without_a_replica():
    with pytest.raises(InputError, match="at least 1 replica"):
        writers(replicas=0)
