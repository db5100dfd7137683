"""Replicas on unequal parts of devices."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.foundation.errors import InputError
from simulator.foundation.shipped import shipped
from simulator.scenario import load_scenario
from simulator.simulation.serving import prepare, simulate_serving

FILE = shipped("scenarios") / "serve-mig-unequal.yaml"
SHORT = "workloads[0].traffic.seconds=20 s"
WHOLE = 'workloads[0].replicas={"partition": ["7g.80gb"]}'


def served(*changes):
    scenario = load_scenario(FILE, [SHORT, *changes])
    return simulate_serving(scenario, scenario.workloads[0])


def test_one_part_that_is_all_of_the_device_is_the_device():
    assert served(WHOLE).metrics() == served("workloads[0].replicas={}").metrics()


def test_each_device_has_each_part_and_larger_ones_are_faster_and_hold_more():
    scenario = load_scenario(FILE)
    pools = prepare(scenario, scenario.workloads[0]).service.pools
    assert [(pool.count, pool.weight) for pool in pools] == [(8, 3.0), (16, 2.0)]
    large, small = (pool.engine for pool in pools)
    assert large.times.dense[512] < small.times.dense[512]
    assert large.blocks > 2 * small.blocks


def test_the_weighted_router_gives_larger_parts_more():
    result = served("workloads[0].traffic.groups[0].rate=150 /s")
    sent = np.bincount(result.served.replica, minlength=24)
    assert sent.sum() == result.metrics()["requests"]
    assert sent[:8].mean() > 1.3 * sent[8:].mean()


def test_the_machines_cost_the_same_however_they_are_cut():
    whole, cut = served(WHOLE), served()
    assert cut.replicas * cut.watts_per_replica == pytest.approx(whole.replicas * whole.watts_per_replica)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ('{"partition": ["4g.40gb", "4g.40gb"]}', "8 sevenths"),
        ('{"partition": ["3g.40gb"], "slices": 2}', "leave one of them out"),
        ('{"partition": ["3g.40gb"], "count": 2}', "leave the count out"),
        ('{"partition": ["3g.40gb"], "tp": 2}', "share no links"),
        ('{"partition": ["large"]}', "is no profile"),
    ],
)
def test_a_partition_that_cannot_be_is_refused(change, told):
    with pytest.raises(InputError, match=told):
        served(f"workloads[0].replicas={change}")
