"""What every importer returns, and how the right one is found for a file."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simulator.foundation.errors import InputError, Place
from simulator.foundation.files import read_text
from simulator.foundation.registry import Registry
from simulator.foundation.units import MEBI

if TYPE_CHECKING:
    import networkx as nx

MAX_BYTES: Final = int(64 * MEBI)  # `kubectl get nodes -o json` of some thousand nodes
MAX_VERTICES: Final = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Domains:
    """One level of nesting: its domains, and the members (devices or nodes) of the smallest and of the largest."""

    name: str
    count: int
    smallest: int
    largest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A topology as some other tool sees it.

    Attributes:
        kind: the importer's name.
        graph: vertices with ``kind`` and ``label``; links with ``kind`` and, where the file says so, ``capacity``
            (bytes/s per direction) and ``lines`` (parallel links).
        members: what the innermost domains hold: ``devices`` or ``nodes``.
        count: how many of them.
        levels: nested domains, innermost first.
        shape: name of the shape that the wiring has, where it is recognised; else empty.
        notes: what the file does not say, or what was left aside.
    """

    kind: str
    graph: nx.Graph[str]
    members: str
    count: int
    levels: tuple[Domains, ...]
    shape: str = ""
    notes: tuple[str, ...] = ()


#: (text, name of the file for messages) -> topology
Importer = Callable[[str, str], Imported]

IMPORTERS: Final[Registry[Importer]] = Registry("topology format")

_SIGNS: Final = (
    (re.compile(r"<system\b[^>]*>\s*<cpu\b", re.S), "nccl-xml"),
    (re.compile(r"<topology\b[^>]*>\s*<object\b", re.S), "hwloc-xml"),
    (re.compile(r"^\s*\{"), "kubernetes-json"),
    (re.compile(r"^(?:\x1b\[\d*m)?\s*(?:\x1b\[\d*m)?GPU0\s", re.M), "nvidia-smi"),
    (re.compile(r"^\s*(SwitchName|BlockName|BlockSizes)\s*=", re.M | re.I), "slurm-conf"),
    (re.compile(r"^\s*-\s*topology\s*:", re.M), "slurm-yaml"),
)
_SNIFFED: Final = 65_536  # characters in which a format shows itself


def import_topology(path: str | Path, kind: str = "") -> Imported:
    """Return the topology in a file.

    Args:
        path: of the file.
        kind: a name in ``IMPORTERS``; by default what the text looks like.

    Raises:
        InputError: not readable, too large, of no known format, or not what its format allows.
        UnknownName: no such format.
    """
    file = str(path)
    text = read_text(path, most=MAX_BYTES)
    return IMPORTERS[kind or recognise(text, file)](text, file)


def recognise(text: str, file: str) -> str:
    """Return the format that a text looks like; raises :class:`InputError` if it is none of those known."""
    for sign, kind in _SIGNS:
        if sign.search(text[:_SNIFFED]):
            return kind
    raise InputError(
        f"this is no topology in a known format. Known: {', '.join(IMPORTERS)}; name it with --format if it is one.",
        place=Place(file=file),
    )


def named(graph: nx.Graph[str], kind: str) -> list[str]:
    """Return the vertices of one kind (``device``, ``host``, ``nic``, ``switch``) in the order of the graph."""
    return [name for name, about in graph.nodes(data=True) if about["kind"] == kind]


def domains(name: str, sizes: list[int]) -> Domains:
    """Return one level of nesting from the numbers of members of its domains."""
    return Domains(name=name, count=len(sizes), smallest=min(sizes), largest=max(sizes))
