"""``kind: shared-fabric``: ranges of nodes, links that are down, and what a file gets wrong."""

from __future__ import annotations

import pytest

from simulator.foundation.errors import InputError
from simulator.foundation.shipped import shipped
from simulator.scenario import load_scenario

FILE = shipped("scenarios") / "two-jobs-fat-tree.yaml"


def load(*overrides):
    scenario = load_scenario(FILE, overrides)
    return scenario.workloads[0], scenario.cluster


def test_ranges_of_nodes_may_skip():
    workload, _ = load()
    assert workload.jobs[0].nodes == (0, 2, 4, 6, 8, 10, 12, 14)
    assert workload.jobs[2].nodes == (0, 15)


def test_a_derated_link_slows_the_job_that_crosses_it(tmp_path):
    text = FILE.read_text() + "    links:\n      - between: ['nic:0.0', 'leaf:0.0']\n        keeps: 0.2\n"
    (tmp_path / "hurt.yaml").write_text(text)
    hurt = load_scenario(tmp_path / "hurt.yaml")
    workload, cluster = load()
    slow = hurt.workloads[0].run(hurt.cluster, routing="adaptive")
    fast = workload.run(cluster, routing="adaptive")
    assert slow.step["first"] > fast.step["first"] * 1.5


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("workloads[0].jobs[0].nodes=0-99", "node 99 is asked; the cluster has 16"),
        ("workloads[0].jobs[0].nodes=5-2", "holds no node"),
        ("workloads[0].jobs[0].nodes=a-b", "no range of nodes"),
        ("workloads[0].jobs[0].nodes='1,1'", "stands here twice"),
        ("workloads[0].jobs[0].operation=all-redoose", "Did you mean 'all-reduce'"),
        ("workloads[0].routing=adaptiv", "Did you mean 'adaptive'"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(override, message):
    with pytest.raises(InputError, match=message):
        load(override)
