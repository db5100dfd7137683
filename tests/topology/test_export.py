from __future__ import annotations

import networkx as nx
import pytest

from simulator.topology.export import EXPORTERS, dot, graphml
from tests.topology.parts import cluster


def test_graphml_reads_back_as_the_same_graph(tmp_path):
    graph = cluster(2).graph()
    path = tmp_path / "graph.xml"
    path.write_text(graphml(graph))
    again = nx.read_graphml(path)
    assert set(again) == set(graph)
    assert {frozenset(edge) for edge in again.edges} == {frozenset(edge) for edge in graph.edges}
    assert again.edges["nic:0.0", "leaf:0.0"]["capacity"] == pytest.approx(25e9)
    assert again.nodes["device:0"]["kind"] == "device"


def test_names_that_need_it_are_quoted():
    graph = nx.Graph()
    graph.add_edge('a"<b>&', "c", kind="x", capacity=1e9)
    assert nx.parse_graphml(graphml(graph)).has_edge('a"<b>&', "c")
    assert '"a\\"<b>&" -- "c" [label="1 GB/s"]' in dot(graph)


@pytest.mark.parametrize("kind", list(EXPORTERS))
def test_the_same_cluster_is_the_same_text(kind):
    assert EXPORTERS[kind](cluster(3).graph()) == EXPORTERS[kind](cluster(3).graph())
