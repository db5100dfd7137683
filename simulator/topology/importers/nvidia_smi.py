"""The matrix of ``nvidia-smi topo -m``: which link joins each pair of GPUs and adapters of one machine."""

from __future__ import annotations

import re
from typing import Final

import networkx as nx

from simulator.foundation.errors import InputError, Place
from simulator.topology.importers.imported import IMPORTERS, Imported, domains
from simulator.topology.shapes.mesh import CUBE

_COLOR: Final = re.compile(r"\x1b\[[0-9;]*m")
_PART: Final = re.compile(r"(GPU|NIC)\d+|(?:mlx|bnxt|irdma|efa|roce|rdma)\w*")
_CELL: Final = re.compile(r"X|SYS|NODE|PHB|PXB|PIX|NV(\d{1,3})")
MAX_PARTS: Final = 256
MAX_NVLINKS: Final = 18  # of one GPU (NVLink 4 and 5)


@IMPORTERS.register("nvidia-smi")
def nvidia_smi(text: str, file: str) -> Imported:
    """Return the graph of GPUs and adapters; links have ``kind`` (``nvlink`` or NVIDIA's word) and ``lines``.

    The words, from near to far: PIX one PCIe switch, PXB several, PHB the host bridge, NODE bridges of one NUMA node,
    SYS across sockets; ``NV#`` is that many NVLinks.

    Raises:
        InputError: no matrix, a cell that is none of these words, or halves of the matrix that differ.
    """
    lines = [_COLOR.sub("", line) for line in text.splitlines()]
    start = next((number for number, line in enumerate(lines) if line.split()[:1] == ["GPU0"]), None)
    if start is None:
        raise InputError("no matrix with a heading that begins with GPU0.", place=Place(file=file))
    heading = lines[start].partition("CPU Affinity")[0].split()
    if len(heading) > MAX_PARTS or any(not _PART.fullmatch(part) for part in heading):
        raise InputError(
            f"the heading names {len(heading)} parts, as in {heading[-1]!r:.40}; up to {MAX_PARTS} GPUs and adapters "
            "are read.",
            place=Place(file=file, line=start + 1),
        )
    rows = _rows(lines, start, heading, file)
    graph = _graph(heading, rows, file)
    gpus = [part for part in heading if part.startswith("GPU")]
    return Imported(
        kind="nvidia-smi",
        graph=graph,
        members="devices",
        count=len(gpus),
        levels=(domains("machine", [len(gpus)]),),
        shape=_shape(gpus, rows),
        notes=("the matrix counts NVLinks and does not tell their speed",),
    )


def _rows(lines: list[str], start: int, heading: list[str], file: str) -> dict[str, dict[str, str]]:
    rows: dict[str, dict[str, str]] = {}
    for number, line in enumerate(lines[start + 1 :], start=start + 2):
        words = line.split()
        if not words or words[0] not in heading or len(rows) == len(heading):
            break
        cells = words[1 : 1 + len(heading)]
        wrong = next((cell for cell in cells if not _CELL.fullmatch(cell)), None)
        if wrong is not None or len(cells) < len(heading) or words[0] in rows:
            found = f"{wrong!r:.40}" if wrong is not None else f"{len(cells)} cells of {len(heading)}"
            message = f"the row {words[0]} has {found}; each cell is X, SYS, NODE, PHB, PXB, PIX or NV and a number."
            raise InputError(message, place=Place(file=file, line=number))
        rows[words[0]] = dict(zip(heading, cells, strict=True))
    missing = [part for part in heading if part not in rows]
    if missing:
        raise InputError(f"no row for {', '.join(missing):.120}.", place=Place(file=file))
    return rows


def _graph(heading: list[str], rows: dict[str, dict[str, str]], file: str) -> nx.Graph[str]:
    graph: nx.Graph[str] = nx.Graph()
    for part in heading:
        graph.add_node(part, kind="device" if part.startswith("GPU") else "nic", label=part)
    for index, one in enumerate(heading):
        for other in heading[index + 1 :]:
            cell = rows[one][other]
            if rows[other][one] != cell:
                message = f"{one} says {cell} for {other}, and {other} says {rows[other][one]} for {one}."
                raise InputError(message, place=Place(file=file))
            lines = _links(cell)
            graph.add_edge(one, other, kind="nvlink" if lines else cell, lines=lines or 1)
    return graph


def _links(cell: str) -> int:
    match = _CELL.fullmatch(cell)
    return int(match.group(1)) if match and match.group(1) else 0


def _shape(gpus: list[str], rows: dict[str, dict[str, str]]) -> str:
    """Return the shape that the numbers of NVLinks tell; empty if none is known."""
    links = [[_links(rows[one][other]) for other in gpus] for one in gpus]
    between = {links[a][b] for a in range(len(gpus)) for b in range(len(gpus)) if a != b}
    if links == [list(row) for row in CUBE]:
        return "cube-mesh"
    if between == {0} or not between:
        return "pcie-tree"
    if len(between) == 1:  # through a switch each pair sees all links of a GPU: more than could be split over the pairs
        return "nvswitch" if between.pop() * (len(gpus) - 1) > MAX_NVLINKS else "full-mesh"
    return ""
