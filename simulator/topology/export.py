"""The unfolded graph as text for other tools: GraphML and DOT."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import networkx as nx

from simulator.foundation.registry import Registry

#: graph -> text
Exporter = Callable[["nx.Graph[str]"], str]

EXPORTERS: Final[Registry[Exporter]] = Registry("graph format")

#: kind of vertex -> shape in Graphviz
_SHAPES: Final = {"device": "box", "host": "folder", "nic": "component", "switch": "ellipse", "gateway": "house"}


@EXPORTERS.register("graphml")
def graphml(graph: nx.Graph[str]) -> str:
    """Return GraphML with the attributes of vertices and links; the order is that of the graph.

    Source: http://graphml.graphdrawing.org/specification.html.
    """
    keys = _keys(graph)
    names = {name: f"d{number}" for number, name in enumerate(keys)}
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">']
    lines += [
        f'  <key id="{names[key]}" for="{key[0]}" attr.name="{html.escape(key[1])}" attr.type="{kind}"/>'
        for key, kind in keys.items()
    ]
    lines.append('  <graph edgedefault="undirected">')
    for vertex, about in graph.nodes(data=True):
        data = _data("node", about, names)
        lines.append(f'    <node id="{html.escape(vertex)}">{data}</node>')
    for one, other, about in graph.edges(data=True):
        data = _data("edge", about, names)
        lines.append(f'    <edge source="{html.escape(one)}" target="{html.escape(other)}">{data}</edge>')
    return "\n".join([*lines, "  </graph>", "</graphml>", ""])


def _keys(graph: nx.Graph[str]) -> dict[tuple[str, str], str]:
    """Return (node or edge, attribute) -> GraphML type, in the order of first appearance."""
    found: dict[tuple[str, str], str] = {}
    for place, abouts in (
        ("node", (about for _, about in graph.nodes(data=True))),
        ("edge", (about for _, _, about in graph.edges(data=True))),
    ):
        for about in abouts:
            for name, value in about.items():
                known = found.setdefault((place, name), _type(value))
                if known != _type(value):
                    found[place, name] = "string" if "string" in (known, _type(value)) else "double"
    return found


def _type(value: object) -> str:
    return "double" if isinstance(value, float) else "long" if isinstance(value, int) else "string"


def _data(place: str, about: Mapping[str, Any], names: Mapping[tuple[str, str], str]) -> str:
    return "".join(
        f'<data key="{names[place, name]}">{html.escape(str(value))}</data>' for name, value in about.items()
    )


@EXPORTERS.register("dot")
def dot(graph: nx.Graph[str]) -> str:
    """Return the graph in Graphviz's language, bandwidth of links in GB/s as their label.

    Source: https://graphviz.org/doc/info/lang.html.
    """
    return "\n".join([*_dot_lines(graph), ""])


def _dot_lines(graph: nx.Graph[str]) -> Iterator[str]:
    from simulator.foundation.units import show

    yield "graph cluster {"
    yield "  node [fontname=Helvetica fontsize=10];"
    yield "  edge [fontname=Helvetica fontsize=8];"
    for vertex, about in graph.nodes(data=True):
        shape = _SHAPES.get(str(about.get("kind")), "ellipse")
        yield f"  {_quoted(vertex)} [shape={shape} tooltip={_quoted(str(about.get('label', '')))}];"
    for one, other, about in graph.edges(data=True):
        capacity = about.get("capacity")
        label = f" [label={_quoted(show(capacity, 'bandwidth'))}]" if capacity else ""
        yield f"  {_quoted(one)} -- {_quoted(other)}{label};"
    yield "}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
