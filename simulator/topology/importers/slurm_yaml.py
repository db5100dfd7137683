"""Slurm's ``topology.yaml``: named topologies, each a tree, blocks, or flat.

Source: https://slurm.schedmd.com/topology.yaml.html (25.05).
"""

from __future__ import annotations

from typing import Any

from simulator.foundation.errors import InputError
from simulator.foundation.yaml_reader import Document, Path_, parse_yaml
from simulator.topology.importers.hostlist import expand
from simulator.topology.importers.imported import IMPORTERS, Imported, named
from simulator.topology.importers.trees import Switch, nested, tree_graph


@IMPORTERS.register("slurm-yaml")
def slurm_yaml(text: str, file: str) -> Imported:
    """Return the default topology of the file (the first, if none is marked); raises InputError with its place."""
    document = parse_yaml(text, file=file)
    entries = _list(document, document.data, ())
    if not entries:
        raise InputError("no topology in the list.", place=document.place(()))
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or not isinstance(entry.get("topology"), str):
            raise InputError("an entry needs the key 'topology' with its name.", place=document.place((index,)))
    chosen = next((index for index, entry in enumerate(entries) if entry.get("cluster_default") is True), 0)
    others = [entry["topology"] for index, entry in enumerate(entries) if index != chosen]
    switches = _switches(document, entries[chosen], (chosen,))
    graph = tree_graph(switches, file)
    return Imported(
        kind="slurm-yaml",
        graph=graph,
        members="nodes",
        count=len(named(graph, "host")),
        levels=nested(switches),
        notes=(f"of several topologies {entries[chosen]['topology']!r} is read, not {', '.join(others)}",)
        if others
        else (),
    )


def _list(document: Document, data: Any, path: Path_) -> list[Any]:
    if not isinstance(data, list):
        raise InputError("a list is needed here.", place=document.place(path))
    return data


def _switches(document: Document, entry: dict[str, Any], path: Path_) -> dict[str, Switch]:
    for kind, items, name, children in (("tree", "switches", "switch", "children"), ("block", "blocks", "block", "")):
        if kind in entry:
            body = entry[kind]
            if not isinstance(body, dict):
                raise InputError(f"{kind!r} needs the key {items!r}.", place=document.place((*path, kind)))
            listed = _list(document, body.get(items), (*path, kind, items))
            found: dict[str, Switch] = {}
            for index, item in enumerate(listed):
                here = (*path, kind, items, index)
                one = item.get(name) if isinstance(item, dict) else None
                if not isinstance(one, str) or one in found:
                    message = f"an entry needs the key {name!r} with a name that no other has."
                    raise InputError(message, place=document.place(here))
                found[one] = Switch(
                    switches=_names(document, item, children, here) if children else (),
                    nodes=_names(document, item, "nodes", here),
                    line=document.place(here).line,
                )
            return found
    raise InputError("the topology is neither 'tree' nor 'block'; a flat one says nothing.", place=document.place(path))


def _names(document: Document, item: dict[str, Any], key: str, path: Path_) -> tuple[str, ...]:
    value = item.get(key, "")
    if not isinstance(value, str):
        raise InputError("a list of names is needed, as in 'node[01-16]'.", place=document.place((*path, key)))
    try:
        return expand(value) if value else ()
    except InputError as error:
        raise error.at(document.place((*path, key))) from None
