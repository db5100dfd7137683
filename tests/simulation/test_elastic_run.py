"""Whole runs whose nodes fail: restarted, on spares, going on with fewer replicas, and failing together."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.foundation.errors import InputError
from simulator.scenario import load_scenario
from simulator.simulation import simulate

SCENARIO = Path(__file__).parents[2] / "scenarios" / "train-elastic.yaml"
FAULTS = "workloads[0].faults"


def run(*overrides):
    return simulate(load_scenario(SCENARIO, overrides)).run


def test_going_on_beats_waiting_for_repairs_and_spares_beat_both():
    elastic, restart, spares = run(), run(f"{FAULTS}.strategy=restart"), run(f"{FAULTS}.spares=8")
    assert spares.time_s < elastic.time_s < restart.time_s
    assert elastic.ledger["degraded"] > 0 == restart.ledger["degraded"]
    for one in (elastic, restart, spares):
        assert sum(one.ledger.values()) == pytest.approx(one.time_s)


def test_state_that_is_spread_over_replicas_is_read_back():
    whole, spread = run(), run("workloads[0].parallelism.zero=1")
    assert spread.ledger["lost"] > 5 * whole.ledger["lost"]


def test_racks_that_fail_make_failures_more_frequent_and_the_run_longer():
    alone, racks = run(), run(f"{FAULTS}.domain={{nodes: 4, mtbf: 500 h}}")
    assert 1 / racks.mtbf_s == pytest.approx(1 / alone.mtbf_s + 4 / (500 * 3600))
    assert racks.time_s > alone.time_s
    assert racks.failures > alone.failures


def test_one_replica_cannot_go_on_with_fewer():
    with pytest.raises(InputError, match="this plan has one"):
        run("workloads[0].parallelism={tp: 8, pp: 16, sequence_parallel: true}")
