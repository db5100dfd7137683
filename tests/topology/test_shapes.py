"""Laws that every registered shape obeys, on small instances where all can be counted."""

from __future__ import annotations

from itertools import combinations, pairwise

import networkx as nx
import pytest

from simulator.topology import Fabric, Wan
from simulator.topology.bisection import exact_bisection
from simulator.topology.shapes import SHAPES
from simulator.topology.wiring import Ends, Vertex, Wiring
from tests.topology.parts import GB, ends

SLOW_SITES = (Wan(rtt=0.02, bandwidth=GB, between=("a", "b")), Wan(rtt=0.03, bandwidth=2 * GB, between=("b", "c")))

#: shape -> instances: ends, then parameters of the fabric
SMALL: dict[str, list[tuple[Ends, dict[str, object]]]] = {
    "single-node": [(ends((1, 8 * GB, 2)), {})],
    "nvswitch": [(ends((2, 8 * GB, 1)), {}), (ends((7, 8 * GB, 1)), {}), (ends((8, 8 * GB, 1)), {})],
    "pcie-tree": [
        (ends((8, 8 * GB, 1)), {}),
        (ends((8, 8 * GB, 1)), {"shape": "pcie-tree", "oversubscription": 2.0}),
        (ends((6, 8 * GB, 1)), {"shape": "pcie-tree", "oversubscription": 3.0}),
    ],
    "leaf-spine": [
        (ends((8, 8 * GB, 1)), {"radix": 4}),
        (ends((8, 8 * GB, 1)), {"radix": 6, "oversubscription": 2.0}),
        (ends((7, 8 * GB, 1)), {"radix": 6, "oversubscription": 2.0}),
        (ends((6, 8 * GB, 2)), {"radix": 12, "oversubscription": 3.0}),
        (ends((5, 8 * GB, 1)), {"radix": 5, "oversubscription": 1.5}),
    ],
    "fat-tree": [
        (ends((4, 8 * GB, 1)), {"radix": 4}),
        (ends((8, 8 * GB, 1)), {"radix": 4}),
        (ends((10, 8 * GB, 1)), {"radix": 4}),
        (ends((10, 8 * GB, 1)), {"radix": 4, "levels": 3, "oversubscription": 2.0}),
        (ends((9, 8 * GB, 1)), {"radix": 6, "levels": 3, "oversubscription": 2.0}),
        (ends((5, 8 * GB, 6)), {"radix": 8}),
        (ends((10, 8 * GB, 1)), {"radix": 4, "levels": 4}),
    ],
    "rail": [
        (ends((4, 8 * GB, 2)), {"radix": 4}),
        (ends((8, 8 * GB, 2)), {"radix": 4, "oversubscription": 2.0}),
        (ends((6, 8 * GB, 4)), {"radix": 8, "rails": 2}),
        (ends((10, 8 * GB, 2)), {"radix": 4}),
    ],
    "full-mesh": [(ends((count, 8 * GB, 1)), {}) for count in (2, 3, 7, 8)],
    "cube-mesh": [(ends((8, 6 * GB, 1)), {})],
    "torus-2d": [
        (ends((12, 8 * GB, 1)), {"dims": (3, 4)}),
        (ends((12, 8 * GB, 1)), {"dims": (3, 4), "wrap": False}),
        (ends((8, 8 * GB, 1)), {"dims": (2, 4)}),
        (ends((9, 8 * GB, 1)), {}),
        (ends((10, 8 * GB, 1)), {"dims": (2, 5)}),
        (ends((6, 8 * GB, 1)), {"dims": (6, 1)}),
    ],
    "torus-3d": [
        (ends((8, 6 * GB, 1)), {}),
        (ends((12, 6 * GB, 1)), {"dims": (2, 2, 3)}),
        (ends((12, 6 * GB, 1)), {"dims": (3, 2, 2), "wrap": (False, False, False)}),
    ],
    "dragonfly": [
        (ends((8, 8 * GB, 1)), {"dims": (1, 4, 2)}),
        (ends((4, 8 * GB, 1)), {"dims": (2, 2, 1)}),
        (ends((12, 8 * GB, 1)), {"dims": (3, 2, 2)}),
        (ends((8, 8 * GB, 1)), {"dims": (1, 2, 3)}),
        (ends((6, 8 * GB, 2)), {"dims": (2, 3, 1)}),
    ],
    "sites": [
        (ends((2, GB, 1)), {"wan": (Wan(rtt=0.03, bandwidth=GB),)}),
        (ends((4, GB, 1)), {"wan": (Wan(rtt=0.03, bandwidth=GB, loss=1e-4),)}),
        (ends((3, 2 * GB, 1)), {"sites": ("a", "b", "c"), "wan": SLOW_SITES}),
    ],
}
CASES = [
    pytest.param(shape, joined, parameters, id=f"{shape}-{number}")
    for shape, instances in SMALL.items()
    for number, (joined, parameters) in enumerate(instances)
]
every_shape = pytest.mark.parametrize(("shape", "joined", "parameters"), CASES)


def wire(shape: str, joined: Ends, parameters: dict[str, object]) -> Wiring:
    return SHAPES[shape](joined, Fabric(**parameters))


def unfolded(wiring: Wiring) -> nx.Graph:
    graph: nx.Graph = nx.Graph()
    for hop in wiring.links():
        if graph.has_edge(hop.source, hop.target):
            graph.edges[hop.source, hop.target]["capacity"] += hop.capacity
            graph.edges[hop.source, hop.target]["lines"] += 1
        else:
            graph.add_edge(hop.source, hop.target, capacity=hop.capacity, latency=hop.latency, lines=1)
    return graph


def ports(wiring: Wiring, end: int) -> list[Vertex]:
    return [Vertex("end", end, port) for port in range(wiring.ends.of(end).ports)]


def joined_ports(wiring: Wiring) -> nx.Graph:
    """The graph with the ports of each end held together, as a node holds its adapters."""
    graph = unfolded(wiring)
    for end in range(wiring.ends.count):
        for one, other in pairwise(ports(wiring, end)):
            graph.add_edge(one, other, capacity=1e15, latency=0.0, lines=1)
    return graph


def test_every_registered_shape_is_under_these_laws():
    assert sorted(SMALL) == list(SHAPES)


@every_shape
def test_all_ends_are_connected_and_every_port_has_a_link(shape, joined, parameters):
    wiring = wire(shape, joined, parameters)
    graph = joined_ports(wiring)
    assert nx.is_connected(graph)
    for end in range(joined.count):
        assert all(port in graph for port in ports(wiring, end))


@every_shape
def test_capacities_and_latencies_are_positive_and_an_end_sends_no_more_than_its_bandwidth(shape, joined, parameters):
    wiring = wire(shape, joined, parameters)
    graph = unfolded(wiring)
    assert all(link["capacity"] > 0 and link["latency"] > 0 for _, _, link in graph.edges(data=True))
    if shape == "sites":
        return  # a site sends over all its links at once
    for end in range(joined.count):
        sent = sum(graph.edges[port, near]["capacity"] for port in ports(wiring, end) for near in graph[port])
        assert sent <= joined.of(end).bandwidth * (1 + 1e-9)


@every_shape
def test_folded_counts_are_those_of_the_unfolded_graph(shape, joined, parameters):
    wiring = wire(shape, joined, parameters)
    lines = list(wiring.links())
    assert sum(one.count for one in wiring.link_classes()) == len(lines)
    total = sum(one.count * one.capacity for one in wiring.link_classes())
    assert total == pytest.approx(sum(hop.capacity for hop in lines))
    vertices = {vertex for hop in lines for vertex in (hop.source, hop.target) if vertex.kind != "end"}
    assert sum(wiring.switches().values()) == len(vertices)


@every_shape
def test_closed_form_bisection_is_the_least_cut_of_the_graph(shape, joined, parameters):
    if joined.count < 2:
        return
    wiring = wire(shape, joined, parameters)
    graph = joined_ports(wiring)
    parts = [ports(wiring, end) for end in range(joined.count)]
    assert wiring.bisection() == pytest.approx(exact_bisection(graph, parts))


@every_shape
def test_bisection_is_at_most_what_half_of_the_ends_send(shape, joined, parameters):
    wiring = wire(shape, joined, parameters)
    if joined.count > 1 and shape != "sites":
        assert wiring.bisection() <= joined.slowest_half() * (1 + 1e-9)


@every_shape
def test_outer_tiers_are_wider_slower_and_further(shape, joined, parameters):
    levels = wire(shape, joined, parameters).levels()
    assert levels[-1].span == joined.count
    for inner, outer in pairwise(levels):
        assert outer.span >= inner.span
        assert outer.bandwidth <= inner.bandwidth * (1 + 1e-9)
        assert outer.latency >= inner.latency
    assert all(level.bandwidth <= level.port * (1 + 1e-9) for level in levels)


@every_shape
def test_routes_follow_links_are_shortest_and_as_long_on_the_way_back(shape, joined, parameters):
    wiring = wire(shape, joined, parameters)
    graph = unfolded(wiring)
    for one, other in combinations(range(joined.count), 2):
        for pick in (0, 1, 5):
            source, target = ports(wiring, one)[0], ports(wiring, other)[0]
            route = wiring.route(source, target, pick)
            assert [route[0].source, route[-1].target] == [source, target]
            assert all(before.target == after.source for before, after in pairwise(route))
            for hop in route:
                link = graph.edges[hop.source, hop.target]
                assert hop.capacity <= link["capacity"] * (1 + 1e-9)
                assert hop.latency == link["latency"]
            assert len(route) == nx.shortest_path_length(graph, source, target)
            assert len(wiring.route(target, source, pick)) == len(route)


@every_shape
def test_the_number_of_shortest_paths_is_that_of_the_graph(shape, joined, parameters):
    wiring = wire(shape, joined, parameters)
    graph = unfolded(wiring)
    for one, other in combinations(range(joined.count), 2):
        source, target = ports(wiring, one)[0], ports(wiring, other)[0]
        counted = 0
        for path in nx.all_shortest_paths(graph, source, target):
            lines = 1
            for near, far in pairwise(path):
                lines *= graph.edges[near, far]["lines"]
            counted += lines
        assert wiring.paths(source, target) == counted


@every_shape
def test_equal_paths_are_all_chosen_where_switches_choose(shape, joined, parameters):
    wiring = wire(shape, joined, parameters)
    if wiring.switches() and joined.count > 1:
        source, target = ports(wiring, 0)[0], ports(wiring, joined.count - 1)[0]
        routes = {
            tuple(hop.target for hop in wiring.route(source, target, pick))
            for pick in range(wiring.paths(source, target))
        }
        assert routes == {tuple(path[1:]) for path in nx.all_shortest_paths(unfolded(wiring), source, target)}


@every_shape
def test_ways_out_lead_along_links_to_a_gate(shape, joined, parameters):
    wiring = wire(shape, joined, parameters)
    graph = unfolded(wiring)
    for end in range(joined.count):
        for port in ports(wiring, end):
            way = wiring.way_out(port, 3)
            assert all(graph.has_edge(hop.source, hop.target) for hop in way)
            assert (way[-1].target if way else port) in wiring.gates()


def test_latency_of_a_level_is_that_of_its_longest_route():
    wiring = wire("fat-tree", ends((10, 8 * GB, 1)), {"radix": 4})
    for level in wiring.levels():
        route = wiring.route(Vertex("end", 0, 0), Vertex("end", level.span - 1, 0), 0)
        assert sum(hop.latency for hop in route) == pytest.approx(level.latency)


@pytest.mark.parametrize(
    ("dims", "links"), [((4, 4), 8), ((4, 6), 8), ((16, 16), 32), ((4, 4, 4), 32), ((16, 16, 16), 512)]
)
def test_a_torus_is_cut_twice_across_its_longest_axis(dims, links):
    count = 1
    for size in dims:
        count *= size
    wiring = wire(f"torus-{len(dims)}d", ends((count, 2.0 * len(dims), 1)), {"dims": dims})
    assert wiring.bisection() == pytest.approx(links)


def test_a_non_blocking_fat_tree_carries_half_of_all_ports():
    wiring = wire("fat-tree", ends((2048, 200 * GB, 8)), {})
    assert wiring.bisection() == pytest.approx(1024 * 200 * GB)
    assert wiring.uniform_limit() is None


def test_a_k_ary_fat_tree_has_the_published_numbers_of_switches():
    """k = 4 has 16 hosts, 8 edge, 8 aggregation and 4 core switches (Al-Fares et al. 2008, figure 3)."""
    wiring = wire("fat-tree", ends((16, 1.0, 1)), {"radix": 4})
    assert wiring.switches() == {"leaf": 8, "aggregation": 8, "core": 4}
    assert wiring.paths(Vertex("end", 0, 0), Vertex("end", 15, 0)) == 4


def test_a_mixed_fabric_carries_no_more_than_its_slower_half():
    wiring = wire("fat-tree", ends((4, 8 * GB, 1), (4, 2 * GB, 1)), {"radix": 4})
    assert wiring.bisection() == pytest.approx(4 * 2 * GB)


def test_all_to_all_on_a_torus_is_bound_by_its_bisection():
    wiring = wire("torus-2d", ends((16, 4.0, 1)), {"dims": (4, 4)})
    # each of 8 ends sends 8/15 of its rate to the other half over 8 links of 1
    assert wiring.uniform_limit() == pytest.approx(8 / (8 * 8 / 15))
