"""Slurm's ``topology.conf``: ``SwitchName=`` lines of topology/tree and ``BlockName=`` lines of topology/block.

Source: https://slurm.schedmd.com/topology.conf.html (25.05).
"""

from __future__ import annotations

from simulator.foundation.errors import InputError, Place
from simulator.topology.importers.hostlist import expand
from simulator.topology.importers.imported import IMPORTERS, Imported, named
from simulator.topology.importers.trees import Switch, nested, tree_graph

_KEYS = ("switchname", "nodes", "switches", "linkspeed", "blockname", "blocksizes")


@IMPORTERS.register("slurm-conf")
def slurm_conf(text: str, file: str) -> Imported:
    """Return the tree or blocks of a ``topology.conf``; raises :class:`InputError` with the line of what is wrong."""
    switches: dict[str, Switch] = {}
    speeds, sizes = set(), ""
    for line, entry in _entries(text, file):
        name = entry.get("switchname", entry.get("blockname"))
        if "blocksizes" in entry:
            sizes = entry["blocksizes"]
            continue
        if name is None:
            raise InputError("needs SwitchName= or BlockName=.", place=Place(file=file, line=line))
        speeds |= {entry["linkspeed"]} if "linkspeed" in entry else set()
        for one in _names(name, file, line):
            if one in switches:
                raise InputError(f"{one!r} is described twice.", place=Place(file=file, line=line))
            switches[one] = Switch(
                switches=_names(entry.get("switches", ""), file, line),
                nodes=_names(entry.get("nodes", ""), file, line),
                line=line,
            )
    if not switches:
        raise InputError("no SwitchName= or BlockName= line.", place=Place(file=file))
    graph = tree_graph(switches, file)
    notes = (
        [f"LinkSpeed is given ({', '.join(sorted(speeds))}) but has no unit in Slurm; it is left aside"]
        if speeds
        else []
    )
    notes += [f"block sizes that jobs may ask for: {sizes}"] if sizes else []
    hosts = len(named(graph, "host"))
    return Imported(
        kind="slurm-conf", graph=graph, members="nodes", count=hosts, levels=nested(switches), notes=tuple(notes)
    )


def _entries(text: str, file: str) -> list[tuple[int, dict[str, str]]]:
    """Return the lines that say something, with keys in lower case; a backslash joins a line to the next."""
    found, held, start = [], "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.partition("#")[0].strip()
        start = start if held else number
        if line.endswith("\\"):
            held += line[:-1] + " "
            continue
        words = (held + line).split()
        held = ""
        if not words:
            continue
        entry = {}
        for word in words:
            key, equals, value = word.partition("=")
            if not equals or key.lower() not in _KEYS or not value:
                message = (
                    f"{word!r:.80} is none of SwitchName=, Switches=, Nodes=, LinkSpeed=, BlockName=, BlockSizes=."
                )
                raise InputError(message, place=Place(file=file, line=start))
            entry[key.lower()] = value
        found.append((start, entry))
    return found


def _names(text: str, file: str, line: int) -> tuple[str, ...]:
    try:
        return expand(text) if text else ()
    except InputError as error:
        raise error.at(Place(file=file, line=line)) from None
