"""What a group has of a torus, held against walking its links one by one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.costs.collectives import collective_time, reach
from simulator.costs.collectives.fabric import IDEAL
from simulator.costs.collectives.slices import slice_of
from simulator.mapping.placement import place_group
from simulator.topology.tiers import Tier, Torus

LINK, SIZE = 50e9, 1e9


def torus(*dims: int, wrap: bool = True) -> Tier:
    grid = Torus(dims=dims, wrap=tuple(wrap and size > 2 for size in dims), link_bandwidth=LINK, hop_latency=0.0)
    rate = 2 * len(dims) * LINK
    return Tier(name="ici", span=int(np.prod(dims)), bandwidth=rate, port_bandwidth=rate, latency=0.0, torus=grid)


def gather(tier: Tier, ranks: int, spacing: int = 1) -> float:
    """Return the rate, B/s, at which each rank gets what it lacks."""
    over = reach((np.array([ranks]),), (tier,), (IDEAL,), spacing=np.array([spacing]))
    assert over.steps is not None
    return float(over.levels[0].bandwidth[0])


@pytest.mark.parametrize(("ranks", "spacing", "links"), [
    (256, 1, 4), (16, 1, 2), (8, 1, 1), (2, 1, 1), (16, 16, 2), (32, 1, 3), (128, 1, 3), (64, 4, 2.5),
    (8, 16, 1), (8, 2, 1),
])  # fmt: skip
def test_a_whole_axis_is_a_ring_and_a_part_of_one_a_line(ranks, spacing, links):
    """Of a pod of 16 x 16. 64 ranks 4 apart: half a link of a shared ring, and the two of a whole one."""
    assert gather(torus(16, 16), ranks, spacing) == pytest.approx(links * LINK)


@given(length=st.sampled_from([2, 4, 8]), apart=st.sampled_from([1, 2, 4]), side=st.sampled_from([4, 8, 16]))
@settings(derandomize=True, max_examples=60, deadline=None)
def test_what_ends_a_gather_is_the_busiest_link_of_the_axis(length, apart, side):
    """Every link carries, per direction, what the members behind it give to those before it."""
    if length * apart > side:
        return
    tier = torus(side, wrap=length * apart == side)
    load = dict.fromkeys(range(side), 0.0)
    for first in range(apart):  # groups that lie between each other
        members = [first + apart * place for place in range(length)]
        hops = [
            *pairwise(members),
            *([(members[-1], members[0] + side)] if length * apart == side and side > 2 else []),
        ]
        ways = 2 if len(hops) == length else 1  # a ring sends half of it each way
        for start, end in hops:
            for link in range(start, end):
                load[link % side] += (length - 1) / length * SIZE / ways
    seconds = (length - 1) / length * SIZE / gather(tier, length, apart)
    assert seconds == pytest.approx(max(load.values()) / LINK)


@given(ranks=st.sampled_from([1, 2, 4, 8, 16, 64, 256]), spacing=st.sampled_from([1, 2, 4, 8, 16]))
@settings(derandomize=True, max_examples=40, deadline=None)
def test_a_group_costs_the_same_alone_as_beside_others(ranks, spacing):
    tier = torus(16, 16)
    if ranks * spacing > 256:
        return
    alone = collective_time("all-gather", SIZE, (np.array([ranks]),), (tier,))
    size, stride = np.array([ranks, 256, 8]), np.array([spacing, 1, 1])
    over = reach((place_group(size, stride, (tier,)).members[0],), (tier,), spacing=stride)
    beside = collective_time("all-gather", SIZE, (size,), (tier,))
    assert over.levels[0].bandwidth[0] == gather(tier, ranks, spacing)
    assert spacing > 1 or beside[0] == alone[0]


def test_an_exchange_of_all_with_all_is_bound_by_the_middle_of_the_longest_axis():
    """Half of what the 256 ranks send crosses the 32 links between two halves of the pod."""
    found = slice_of(torus(16, 16), np.array([256.0]))
    assert found is not None
    crossing = 256 / 2 * SIZE / 2
    assert 255 / 256 * SIZE / found.uniform[0] == pytest.approx(crossing / (32 * LINK))
