from __future__ import annotations

import random

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.foundation.errors import InputError, UnknownName
from simulator.topology.routing import POLICIES, Router, degraded, links_of, spread
from tests.topology.parts import cluster, node

BOX = node(devices=1, domain=None, bandwidth=None, nics=1, nic_bandwidth=25e9)
TREE = cluster(16, kind=BOX, radix=4).graph()  # k = 4: four paths between pods


def test_equal_paths_between_pods_are_as_many_as_cores():
    router = Router(TREE)
    paths = router.equal_paths("nic:0.0", "nic:15.0")
    assert len(paths) == 4
    assert {next(name for name in path if name.startswith("core")) for path in paths} == {
        f"core:0.{number}" for number in range(4)
    }
    assert router.equal_paths("nic:0.0", "nic:15.0", limit=2) == paths[:2]


@pytest.mark.parametrize("policy", list(POLICIES))
def test_every_policy_takes_a_shortest_path_and_takes_it_again(policy):
    router = Router(TREE)
    for flow in range(8):
        route = router.route("device:0", "device:15", flow=flow, policy=policy)
        assert route in router.equal_paths("device:0", "device:15")
        assert route == Router(TREE).route("device:0", "device:15", flow=flow, policy=policy)


def test_hashing_spreads_many_flows_over_all_paths_and_one_flow_over_one():
    router = Router(TREE)
    used = {router.route("device:0", "device:15", flow=flow) for flow in range(64)}
    assert len(used) == 4
    assert len({router.route("device:0", "device:15", flow=3) for _ in range(5)}) == 1


def test_hashed_flows_collide_where_least_loaded_ones_do_not():
    router = Router(TREE)
    flows = [("device:0", "device:15", 1.0), ("device:1", "device:14", 1.0)] + [
        (f"device:{2 + number}", f"device:{12 - number}", 1.0) for number in range(3)
    ]
    _, hashed = spread(router, flows * 4)
    _, adaptive = spread(router, flows * 4, policy="adaptive")
    climbing = [link for link in adaptive if link[0].startswith("leaf") and link[1].startswith("agg")]
    assert max(adaptive[link] for link in climbing) <= max(
        load for link, load in hashed.items() if link[0].startswith("leaf") and link[1].startswith("agg")
    )


@settings(max_examples=20, derandomize=True, deadline=None)
@given(seed=st.integers(0, 10**6), policy=st.sampled_from(sorted(POLICIES)))
def test_routes_do_not_depend_on_the_order_of_flows_vertices_or_links(seed, policy):
    shuffle = random.Random(seed)
    flows = [(f"device:{shuffle.randrange(8)}", f"device:{8 + shuffle.randrange(8)}", float(shuffle.randrange(1, 4)))
             for _ in range(12)]  # fmt: skip
    vertices, links = list(TREE.nodes(data=True)), list(TREE.edges(data=True))
    shuffle.shuffle(vertices)
    shuffle.shuffle(links)
    other: nx.Graph = nx.Graph()
    other.add_nodes_from(vertices)
    other.add_edges_from((far, near, link) for near, far, link in links)
    mixed = flows[:]
    shuffle.shuffle(mixed)
    routes, load = spread(Router(TREE), flows, policy=policy)
    again, same = spread(Router(other), mixed, policy=policy)
    assert load == same
    assert sorted(zip(flows, routes, strict=True)) == sorted(zip(mixed, again, strict=True))


def test_load_is_what_flows_ask_for_on_each_link_they_cross():
    routes, load = spread(Router(TREE), [("device:0", "device:5", 2.0), ("device:3", "device:9", 3.0)])
    assert sum(load.values()) == 2.0 * len(links_of(routes[0])) + 3.0 * len(links_of(routes[1]))


def test_a_failed_link_is_routed_around_and_a_slow_one_keeps_part_of_its_capacity():
    before = Router(TREE).route("device:0", "device:15")
    link = next((one, other) for one, other in links_of(before) if one.startswith("agg"))
    down = degraded(TREE, {link: 0.0})
    after = Router(down).route("device:0", "device:15")
    assert link not in links_of(after)
    assert len(Router(down).equal_paths("device:0", "device:15")) == 3
    slow = degraded(TREE, {(link[1], link[0]): 0.25})
    assert slow.edges[link]["capacity"] == TREE.edges[link]["capacity"] / 4
    assert TREE.has_edge(*link)


def test_a_vertex_that_is_cut_off_is_told_so():
    alone = degraded(TREE, {("nic:0.0", next(name for name in TREE["nic:0.0"] if name.startswith("leaf"))): 0.0})
    with pytest.raises(InputError, match="no path"):
        Router(alone).route("device:0", "device:15")


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (lambda: Router(TREE).route("device:0", "device:99"), InputError, "no vertex"),
        (lambda: Router(TREE).route("device:0", "device:1", policy="ecpm"), UnknownName, "ecmp"),
        (lambda: degraded(TREE, {("device:0", "device:1"): 0.5}), InputError, "no link"),
        (lambda: degraded(TREE, {("device:0", "nic:0.0"): 1.5}), InputError, "share from 0 to 1"),
    ],
)
def test_what_is_not_there_is_named(wrong, error, words):
    with pytest.raises(error, match=words):
        wrong()
