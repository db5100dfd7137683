"""From 'this switch has these children' to a graph and its nested domains, for both of Slurm's formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import networkx as nx

from simulator.foundation.errors import InputError, Place
from simulator.topology.importers.imported import MAX_VERTICES, Domains, domains


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """One switch or block as a file describes it: names of the switches and nodes right below, and its line there."""

    switches: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    line: int | None = None


def tree_graph(switches: Mapping[str, Switch], file: str) -> nx.Graph[str]:
    """Return the graph of switches and nodes.

    Raises:
        InputError: a child that is described nowhere, a circle, or too many vertices.
    """
    graph: nx.Graph[str] = nx.Graph()
    for name, switch in switches.items():
        graph.add_node(f"switch:{name}", kind="switch", label=name)
        for node in switch.nodes:
            graph.add_node(f"host:{node}", kind="host", label=node)
            graph.add_edge(f"switch:{name}", f"host:{node}", kind="network")
        for child in switch.switches:
            if child not in switches:
                place = Place(file=file, line=switch.line)
                raise InputError(f"the switch {name!r} has a child {child!r} that is described nowhere.", place=place)
            graph.add_edge(f"switch:{name}", f"switch:{child}", kind="network")
        if len(graph) > MAX_VERTICES:
            raise InputError(f"more than {MAX_VERTICES} switches and nodes.", place=Place(file=file, line=switch.line))
    refuse_circles(switches, file)
    return graph


def refuse_circles(switches: Mapping[str, Switch], file: str) -> None:
    """Raise :class:`InputError` with the circle if a switch is below itself."""
    below: nx.DiGraph[str] = nx.DiGraph()
    below.add_edges_from((name, child) for name, switch in switches.items() for child in switch.switches)
    try:
        circle = [one for one, _ in nx.find_cycle(below)]
    except nx.NetworkXNoCycle:
        return
    place = Place(file=file, line=switches[circle[0]].line)
    raise InputError(f"the switches {' > '.join([*circle, circle[0]])} go round in a circle.", place=place)


def nested(switches: Mapping[str, Switch]) -> tuple[Domains, ...]:
    """Return the levels of switches, innermost first, with the nodes below each switch.

    A switch is one level above the highest of its children.
    """
    below: nx.DiGraph[str] = nx.DiGraph()
    below.add_nodes_from(switches)
    below.add_edges_from((name, child) for name, switch in switches.items() for child in switch.switches)
    reached: dict[str, set[str]] = {}
    height: dict[str, int] = {}
    for name in reversed(list(nx.topological_sort(below))):
        switch = switches[name]
        reached[name] = set(switch.nodes).union(*(reached[child] for child in switch.switches))
        height[name] = 1 + max((height[child] for child in switch.switches), default=-1)
    return tuple(
        domains(f"level-{level + 1}", [len(reached[name]) for name in switches if height[name] == level])
        for level in range(max(height.values(), default=-1) + 1)
    )
