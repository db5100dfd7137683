"""Collectives in closed form: equal to their textbook formulas on ideal wires, never under the lower bound."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from simulator.costs.collectives import (
    IDEAL,
    bus_factor,
    collective_cost,
    collective_time,
    fabrics_of,
    load_fabrics,
    lower_bound,
    reach,
    whole,
)
from simulator.costs.collectives.algorithms import OPERATIONS
from simulator.foundation.errors import InputError, UnknownName
from simulator.profiles.catalogue import load_catalogue
from simulator.topology.tiers import Tier, Torus

LATENCY, RATE, SIZE = 2e-6, 50e9, 64e6
FLAT = Tier(name="leaf", span=1024, bandwidth=RATE, port_bandwidth=RATE, latency=LATENCY)
NODE = Tier(name="nvlink", span=8, bandwidth=300e9, port_bandwidth=300e9, latency=0.6e-6, link="nvlink3")
RAIL = Tier(name="leaf", span=8 * 64, bandwidth=25e9, port_bandwidth=25e9, latency=2e-6, link="ib-hdr")
CORE = Tier(name="spine", span=8 * 64 * 16, bandwidth=12.5e9, port_bandwidth=25e9, latency=4e-6, link="ib-hdr")
TIERS = (NODE, RAIL, CORE)

UNAIDED = [
    (operation, algorithm)
    for operation, algorithms in OPERATIONS.items()
    for algorithm in algorithms
    if algorithm not in ("in-network", "sharp", "one-shot", "two-shot")
]


def flat(ranks, operation="all-reduce", algorithm="ring"):
    return collective_time(operation, SIZE, ranks, (FLAT,), (IDEAL,), algorithm=algorithm, protocol="simple")


@pytest.mark.parametrize("ranks", [2, 3, 8, 64])
def test_a_ring_all_reduce_takes_its_textbook_time(ranks):
    expected = 2 * (ranks - 1) * LATENCY + 2 * (ranks - 1) / ranks * SIZE / RATE
    assert flat(ranks) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("ranks", [2, 8, 64])
def test_halving_doubling_needs_only_two_log_p_steps_of_the_same_bytes(ranks):
    expected = 2 * math.log2(ranks) * LATENCY + 2 * (ranks - 1) / ranks * SIZE / RATE
    assert flat(ranks, algorithm="halving-doubling") == pytest.approx(expected, rel=1e-12)


def test_halving_doubling_pays_two_more_exchanges_when_ranks_are_no_power_of_two():
    expected = (2 * 3 + 2) * LATENCY + (2 * 5 / 6 + 2) * SIZE / RATE
    assert flat(6, algorithm="halving-doubling") == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("ranks", [2, 5, 16])
def test_an_all_reduce_is_a_reduce_scatter_and_an_all_gather(ranks):
    parts = flat(ranks, "reduce-scatter") + flat(ranks, "all-gather")
    assert flat(ranks) == pytest.approx(parts, rel=1e-12)


def test_bruck_sends_fewer_messages_and_more_bytes_than_pairwise():
    assert flat(64, "all-to-all", "bruck") > flat(64, "all-to-all", "pairwise")
    expected = 6 * LATENCY + 6 * SIZE / 2 / RATE
    assert flat(64, "all-to-all", "bruck") == pytest.approx(expected, rel=1e-12)


def test_a_torus_all_reduce_halves_the_steps_by_going_both_ways():
    grid = Torus(dims=(4, 8), wrap=(True, True), link_bandwidth=RATE / 4, hop_latency=LATENCY)
    tier = Tier(name="ici", span=32, bandwidth=RATE, port_bandwidth=RATE, latency=LATENCY, torus=grid)
    time = collective_time("all-reduce", SIZE, 32, (tier,), (IDEAL,), algorithm="torus", protocol="simple")
    assert time == pytest.approx(2 * (2 + 4) * LATENCY + 2 * 31 / 32 * SIZE / RATE, rel=1e-12)


@pytest.mark.parametrize(("operation", "algorithm"), UNAIDED)
@pytest.mark.parametrize("group", [(2,), (8,), (1, 4), (8, 4), (3, 5), (8, 64, 4), (4, 1, 16)])
def test_nothing_is_faster_than_the_lower_bound(operation, algorithm, group):
    over = reach(group, TIERS, (IDEAL,) * 3)
    sizes = 2.0 ** np.arange(0, 34, 3)
    cost = collective_cost(operation, sizes, over, algorithm=algorithm)
    assert np.all(cost.time >= lower_bound(operation, sizes, over) * (1 - 1e-12))


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
@pytest.mark.parametrize("group", [(8,), (8, 16), (8, 64, 16)])
def test_more_bytes_never_take_less_time(operation, group):
    times = collective_time(operation, 2.0 ** np.arange(8, 34), group, TIERS)
    assert np.all(np.diff(times) >= 0)


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_faster_links_never_slow_a_collective(operation):
    fast = tuple(replace(tier, bandwidth=2 * tier.bandwidth, port_bandwidth=2 * tier.port_bandwidth) for tier in TIERS)
    sizes = 2.0 ** np.arange(8, 34)
    assert np.all(collective_time(operation, sizes, (8, 16), fast) <= collective_time(operation, sizes, (8, 16), TIERS))


def test_alone_a_group_of_one_rank_per_node_may_use_more_than_its_share():
    shared = Tier(name="leaf", span=64, bandwidth=RATE / 8, port_bandwidth=RATE, latency=LATENCY)
    inside = Tier(name="nvlink", span=8, bandwidth=6 * RATE, port_bandwidth=6 * RATE, latency=0.0)
    fair = collective_time("all-reduce", 1e9, (1, 8), (inside, shared), (IDEAL, IDEAL))
    alone = collective_time("all-reduce", 1e9, (1, 8), (inside, shared), (IDEAL, IDEAL), alone=True)
    assert fair / alone == pytest.approx(8, rel=1e-2)


def test_eight_ranks_of_a_node_share_its_traffic_evenly():
    one = reach((1, 4), (NODE, RAIL), (IDEAL, IDEAL))
    eight = reach((8, 4), (NODE, RAIL), (IDEAL, IDEAL))
    slow = collective_cost("all-reduce", 1e9, one, algorithm="tree").transfer
    fast = collective_cost("all-reduce", 1e9, eight, algorithm="tree").transfer
    assert slow / fast == pytest.approx(8, rel=1e-12)


def test_on_direct_links_two_ranks_see_one_link():
    mesh = Tier(name="xgmi", span=8, bandwidth=7 * RATE, port_bandwidth=7 * RATE, latency=0.0, pair_limit=RATE)
    pair = collective_cost("all-reduce", SIZE, reach(2, (mesh,), (IDEAL,)), algorithm="ring").transfer
    all_of_them = collective_cost("all-reduce", SIZE, reach(8, (mesh,), (IDEAL,)), algorithm="ring").transfer
    assert pair == pytest.approx(SIZE / RATE, rel=1e-12)
    assert all_of_them == pytest.approx(2 * 7 / 8 * SIZE / (7 * RATE), rel=1e-12)


def test_reduction_in_the_switch_halves_the_bytes_of_a_large_group():
    over = reach(64, (Tier(name="nvlink", span=64, bandwidth=RATE, port_bandwidth=RATE, latency=0.0),), (
        IDEAL.with_constants(in_network_fraction=1.0),
    ))  # fmt: skip
    ring = collective_cost("all-reduce", SIZE, over, algorithm="ring").time
    helped = collective_cost("all-reduce", SIZE, over, algorithm="in-network").time
    assert ring / helped == pytest.approx(2 * 63 / 64 / (1 + 1 / 64), rel=1e-12)


def test_one_rank_has_nothing_to_send():
    assert collective_time("all-reduce", SIZE, 1, TIERS) == 0.0


def test_scalars_give_floats_and_arrays_their_common_shape():
    assert isinstance(collective_time("all-reduce", SIZE, (8, 4), TIERS), float)
    sizes, nodes = np.array([1e3, 1e6, 1e9])[:, None], np.array([1, 2, 4, 8])
    times = collective_time("all-reduce", sizes, (8, nodes), TIERS)
    assert times.shape == (3, 4)
    for row, size in enumerate(sizes[:, 0]):
        for column, count in enumerate(nodes):
            alone = collective_time("all-reduce", float(size), (8, int(count)), TIERS)
            assert times[row, column] == pytest.approx(alone, rel=1e-12)


def test_small_messages_go_by_low_latency_and_large_ones_by_whole_chunks():
    cost = collective_cost("all-reduce", np.array([1024.0, 2.0**30]), reach((8,), TIERS))
    assert list(cost.protocol) == ["ll", "simple"]


def test_the_choice_is_the_fastest_and_can_be_overridden():
    over = reach((8, 64), TIERS)
    sizes = 2.0 ** np.arange(10, 34)
    chosen = collective_cost("all-reduce", sizes, over)
    for name in ("ring", "tree"):
        forced = collective_cost("all-reduce", sizes, over, algorithm=name)
        assert np.all(chosen.time <= forced.time)
        assert set(forced.algorithm) == {name}


def test_the_number_of_devices_does_not_change_the_cost_of_the_formula():
    tiers = (*TIERS, Tier(name="core", span=2**20, bandwidth=10e9, port_bandwidth=25e9, latency=6e-6, link="ib-hdr"))
    assert collective_time("all-reduce", 1e9, (8, 64, 16, 8), tiers) > collective_time("all-reduce", 1e9, (8,), tiers)


@pytest.mark.parametrize(("operation", "factor"), [("all-reduce", 1.75), ("all-gather", 0.875), ("send-recv", 1.0)])
def test_bus_bandwidth_is_as_nccl_tests_defines_it(operation, factor):
    assert bus_factor(operation, 8) == pytest.approx(factor)


def test_whole_fills_domain_after_domain():
    assert whole(TIERS, 4) == (4,)
    assert whole(TIERS, 512) == (8, 64)
    assert whole(TIERS, 2048) == (8, 64, 4)
    with pytest.raises(InputError, match="do not fill"):
        whole(TIERS, 12)


def test_every_constant_of_every_class_is_explained_and_has_an_origin():
    table = load_fabrics()
    for fabric in table.classes.values():
        assert table.sources[fabric.name]
        for constant in table.stated[fabric.name]:
            assert table.meanings[constant]
            assert fabric.origin(constant) in ("fitted", "assumed")
    assert table["nvlink3"].origin("launch") == "fitted"
    assert table["ici"].origin("launch") == "assumed"


def test_every_link_that_joins_devices_or_nodes_has_a_class():
    table = load_fabrics()
    joining = [link.name for link in load_catalogue().links.values() if link.kind in ("device-link", "nic", "host-bus")]
    assert [name for name in joining if name not in table] == []


def test_a_tier_without_a_named_link_is_taken_like_the_commonest_network_and_says_so():
    (fabric,) = fabrics_of([Tier(name="leaf", span=8, bandwidth=RATE, port_bandwidth=RATE, latency=LATENCY)])
    assert fabric.name == "unnamed"
    assert fabric.origin("link_fraction") == "assumed"


def test_a_class_that_inherits_follows_a_change_of_its_parent():
    table = load_fabrics()
    changed = table.with_class(table["nvlink3"].with_constants(expert_bulk_fraction=0.5, launch=1.0))
    assert changed["efa"].launch == 1.0
    assert changed["nvlink4"].launch == table["nvlink4"].launch


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: collective_time("all-reduce", SIZE, (9,), TIERS), "spans 8 devices"),
        (lambda: collective_time("all-reduce", -1, (8,), TIERS), "0 B or more"),
        (lambda: collective_time("all-reduce", SIZE, (8, 1, 1, 1), TIERS), "names 4 tiers"),
        (lambda: collective_time("all-reduce", SIZE, (8, 2), TIERS, algorithm="one-shot"), "one innermost domain"),
        (lambda: collective_time("all-reduce", SIZE, 8, TIERS, algorithm="in-network"), "do not reduce"),
        (lambda: collective_time("all-reduce", SIZE, 8, (FLAT,), (IDEAL,), torus=(3, 3)), "has 9 ranks"),
    ],
)
def test_what_cannot_be_says_why(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize("keywords", [{"algorithm": "rings"}, {"protocol": "ll12"}])
def test_a_misspelt_choice_gets_the_nearest(keywords):
    with pytest.raises(UnknownName, match="Did you mean"):
        collective_time("all-reduce", SIZE, 8, TIERS, **keywords)
    with pytest.raises(UnknownName, match="all-reduce"):
        collective_time("all-redux", SIZE, 8, TIERS)


def over_sockets(devices: int, nodes: int):
    """Return a group of ``devices`` in each of ``nodes`` hosts that reach each other by TCP."""
    host = Tier(name="pcie", span=devices, bandwidth=16e9, port_bandwidth=16e9, latency=0.0, link="pcie3-host-copy")
    leaf = Tier(name="leaf", span=devices * nodes, bandwidth=6.25e9 / devices, port_bandwidth=6.25e9, latency=0.0,
                link="aws-ena-50g")  # fmt: skip
    return reach((devices, nodes), (host, leaf))


def test_over_sockets_a_ring_is_taken_however_good_a_tree_would_be():
    group = over_sockets(4, 4)
    chosen = collective_cost("all-reduce", SIZE, group)
    tree = collective_cost("all-reduce", SIZE, group, algorithm="tree")
    assert tree.time < chosen.time
    assert chosen.algorithm == "ring"


def test_a_ring_of_several_ranks_in_each_of_two_hosts_runs_both_ways_between_them():
    """Bytes over each host's adapter are 2 (p - 1) / p of the message; two hosts get a smaller share of the rate."""
    fraction = load_fabrics()["sockets"].two_hosts_fraction
    time = {hosts: float(collective_cost("all-reduce", 64 * SIZE, over_sockets(2, hosts)).time) for hosts in (2, 3)}
    assert time[2] / time[3] == pytest.approx((6 / 4) / (10 / 6) / fraction, rel=0.02)
    alone = over_sockets(1, 2)
    even = replace(alone, levels=tuple(replace(level, fabric=level.fabric.with_constants(two_hosts_fraction=1.0))
                                       for level in alone.levels))  # fmt: skip
    assert collective_cost("all-reduce", SIZE, alone).time == collective_cost("all-reduce", SIZE, even).time
