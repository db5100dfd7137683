"""Paths in closed form against the unfolded graph."""

from __future__ import annotations

from itertools import pairwise

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.topology import Cluster, Fabric, Wan, build_cluster
from simulator.topology.bisection import bisections, exact_bisection
from simulator.topology.names import adapter_name, device_name
from simulator.topology.routing import Router
from tests.topology.parts import GB, LINKS, cluster, device, node

POD = node(devices=4, domain=64, fabric="3D torus", fabric_link="ici", nics=1, nic_bandwidth=25 * GB)
FAR = Wan(rtt=0.03, bandwidth=10 * GB)


def clusters() -> dict[str, Cluster]:
    two = [(node(), device(), 3), (node("other", devices=4, domain=4), device(), 2)]
    return {
        "one box": cluster(1),
        "fat-tree": cluster(7, radix=16, oversubscription=2.0),
        "three levels": cluster(12, kind=node(devices=2, domain=2, nics=1, nic_bandwidth=25 * GB), radix=4),
        "rails": cluster(6, shape="rail", radix=8),
        "dragonfly": cluster(6, shape="dragonfly", dims=(8, 3, 1)),
        "shared adapters": cluster(5, kind=node(nics=4, nic_bandwidth=100 * GB), radix=12),
        "bus only": cluster(3, kind=node(bandwidth=None, domain=None)),
        "cube mesh": cluster(2, kind=node(fabric="NVLink2 hybrid cube mesh", nics=4)),
        "racks": cluster(7, kind=node(devices=4, domain=8, nics=4, nic_bandwidth=100 * GB)),
        "slices": cluster(8, kind=POD, dims=(2, 2, 4)),
        "mixed": build_cluster(nodes=two, fabric=Fabric(radix=16), links=LINKS),
        "two sites": build_cluster(nodes=two, fabric=Fabric(sites=("n", "s"), wan=(FAR,)), links=LINKS),
    }


ALL = clusters()
each = pytest.mark.parametrize("name", ALL)


@each
def test_the_closed_path_is_one_of_the_shortest_of_the_graph(name):
    one = ALL[name]
    router = Router(one.graph())
    for source in range(0, one.devices, 3):
        for target in range(1, one.devices, 5):
            path = one.path(source, target, flow=source + target)
            route = (device_name(source), *(step.target for step in path))
            if source == target:
                assert path == ()
                continue
            assert route in router.equal_paths(device_name(source), device_name(target)), route
            for step in path:
                link = router.graph.edges[step.source, step.target]
                assert (link["capacity"], link["latency"]) == (step.capacity, step.latency)


@each
def test_a_path_ends_where_it_should_and_is_as_long_on_the_way_back(name):
    one = ALL[name]
    for source, target in ((0, one.devices - 1), (1, one.devices // 2), (one.devices - 1, 2)):
        path = one.path(source, target)
        if source != target:
            assert (path[0].source, path[-1].target) == (device_name(source), device_name(target))
            assert all(before.target == after.source for before, after in pairwise(path))
            assert len(one.path(target, source)) == len(path)


@each
def test_the_latency_of_a_tier_is_that_of_the_longest_path_in_it(name):
    one = ALL[name]
    if any(tier.torus or tier.shape == "cube-mesh" for tiers in one.group_tiers for tier in tiers):
        return  # there the tier tells one hop
    for target in range(1, one.devices):
        tier = one.tier_between(0, target)
        assert tier is not None
        assert sum(step.latency for step in one.path(0, target)) <= tier.latency * (1 + 1e-9) + 1e-6


@each
def test_the_graph_has_every_device_connected_with_positive_links(name):
    one = ALL[name]
    graph = one.graph()
    assert sum(kind == "device" for _, kind in graph.nodes(data="kind")) == one.devices
    assert nx.is_connected(graph)
    for _, _, link in graph.edges(data=True):
        assert link["capacity"] > 0
        assert link["latency"] > 0
    assert all(graph.degree(device_name(number)) > 0 for number in range(one.devices))


@each
def test_folded_classes_count_what_the_graph_holds(name):
    one = ALL[name]
    graph = one.graph()
    counted = dict.fromkeys(("device", "switch", "adapter"), 0)
    for part in one.classes():
        if part.kind in counted:
            counted[part.kind] += part.count
    kinds = [kind for _, kind in graph.nodes(data="kind")]
    hosts_as_switches = one.nodes if one.scale_ups[0].over_host else 0
    assert counted["device"] == kinds.count("device")
    assert counted["adapter"] == kinds.count("nic")
    assert counted["switch"] - hosts_as_switches == kinds.count("switch")


@each
def test_the_bisection_of_a_cluster_is_the_least_cut_of_its_network_with_nodes_kept_whole(name):
    one = ALL[name]
    if one.wan is not None or one.sites[0].wiring is None:
        return
    graph = nx.Graph((near, far, link) for near, far, link in one.graph().edges(data=True) if link["kind"] == "network")
    spots = [one.spot(number) for number in range(one.devices)]
    parts = []
    for number in range(one.nodes):
        ports = one.ports_of(next(spot.group for spot in spots if spot.node == number))
        assert ports is not None
        names = [adapter_name(number, port) for port in range(ports.ports)]
        parts.append(names)
        graph.add_edges_from((names[0], other, {"capacity": 1e18}) for other in names[1:])
    found = exact_bisection(graph, parts)
    if one.homogeneous:
        assert one.bisection() == pytest.approx(found)
    else:
        assert one.bisection() >= found * (1 - 1e-9)


def test_each_kind_of_domain_has_a_bisection():
    found = {one.name: one for one in bisections(ALL["two sites"])}
    assert found["wan"].bandwidth == pytest.approx(10 * GB)
    assert found["n/fat-tree"].share == pytest.approx(1.0)
    quarter = bisections(cluster(24, oversubscription=4.0))[-1]
    assert quarter.share == pytest.approx(0.25)


def test_rails_that_do_not_meet_are_changed_inside_a_node():
    apart = cluster(4, shape="rail", radix=64, levels=1)
    path = apart.path(0, 9)
    assert [step.target.partition(":")[0] for step in path] == [
        "nvlink-switch",
        "device",
        "nic",
        "leaf",
        "nic",
        "device",
    ]
    assert path[2].source == "device:1"


def test_a_torus_of_nodes_uses_every_adapter():
    grid = cluster(9, shape="torus-2d", dims=(3, 3))
    path = grid.path(3, 8 * 8 + 3)
    assert {step.target for step in path if step.target.startswith("nic")} >= {"nic:0.3", "nic:8.3"}
    assert nx.is_connected(grid.graph())
    assert grid.path(3, 8 * 8 + 4)[-1].target == "device:68"


@settings(max_examples=40, derandomize=True, deadline=None)
@given(source=st.integers(0, 16_383), target=st.integers(0, 16_383), flow=st.integers(0, 3))
def test_paths_across_sixteen_thousand_devices_are_found_without_a_graph(source, target, flow):
    large = cluster(2048)
    path = large.path(source, target, flow=flow)
    tier = large.tier_between(source, target)
    assert (tier is None) == (path == ())
    if tier is not None:
        lengths = {tier.name: number for tier, number in zip(large.tiers, (2, 4, 6, 8), strict=True)}
        assert len(path) == lengths[tier.name]
        assert sum(step.latency for step in path) == pytest.approx(tier.latency)


@pytest.mark.slow
def test_the_graph_of_sixteen_thousand_devices_can_be_held():
    graph = cluster(2048).graph()
    assert sum(kind == "device" for _, kind in graph.nodes(data="kind")) == 16_384
    assert nx.is_connected(graph)
