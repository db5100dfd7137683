"""NCCL's own view of a machine, as ``NCCL_TOPO_DUMP_FILE`` writes it.

Attributes as in NCCL's ``src/graph/xml.cc`` and ``topo.cc``: PCI link speed in GT/s and width in lanes, NVLinks counted
per target, network speed in Mb/s.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import networkx as nx

from simulator.foundation.errors import InputError, Place
from simulator.foundation.units import BITS_PER_BYTE, GIGA, MEGA
from simulator.topology.importers.imported import IMPORTERS, Imported, domains, named
from simulator.topology.importers.xml_reader import Element, number, parse_xml

#: payload per bit on the wire: 8b/10b up to 5 GT/s, 128b/130b up to 32, 242 of 256 B in a flit at 64 (PCI-SIG)
_ENCODING: Final = ((5.0, 8 / 10), (32.0, 128 / 130), (64.0, 242 / 256))
#: compute capability -> bytes/s per direction of one NVLink (generations 1 to 5 of the catalogue)
_NVLINK: Final = {60: 20 * GIGA, 70: 25 * GIGA, 80: 25 * GIGA, 86: 14.0625 * GIGA, 90: 25 * GIGA, 100: 50 * GIGA}
_NVSWITCH_CLASS: Final = "0x068000"  # PCI class "bridge, other" of an NVSwitch


@IMPORTERS.register("nccl-xml")
def nccl(text: str, file: str) -> Imported:
    """Return the machine: sockets, PCI bridges, GPUs, NVSwitches and adapters, with bytes/s of the links between them.

    Raises:
        InputError: not NCCL's XML, a GPU without a PCI device, or figures that are no numbers.
    """
    root = parse_xml(text, file)
    if root.tag != "system":
        raise InputError(f"the root is <{root.tag:.40}>; NCCL writes <system>.", place=Place(file=file, line=root.line))
    graph: nx.Graph[str] = nx.Graph()
    links: list[tuple[str, Element, float]] = []
    sockets = root.find_all("cpu")
    for order, cpu in enumerate(sockets):
        socket = f"host:{cpu.attributes.get('numaid', str(order))}"
        graph.add_node(socket, kind="host", label=cpu.attributes.get("arch", "cpu"))
        for child in cpu.children:
            _walk(graph, child, socket, None, links, file)
    for one, other in pairwise(sockets):
        ends = [f"host:{cpu.attributes.get('numaid', '')}" for cpu in (one, other)]
        if all(end in graph for end in ends):
            graph.add_edge(*ends, kind="socket", lines=1)
    unknown = _join_nvlinks(graph, links, file)
    gpus = len(named(graph, "device"))
    if not gpus:
        raise InputError("no <gpu> in the file.", place=Place(file=file))
    notes = ["the speed between sockets is not in the file"] if len(sockets) > 1 else []
    notes += [f"the speed of an NVLink of compute capability {sm:g} is not known" for sm in sorted(unknown)]
    return Imported(
        kind="nccl-xml",
        graph=graph,
        members="devices",
        count=gpus,
        levels=(domains("machine", [gpus]),),
        shape=_shape(graph),
        notes=tuple(notes),
    )


def _walk(
    graph: nx.Graph[str], element: Element, above: str, lane: float | None,
    links: list[tuple[str, Element, float]], file: str,
) -> None:  # fmt: skip
    """Add an element and those in it below the vertex ``above``, over a PCI link of ``lane`` bytes/s where known."""
    here = above
    if element.tag == "pci":
        here = f"pci:{element.attributes.get('busid', '?')}"
        graph.add_node(here, kind="switch", label="pci")
        lane = _pci_bandwidth(element, file)
        _join(graph, above, here, "pci", lane)
    elif element.tag == "gpu":
        here = f"device:{element.attributes.get('dev', '?')}"
        graph.add_node(here, kind="device", label=f"sm_{element.attributes.get('sm', '?')}", busid=above)
        _join(graph, above, here, "pci", lane)
        sm = number(element, "sm", file, default=0)
        links += [(here, child, sm) for child in element.find_all("nvlink")]
    elif element.tag == "net":
        here = f"nic:{element.attributes.get('dev', element.attributes.get('name', '?'))}"
        speed = number(element, "speed", file, default=0) * MEGA / BITS_PER_BYTE
        graph.add_node(here, kind="nic", label=element.attributes.get("name", "net"), bandwidth=speed)
        _join(graph, above, here, "pci", lane)
    for child in element.children:
        if child.tag in ("pci", "gpu", "nic", "net"):
            _walk(graph, child, here, lane, links, file)


def _join(graph: nx.Graph[str], one: str, other: str, kind: str, capacity: float | None, lines: int = 1) -> None:
    known = {"capacity": capacity} if capacity else {}
    graph.add_edge(one, other, kind=kind, lines=lines, **known)


def _pci_bandwidth(element: Element, file: str) -> float | None:
    if not element.attributes.get("link_speed"):
        return None
    speed, width = number(element, "link_speed", file), number(element, "link_width", file, default=16)
    share = next((share for most, share in _ENCODING if speed <= most), None)
    return speed * GIGA * width * share / BITS_PER_BYTE if share is not None else None


def _join_nvlinks(graph: nx.Graph[str], links: list[tuple[str, Element, float]], file: str) -> set[float]:
    """Add the NVLinks to other GPUs and to the NVSwitches (one crossbar); return the sm without a known speed."""
    by_bus = {str(bus).removeprefix("pci:"): gpu for gpu, bus in graph.nodes(data="busid") if bus}
    found: dict[tuple[str, str], tuple[int, float]] = {}
    for gpu, link, sm in links:
        count, target = int(number(link, "count", file, default=1)), link.attributes.get("target", "")
        if link.attributes.get("tclass", "").startswith(_NVSWITCH_CLASS):
            graph.add_node("nvswitch:0", kind="switch", label="nvswitch")
            pair = (gpu, "nvswitch:0")
            found[pair] = (found.get(pair, (0, sm))[0] + count, sm)
        elif target in by_bus:
            found[min(gpu, by_bus[target]), max(gpu, by_bus[target])] = (count, sm)
        else:
            place = Place(file=file, line=link.line)
            raise InputError(f"an NVLink to {target!r:.40}, which is no GPU of the file and no NVSwitch.", place=place)
    unknown = set()
    for (one, other), (count, sm) in found.items():
        each = _NVLINK.get(int(sm), _NVLINK.get(int(sm) // 10 * 10))
        unknown |= set() if each else {sm}
        _join(graph, one, other, "nvlink", count * each if each else None, count)
    return unknown


def _shape(graph: nx.Graph[str]) -> str:
    joined = [(one, other) for one, other, about in graph.edges(data=True) if about["kind"] == "nvlink"]
    if not joined:
        return "pcie-tree"
    if "nvswitch:0" in graph:
        return "nvswitch"
    gpus = len(named(graph, "device"))
    return "full-mesh" if len(joined) == gpus * (gpus - 1) // 2 else ""
