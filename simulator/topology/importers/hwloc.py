"""hwloc's ``lstopo --of xml``: packages, NUMA nodes, bridges and PCI devices of one machine.

Object types and attributes as in hwloc's documentation of its XML (versions 1.11 to 3).
"""

from __future__ import annotations

import re
from typing import Final

import networkx as nx

from simulator.foundation.errors import InputError, Place
from simulator.foundation.units import GIGA
from simulator.topology.importers.imported import IMPORTERS, Imported, domains, named
from simulator.topology.importers.xml_reader import Element, number, parse_xml

#: PCI base class -> kind of vertex: 02 network, 03 display (GPU), 0b coprocessor, 12 processing accelerator (PCI-SIG)
_CLASSES: Final = {"02": "nic", "03": "device", "0b": "device", "12": "device"}
_PCI_TYPE: Final = re.compile(r"([0-9a-fA-F]{2})[0-9a-fA-F]{2}\b")
_CONTAINERS: Final = ("Machine", "System", "Package", "Socket", "Group", "NUMANode", "Bridge", "PCIDev")
_VGA: Final = "0300"  # a display for people; the accelerators of servers are 0302


@IMPORTERS.register("hwloc-xml")
def hwloc(text: str, file: str) -> Imported:
    """Return the packages, bridges, accelerators and adapters of a machine, with the bytes/s of PCI links if known.

    Raises:
        InputError: not hwloc's XML, or no accelerator and no adapter in it.
    """
    root = parse_xml(text, file)
    if root.tag != "topology":
        raise InputError(
            f"the root is <{root.tag:.40}>; hwloc writes <topology>.", place=Place(file=file, line=root.line)
        )
    graph: nx.Graph[str] = nx.Graph()
    for child in root.find_all("object"):
        _walk(graph, child, None, file)
    _prune(graph)
    devices = len(named(graph, "device"))
    if not devices and not named(graph, "nic"):
        raise InputError(
            "no accelerator and no network adapter; write the file with 'lstopo --of xml --whole-io'.",
            place=Place(file=file),
        )
    packages = _per_package(graph)
    levels = [domains("package", packages)] if packages and devices else []
    return Imported(
        kind="hwloc-xml",
        graph=graph,
        members="devices",
        count=devices,
        levels=(*levels, domains("machine", [devices])),
        shape="pcie-tree" if devices else "",
        notes=("hwloc does not list links between accelerators",),
    )


def _walk(graph: nx.Graph[str], element: Element, above: str | None, file: str) -> None:
    kind = element.attributes.get("type", "")
    here = above
    if kind in _CONTAINERS:
        here = _vertex(graph, element, kind)
        if above is not None:
            speed = number(element, "pci_link_speed", file, default=0) * GIGA  # hwloc writes GB/s
            known = {"capacity": speed} if speed else {}
            graph.add_edge(above, here, kind="pci" if kind in ("Bridge", "PCIDev") else "host", lines=1, **known)
    elif kind == "OSDev" and here is not None and graph.nodes[here]["kind"] in ("device", "nic"):
        graph.nodes[here]["label"] = element.attributes.get("name", graph.nodes[here]["label"])
    for child in element.children:
        if child.tag == "object":
            _walk(graph, child, here, file)


def _vertex(graph: nx.Graph[str], element: Element, kind: str) -> str:
    if kind == "PCIDev":
        match = _PCI_TYPE.search(element.attributes.get("pci_type", ""))
        found = _CLASSES.get(match.group(1).lower(), "other") if match else "other"
        if match and match.group(0) == _VGA:
            found = "other"
        name = f"{found}:{element.attributes.get('pci_busid', len(graph))}"
    else:
        found = "switch" if kind == "Bridge" else "host"
        name = f"{kind.lower()}:{element.attributes.get('gp_index', element.attributes.get('os_index', len(graph)))}"
    graph.add_node(name, kind=found, label=kind.lower())
    return name


def _prune(graph: nx.Graph[str]) -> None:
    """Drop what leads to no accelerator and no adapter."""
    while True:
        idle = [
            name
            for name, about in graph.nodes(data=True)
            if about["kind"] == "other" or (about["kind"] in ("switch", "host") and graph.degree(name) <= 1)
        ]
        if not idle or len(graph) <= 1:
            return
        graph.remove_nodes_from(idle)


def _per_package(graph: nx.Graph[str]) -> list[int]:
    """Return the accelerators below each package."""
    packages = [name for name in graph if name.startswith(("package:", "socket:"))]
    without = graph.subgraph([name for name in graph if not name.startswith(("machine:", "system:"))])
    return [
        sum(graph.nodes[name]["kind"] == "device" for name in nx.node_connected_component(without, package))
        for package in packages
    ]
