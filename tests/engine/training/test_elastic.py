"""Runs that go on with fewer replicas: by arithmetic, by Little's law, beside runs that wait; domains that fail."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.engine.training.elastic import Elastic, play_elastic
from simulator.engine.training.whole_run import Course, Faults, play_run

HOUR, DAY = 3600.0, 86400.0
NODES = 64


def course(steps=20_000, step_s=30.0, every=100, save_s=5.0):
    return Course(saved_at=tuple(range(every, steps + 1, every)), step_s=step_s, save_s=save_s)


def elastic(*, regroup=0.0, keeps=True, nodes=NODES):
    return Elastic(
        pace=[nodes / (nodes - missing) for missing in range(nodes)], nodes=nodes, regroup=regroup, keeps=keeps
    )


def faults(**keys):
    return Faults(**{"mtbf": 4 * HOUR, "restart": 600.0, "spares": 0, "repair": DAY} | keys)


def played(count, *, how=None, **keys):
    return [
        play_elastic(course(), faults(**keys), how or elastic(), np.random.default_rng(seed)) for seed in range(count)
    ]


def mean(runs, name="time_s"):
    return float(np.mean([getattr(run, name) for run in runs]))


def test_without_failures_nothing_is_lost():
    run = play_elastic(course(), faults(mtbf=1e15), elastic(), np.random.default_rng(0))
    assert run.time_s == pytest.approx(course().reached_s()[-1])
    assert run.failures == run.ledger["degraded"] == run.ledger["lost"] == 0


@given(mtbf=st.floats(600.0, 1e6), repair=st.floats(60.0, 1e6), spares=st.integers(0, 3), keeps=st.booleans(),
       regroup=st.floats(0.0, 600.0), seed=st.integers(0, 10**6))  # fmt: skip
@settings(derandomize=True, max_examples=60, deadline=None)
def test_the_ledger_adds_up_and_steps_are_reached_in_order(mtbf, repair, spares, keeps, regroup, seed):
    short = course(steps=600, every=10)
    run = play_elastic(short, faults(mtbf=mtbf, repair=repair, spares=spares), elastic(keeps=keeps, regroup=regroup),
                       np.random.default_rng(seed))  # fmt: skip
    assert sum(run.ledger.values()) == pytest.approx(run.time_s, rel=1e-9)
    assert all(before < after for before, after in zip(run.reached_s, run.reached_s[1:], strict=False))
    assert run.reached_s[-1] == pytest.approx(run.time_s)
    assert run.time_s >= short.reached_s()[-1] * (1 - 1e-12)


def test_as_many_nodes_are_missing_as_littles_law_says():
    """Of n nodes that each work M and are repaired for R, R / (M + R) are missing; the others do all the work."""
    runs = played(40)
    node = 4 * HOUR * NODES
    slower = 1 / (1 - DAY / (node + DAY))
    work = course().reached_s()[-1]
    lost = mean(runs, "failures") * course().step_s / 2
    assert mean(runs) == pytest.approx((work + lost) * slower, rel=0.02)


def test_with_a_spare_for_every_failure_only_steps_at_work_and_regroups_are_lost():
    runs = played(10, how=elastic(regroup=120.0), spares=1000)
    for run in runs:
        assert run.ledger["degraded"] == pytest.approx(0.0, abs=1e-6)
        assert run.ledger["restart"] == pytest.approx(120.0 * run.failures)
        assert run.ledger["lost"] <= run.failures * course().step_s


def test_going_on_beats_waiting_for_a_repair_and_keeping_all_state_beats_reading_it_back():
    waiting = [play_run(course(), faults(), np.random.default_rng(seed)) for seed in range(10)]
    kept, read = played(10), played(10, how=elastic(keeps=False))
    assert mean(kept) < mean(read) < mean(waiting)


def test_with_no_replica_left_the_run_waits():
    one = Elastic(pace=[1.0], nodes=1, regroup=0.0, keeps=True)
    run = play_elastic(course(), faults(mtbf=20 * HOUR), one, np.random.default_rng(3))
    assert run.ledger["spares"] == pytest.approx(run.failures * DAY)
    assert run.ledger["degraded"] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("how", ["restart", "elastic"])
def test_nodes_that_fail_together_need_spares_together(how):
    """As many failures, each of four nodes: without spares for them the run is slower, with them it is not."""

    def run(seed, **keys):
        rng = np.random.default_rng(seed)
        if how == "restart":
            return play_run(course(steps=4000), faults(mtbf=20 * HOUR, **keys), rng)
        return play_elastic(course(steps=4000), faults(mtbf=20 * HOUR, **keys), elastic(), rng)

    alone, together, spared = (
        mean([run(seed, **keys) for seed in range(60)])
        for keys in (
            {"spares": 1},
            {"spares": 1, "domain": 4, "domain_share": 1.0},
            {"spares": 1000, "domain": 4, "domain_share": 1.0},
        )
    )
    assert spared < alone < together


def test_a_domain_takes_its_share_of_the_failures():
    rng = np.random.default_rng(0)
    drawn = [faults(domain=8, domain_share=0.25).together(rng) for _ in range(20_000)]
    assert set(drawn) == {1, 8}
    assert np.mean(drawn) == pytest.approx(1 + 7 * 0.25, rel=0.03)
