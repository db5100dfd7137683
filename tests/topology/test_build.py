from __future__ import annotations

from itertools import pairwise

import pytest

from simulator.foundation.errors import Infeasible, InputError, UnknownName
from simulator.topology import Fabric, Wan, build_cluster
from tests.topology.parts import GB, LINKS, US, cluster, device, node


def test_a_hundred_and_twenty_eight_boxes_of_eight_have_a_fast_tier_inside_and_an_even_share_of_adapters_outside():
    tiers = cluster(128, kind=node(fabric_link="nvlink3")).tiers
    assert [(tier.name, tier.span) for tier in tiers] == [("nvlink", 8), ("leaf", 32), ("spine", 1024)]
    assert [tier.bandwidth for tier in tiers] == [300 * GB, 25 * GB, 25 * GB]
    assert tiers[0].latency == pytest.approx(0.6 * US)
    assert [tier.link for tier in tiers] == ["nvlink3", "ib-hdr", "ib-hdr"]


def test_oversubscription_cuts_the_share_above_the_leaf_and_leaves_the_port_of_a_lone_sender():
    tiers = cluster(32, oversubscription=4.0).tiers
    leaf, spine = tiers[1:]
    assert leaf.bandwidth == 25 * GB
    assert spine.bandwidth == pytest.approx(25 * GB / 4)
    assert spine.port_bandwidth == 25 * GB


def test_devices_that_share_an_adapter_have_half_of_it_each_and_the_whole_of_it_alone():
    tier = cluster(2, kind=node(nics=4, nic_bandwidth=100 * GB)).tiers[-1]
    assert (tier.bandwidth, tier.port_bandwidth) == (12.5 * GB, 25 * GB)


def test_a_rack_wide_scale_up_domain_spans_its_nodes():
    tiers = cluster(36, kind=node(devices=4, domain=72, bandwidth=900 * GB, nics=4, nic_bandwidth=100 * GB)).tiers
    assert (tiers[0].span, tiers[0].bandwidth) == (72, 900 * GB)
    assert tiers[-1].span == 144
    assert all(outer.span % inner.span == 0 for inner, outer in pairwise(tiers))


def test_a_slice_of_a_pod_is_one_torus_and_several_slices_meet_over_the_network():
    pod = node(devices=4, domain=4096, fabric="ICI", fabric_link="ici", nics=None, nic_bandwidth=25 * GB, nic_link=None)
    one = cluster(32, kind=pod, dims=(4, 4, 8))
    (tier,) = one.tiers
    assert tier.torus is not None
    assert (tier.span, tier.torus.dims, tier.torus.wrap) == (128, (4, 4, 8), (True, True, True))
    assert tier.torus.link_bandwidth == pytest.approx(50 * GB)
    assert tier.pair_bandwidth == tier.torus.link_bandwidth
    slices = cluster(64, kind=pod, dims=(4, 4, 8))
    assert [level.span for level in slices.tiers] == [128, 256]


def test_a_slice_that_is_no_whole_cube_has_no_rings():
    pod = node(devices=4, domain=4096, fabric="ICI", fabric_link="ici", nics=None, nic_bandwidth=25 * GB, nic_link=None)
    torus = cluster(4, kind=pod, dims=(2, 2, 4)).tiers[0].torus
    assert torus is not None
    assert torus.wrap == (False, False, False)
    flat = node(
        devices=4, domain=256, fabric="ICI", fabric_link="ici-flat", nics=None, nic_link=None, nic_bandwidth=None
    )
    torus = cluster(32, kind=flat, dims=(8, 16)).tiers[0].torus
    assert torus is not None
    assert torus.wrap == (False, True)


def test_devices_without_scale_up_links_meet_over_the_bus_of_their_host():
    tiers = cluster(2, kind=node(domain=None, bandwidth=None)).tiers
    assert (tiers[0].name, tiers[0].span, tiers[0].bandwidth) == ("pcie", 8, 32 * GB)


def test_bridged_pairs_meet_each_other_over_the_bus():
    tiers = cluster(1, kind=node(domain=2, bandwidth=56 * GB, fabric="NVLink bridge")).tiers
    assert [(tier.name, tier.span, tier.bandwidth) for tier in tiers][1] == ("pcie", 8, 32 * GB)


def test_a_lone_device_has_one_tier_of_span_one():
    (tier,) = cluster(1, kind=node(devices=1, domain=None, bandwidth=None)).tiers
    assert tier.span == 1


def test_two_sites_share_what_their_link_carries():
    groups = [(node(), device(), 2), (node("other"), device(), 2)]
    wan = Wan(rtt=0.03, bandwidth=1.25 * GB)
    joined = build_cluster(nodes=groups, fabric=Fabric(sites=("north", "south"), wan=(wan,)), links=LINKS)
    last = joined.tiers[-1]
    assert (last.name, last.span) == ("wan", 32)
    assert last.bandwidth == pytest.approx(1.25 * GB / 16)
    assert last.latency > 0.015
    assert joined.bisection() == pytest.approx(1.25 * GB)


def test_groups_of_one_site_are_numbered_together_and_the_order_of_mention_decides():
    groups = [(node("a"), device(), 1), (node("b"), device(), 1), (node("c"), device(), 1)]
    fabric = Fabric(sites=("north", "south", "north"), wan=(Wan(rtt=0.01, bandwidth=GB),))
    joined = build_cluster(nodes=groups, fabric=fabric, links=LINKS)
    assert [kind.name for kind, _, _ in joined.groups] == ["a", "c", "b"]
    assert joined.spot(16).site == 1


def test_a_mixed_cluster_is_as_fast_as_its_slowest_group_and_each_group_keeps_its_own_view():
    slow = node("slow", bandwidth=100 * GB, nic_bandwidth=100 * GB, nics=4)
    mixed = build_cluster(nodes=[(node(), device(), 4), (slow, device(), 4)], fabric=Fabric(), links=LINKS)
    assert mixed.tiers[0].bandwidth == 100 * GB
    assert mixed.tiers_of(0)[0].bandwidth == 300 * GB
    assert mixed.tiers[-1].span == mixed.devices == 64


def test_a_hundred_thousand_devices_are_held_as_a_few_numbers():
    large = cluster(12_500, radix=128)
    assert large.devices == 100_000
    assert sum(part.count for part in large.classes() if part.kind == "device") == 100_000
    assert len(large.classes()) < 20
    between = large.tier_between(0, 99_999)
    assert between is not None
    assert between.span == 100_000


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [(0, 7, "nvswitch"), (0, 8, "leaf"), (0, 31, "leaf"), (0, 32, "spine"), (40, 1023, "spine")],
)
def test_two_devices_meet_in_the_innermost_domain_that_holds_both(one, other, name):
    large = cluster(128)
    name = large.tiers[0].name if name == "nvswitch" else name
    assert large.tier_between(one, other).name == large.tier_between(other, one).name == name


def test_the_number_of_adapters_that_no_source_gives_is_an_assumption_that_is_told():
    told = cluster(4, kind=node(nics=None, nic_bandwidth=None))
    assert told.tiers[-1].bandwidth == 25 * GB
    assert "one for each device is assumed" in told.assumptions[0]
    assert cluster(4).assumptions == ()


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: build_cluster(nodes=[], fabric=Fabric()), InputError, "at least one group"),
        (lambda: cluster(0), InputError, "at least 1 is needed"),
        (lambda: cluster(4, shape="fat-trees"), UnknownName, "fat-tree"),
        (lambda: cluster(4, shape="single-node"), InputError, "4 nodes"),
        (lambda: cluster(9_000, levels=2), Infeasible, "does not hold"),
        (lambda: cluster(4, oversubscription=0.5), InputError, "at least 1"),
        (lambda: cluster(4, kind=node(nic_bandwidth=None, nic_link=None)), InputError, "nic.bandwidth"),
        (lambda: cluster(1, kind=node(bandwidth=None), of=device(host=None)), InputError, "host.bandwidth"),
        (lambda: cluster(4, shape="rail", rails=3), InputError, "spread evenly"),
        (lambda: cluster(4, shape="torus-2d", dims=(3, 2)), InputError, "2x2"),
        (lambda: cluster(64, shape="dragonfly", dims=(1, 2, 1)), Infeasible, "groups"),
        (lambda: cluster(4, sites=("north", "south")), InputError, "one site for each group"),
    ],
)
def test_what_cannot_be_built_says_what_is_needed(build, error, words):
    with pytest.raises(error, match=words):
        build()


def test_nodes_of_different_adapters_on_one_switch_keep_their_own_rates():
    slow = node("slow", nics=1, nic_bandwidth=8 * GB)
    both = build_cluster(nodes=[(node(), device(), 4), (slow, device(), 4)], fabric=Fabric(), links=LINKS)
    assert both.tiers_of(0)[-1].bandwidth == 25 * GB
    assert both.tiers_of(1)[-1].bandwidth == 1 * GB
    assert both.tiers[-1].bandwidth == 1 * GB


def test_leaves_are_filled_evenly_so_that_domains_nest():
    tiers = cluster(128, oversubscription=2.0).tiers  # 5 boxes would fit on a leaf, and 4 divide 128
    assert [tier.span for tier in tiers] == [8, 32, 1024]
