"""The same bytes to many nodes."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.costs.deploy import direct, swarm, tree, ways
from simulator.costs.storage import StorageSystem

REGISTRY = StorageSystem(servers=2, read_bandwidth=5e9)
WEIGHTS = 140e9


def test_one_node_takes_bytes_over_the_slower_of_store_and_adapter_whatever_the_way():
    for way in ways.values():
        assert float(way(WEIGHTS, 1, REGISTRY, 25e9)) == pytest.approx(14.0)
        assert float(way(WEIGHTS, 1, REGISTRY, 5e9)) == pytest.approx(28.0)


def test_a_storm_of_pulls_takes_as_many_times_longer_as_there_are_nodes():
    assert direct(WEIGHTS, [1, 10, 100], REGISTRY, 25e9).tolist() == pytest.approx([14.0, 140.0, 1400.0])


def test_a_tree_takes_a_round_for_each_doubling():
    found = tree(WEIGHTS, [2, 64, 65], REGISTRY, 25e9)
    assert found.tolist() == pytest.approx([14 + 5.6, 14 + 6 * 5.6, 14 + 7 * 5.6])


def test_a_swarm_hides_all_but_the_first_pull():
    assert float(swarm(WEIGHTS, 64, REGISTRY, 25e9)) == pytest.approx(14 + 6 * 5.6 / 64)


@pytest.mark.parametrize("way", list(ways))
def test_more_nodes_are_never_sooner_and_more_bandwidth_is_never_later(way):
    times = ways[way](WEIGHTS, np.arange(1, 200), REGISTRY, 25e9)
    assert (np.diff(times) >= -1e-9).all()
    assert (ways[way](WEIGHTS, np.arange(1, 200), REGISTRY.grown(2.0), 50e9) <= times + 1e-9).all()
