"""Runs with failures: their ledger, their closed form, what is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.costs.reliability import (
    cluster_mtbf,
    daly_interval,
    expected_time,
    first_order_waste,
    lost_per_failure,
    young_interval,
)
from simulator.engine.training.whole_run import Course, Faults, play_run
from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams

HOUR = 3600.0
NEVER = Faults(mtbf=1e15, restart=0.0, spares=0, repair=0.0)


def course(**changes) -> Course:
    return Course(**{"saved_at": tuple(range(100, 5001, 100)), "step_s": 10.0, "save_s": 30.0} | changes)


def faults(**changes) -> Faults:
    return Faults(**{"mtbf": 3 * HOUR, "restart": 300.0, "spares": 10_000, "repair": 0.0} | changes)


def runs(plan: Course, how: Faults | None, count: int = 300):
    streams = Streams(11)
    return [play_run(plan, how, streams.child(f"run {number}")["failures"]) for number in range(count)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=20, unique=True), st.floats(0.1, 50.0), st.floats(0.0, 60.0),
    st.floats(0.0, 200.0), st.integers(0, 50), st.floats(0.0, 100.0), st.integers(0, 3), st.integers(0, 99),
)  # fmt: skip
def test_every_second_has_one_cause(saved, step, save, lag, every, evaluate, spares, seed):
    plan = Course(saved_at=tuple(sorted(saved)), step_s=step, save_s=save, lag_s=lag, evaluate_every=every,
                  evaluate_s=evaluate, startup_s=7.0)  # fmt: skip
    longest = float(np.diff(plan.reached_s()).max())
    how = faults(mtbf=longest + lag + 1.0, spares=spares, repair=500.0)
    played = play_run(plan, how, np.random.default_rng(seed))
    assert sum(played.ledger.values()) == pytest.approx(played.time_s, rel=1e-9)
    assert min(played.ledger.values()) >= 0
    assert played.ledger["restart"] == pytest.approx(300.0 * played.failures)
    assert list(played.reached_s) == sorted(played.reached_s)
    assert played.reached_s[-1] == pytest.approx(played.time_s) or played.failures


def test_without_failures_a_run_is_its_steps_saves_and_evaluations():
    plan = course(evaluate_every=1000, evaluate_s=100.0, startup_s=60.0)
    assert play_run(plan, None, np.random.default_rng(0)).time_s == pytest.approx(60 + 50_000 + 50 * 30 + 5 * 100)
    assert play_run(plan, NEVER, np.random.default_rng(0)).failures == 0


@pytest.mark.parametrize("mtbf", [HOUR, 3 * HOUR, 20 * HOUR])
def test_played_runs_take_as_long_as_the_closed_form_says(mtbf):
    plan, how = course(), faults(mtbf=mtbf)
    times = np.array([one.time_s for one in runs(plan, how)])
    expected = expected_time(np.diff(plan.reached_s()), mtbf, how.restart)
    assert abs(times.mean() - expected) < 4 * times.std() / np.sqrt(len(times))


def test_a_failure_undoes_half_of_what_lies_between_two_saved_states():
    plan, how = course(saved_at=tuple(range(50, 5001, 50)), save_s=0.0), faults(mtbf=5 * HOUR)
    played = runs(plan, how, 600)
    lost = sum(one.ledger["lost"] for one in played) / sum(one.failures for one in played)
    assert lost == pytest.approx(float(lost_per_failure(500.0, 5 * HOUR)), rel=0.05)
    assert float(lost_per_failure(500.0, 5 * HOUR)) == pytest.approx(250.0, rel=0.01)


def test_the_best_interval_of_played_runs_is_the_one_of_young_and_daly():
    best = float(daly_interval(60.0, 3.09 * HOUR))

    def mean(interval: float) -> float:
        count = round(500_000 / interval)
        plan = Course(saved_at=tuple(range(1, count + 1)), step_s=500_000 / count, save_s=60.0)
        return float(expected_time(np.diff(plan.reached_s()), 3.09 * HOUR, 0.0))

    assert mean(best) < min(mean(best / 1.5), mean(best * 1.5))
    assert mean(best) / 500_000 - 1 == pytest.approx(0.10, abs=0.015)


def test_a_minute_of_saving_and_a_failure_every_three_hours_ask_for_19_minutes_and_waste_a_tenth():
    mtbf = 54 * 24 * HOUR / 419
    assert mtbf == pytest.approx(3.09 * HOUR, rel=1e-3)
    assert float(cluster_mtbf(2048 * mtbf, 2048)) == pytest.approx(mtbf)
    interval = float(young_interval(60.0, mtbf))
    assert interval == pytest.approx(19.3 * 60, rel=0.003)
    assert float(first_order_waste(interval, 60.0, mtbf)) == pytest.approx(0.104, abs=0.001)
    assert float(daly_interval(60.0, mtbf)) == pytest.approx(interval, rel=0.05)


def test_a_run_waits_for_repair_only_when_no_spare_is_left():
    waits = [np.mean([one.ledger["spares"] for one in runs(course(), faults(spares=count, repair=6 * HOUR), 60)])
             for count in (0, 1, 3, 12)]  # fmt: skip
    assert waits == sorted(waits, reverse=True)
    assert waits[0] > 6 * HOUR
    assert waits[-1] == 0


def test_what_is_still_being_written_is_lost_with_the_failure():
    sure, late = (np.mean([one.ledger["lost"] for one in runs(course(lag_s=lag), faults())]) for lag in (0.0, 500.0))
    assert late > sure


def test_the_same_stream_gives_the_same_run():
    assert runs(course(), faults(), 3) == runs(course(), faults(), 3)


def test_a_run_that_would_not_end_is_refused_with_the_mend():
    with pytest.raises(InputError, match="every: auto"):
        play_run(course(saved_at=(5000,)), faults(mtbf=HOUR), np.random.default_rng(0))
