"""Expert exchanges and parameter servers: counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.costs.collectives import IDEAL, reach
from simulator.costs.collectives.experts import Routing, distinct, expert_exchange
from simulator.costs.collectives.parameter_server import push_pull_time
from simulator.foundation.errors import InputError
from simulator.topology.tiers import Tier

NODE = Tier(name="nvlink", span=8, bandwidth=400e9, port_bandwidth=400e9, latency=0.0)
NET = Tier(name="leaf", span=256, bandwidth=50e9, port_bandwidth=50e9, latency=0.0)


def group(*ranks):
    return reach(ranks, (NODE, NET), (IDEAL, IDEAL))


def test_many_balls_hit_every_box_and_one_ball_hits_one():
    assert distinct(4, 1) == pytest.approx(1)
    assert distinct(4, 1000) == pytest.approx(4)
    assert distinct(2, 2) == pytest.approx(1.5)


def test_low_latency_tokens_travel_once_per_expert():
    cost = expert_exchange("dispatch", 128, 7168.0, Routing(topk=8), group(8, 4), mode="low-latency")
    sent = 128 * 8 * 7168.0
    assert cost.time == pytest.approx(sent * 7 / 32 / 400e9 + sent * 24 / 32 / 50e9, rel=1e-12)


def test_bulk_tokens_travel_once_per_node_that_they_reach():
    cost = expert_exchange("dispatch", 4096, 7168.0, Routing(topk=8, nodes_at_most=4), group(8, 8), mode="bulk")
    to_nodes = 4096 * 7168.0 * distinct(4, 8)
    assert cost.time == pytest.approx(to_nodes * 7 / 8 / 50e9, rel=1e-12)
    assert cost.bottleneck_bandwidth == pytest.approx(50e9 * 8 / 7, rel=1e-12)


def test_inside_one_node_the_network_carries_nothing():
    slow = Tier(name="leaf", span=256, bandwidth=1.0, port_bandwidth=1.0, latency=0.0)
    inside = reach((8, 1), (NODE, slow), (IDEAL, IDEAL))
    for mode in ("low-latency", "bulk"):
        assert expert_exchange("combine", 64, 14336.0, Routing(topk=8), inside, mode=mode).time < 1e-3


def test_expert_groups_join_two_tiers_at_most():
    top = Tier(name="spine", span=4096, bandwidth=50e9, port_bandwidth=50e9, latency=0.0)
    over = reach((8, 4, 4), (NODE, NET, top), (IDEAL,) * 3)
    with pytest.raises(InputError, match="two entries"):
        expert_exchange("combine", 64, 14336.0, Routing(topk=8), over, mode="bulk")


def test_few_servers_are_the_bottleneck_of_many_workers():
    level = group(1, 16).levels[1]
    size, workers = 1e9, np.array([4, 8, 16])
    times = push_pull_time(size, workers, 4, level)
    assert times == pytest.approx(2 * np.maximum(size, workers * size / 4) / 50e9)
    with pytest.raises(InputError, match="at least 1"):
        push_pull_time(size, 0, 1, level)
