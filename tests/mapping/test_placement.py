"""Groups of ranks folded onto tiers."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.mapping.placement import place_group
from simulator.topology.tiers import Tier

NODE = Tier(name="nvlink", span=8, bandwidth=1.0, port_bandwidth=1.0, latency=0.0)
FABRIC = Tier(name="fabric", span=1024, bandwidth=1.0, port_bandwidth=1.0, latency=0.0)


def members(size: int, stride: int) -> list[int]:
    group = place_group(np.array([size]), np.array([stride]), (NODE, FABRIC))
    return [int(count[0]) for count in group.members]


def test_neighbouring_ranks_fill_a_node_first():
    assert members(8, 1) == [8, 8]
    assert members(16, 1) == [8, 16]


def test_ranks_a_node_apart_sit_in_nodes_of_their_own():
    assert members(128, 8) == [1, 128]
    assert members(32, 4) == [2, 32]


@settings(max_examples=80, derandomize=True, deadline=None)
@given(st.integers(1, 256), st.integers(1, 256))
def test_brute_force_counts_the_same_members_of_the_first_node(size, stride):
    ranks = [index * stride for index in range(size)]
    if ranks[-1] >= FABRIC.span or (NODE.span % stride and stride < NODE.span):
        return  # groups that do not tile a node are priced by their mean
    assert members(size, stride)[0] == sum(rank < NODE.span for rank in ranks)


def test_a_group_apart_shares_no_node():
    group = place_group(np.array([16]), np.array([1]), (NODE, FABRIC)).apart()
    assert [int(count[0]) for count in group.members] == [1, 16]
