"""Shapes with switches between all ends: one crossbar, trees, leaf-spine, fat-tree and rails."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from simulator.foundation.errors import Infeasible, InputError
from simulator.topology.fabric import Fabric
from simulator.topology.shapes.clos import Clos, Stage
from simulator.topology.shapes.registry import SHAPES
from simulator.topology.wiring import Ends, Wiring

MAX_LEVELS: Final = 4
_ROUNDING: Final = 1e-9
#: ports of switches on the market (InfiniBand Quantum to Quantum-X800, Ethernet Spectrum and Tomahawk), and doubles
_RADICES: Final = (32, 36, 40, 48, 64, 72, 128, 144, 256, 512, 1024)


@SHAPES.register("single-node")
def single_node(ends: Ends, fabric: Fabric) -> Wiring:
    """Return one node on its own switch.

    Raises:
        InputError: more than one node.
    """
    if ends.count > 1:
        raise InputError(
            f"the fabric is single-node, but there are {ends.count} nodes; choose another, as in 'fat-tree'."
        )
    return Clos(shape="single-node", ends=ends, stages=(Stage("switch", 1, 1),))


@SHAPES.register("nvswitch")
def nvswitch(ends: Ends, fabric: Fabric) -> Wiring:
    """Return ends on one crossbar; the parallel switch chips of a node or rack count as one of their sum."""
    return Clos(shape="nvswitch", ends=ends, stages=(Stage(ends.name or "nvswitch", ends.count, 1),))


@SHAPES.register("pcie-tree")
def pcie_tree(ends: Ends, fabric: Fabric) -> Wiring:
    """Return devices under the root complex of their host, each on its own lanes.

    With oversubscription above 1 that many devices share one PCIe switch and its lanes to the root.
    """
    sharing = math.ceil(fabric.oversubscription) if fabric.shape == "pcie-tree" else 1
    name = ends.name or "pcie"
    if sharing < 2 or ends.count <= sharing:
        return Clos(shape="pcie-tree", ends=ends, stages=(Stage(name, ends.count, 1),))
    switch = Stage(f"{name}-switch", sharing, 1, fabric.oversubscription)
    return Clos(shape="pcie-tree", ends=ends, stages=(switch, Stage(f"{name}-root", -(-ends.count // sharing), 1)))


def _ports_down(radix: int, oversubscription: float) -> int:
    """Return the most ports of one leaf switch toward the ends that leave enough of them for the way up."""
    return max(1, int(radix * oversubscription / (1 + oversubscription) + _ROUNDING))


def _planes(ends: Ends, down: int) -> int:
    """Return the fewest first-level switches over which the ports of one end are spread evenly and fit."""
    return next(
        planes for planes in range(1, ends.ports + 1) if ends.ports % planes == 0 and ends.ports // planes <= down
    )


def _filled(children: int, most: int) -> tuple[int, ...]:
    """Return how many children to put under one switch: the number that fills all evenly, and the most that fit.

    Even filling is left aside where it would leave half of the ports empty.
    """
    most = min(most, children)
    even = next(count for count in range(most, 0, -1) if children % count == 0)
    return (even, most) if 2 * even > most else (most,)


def _tree(shape: str, ends: Ends, fabric: Fabric, planes: int, levels: int) -> Clos | None:
    """Return the tree with that many levels of switches, evenly filled if it can be; None if the ends do not fit."""
    fan = _ports_down(fabric.radix, fabric.oversubscription) // -(-ends.ports // planes)
    for evenly in (True, False):
        tree = _tree_filled(shape, ends, fabric, planes, levels, evenly) if fan or levels == 1 else None
        if tree is not None:
            return tree
    return None


def _tree_filled(shape: str, ends: Ends, fabric: Fabric, planes: int, levels: int, evenly: bool) -> Clos | None:
    ports = -(-ends.ports // planes)  # of one end on one first-level switch
    if levels == 1:
        fits = ends.count * ports <= fabric.radix
        return Clos(shape=shape, ends=ends, stages=(Stage("leaf", ends.count, planes),)) if fits else None
    half, choice = fabric.radix // 2, 0 if evenly else -1
    down = _ports_down(fabric.radix, fabric.oversubscription)
    leaf = Stage("leaf", _filled(ends.count, down // ports)[choice], planes, fabric.oversubscription)
    up = math.ceil(leaf.fan * ports / fabric.oversubscription - _ROUNDING)
    names = {2: ("spine",), 3: ("aggregation", "core"), 4: ("aggregation", "core", "super-core")}[levels]
    stages, switches, left = [leaf], up, -(-ends.count // leaf.fan)
    for name in names[:-1]:
        children = max(1, half // planes) if len(stages) == 1 else half
        stages.append(Stage(name, _filled(left, children)[choice], switches))
        left, switches = -(-left // stages[-1].fan), switches * half
    most = fabric.radix // planes if len(stages) == 1 else fabric.radix
    stages.append(Stage(names[-1], left, switches))
    return Clos(shape=shape, ends=ends, stages=tuple(stages)) if left <= most else None


def _smallest_tree(shape: str, ends: Ends, fabric: Fabric, planes: int) -> Wiring:
    """Return the tree of the fewest levels that holds the ends; rails need a second level to meet."""
    wanted = (fabric.levels,) if fabric.levels else range(1 if planes == 1 else 2, MAX_LEVELS + 1)
    for levels in wanted:
        tree = _tree(shape, ends, fabric, planes, levels)
        if tree is not None:
            return tree
    asked = f"{fabric.levels} levels" if fabric.levels else f"{MAX_LEVELS} levels"
    raise Infeasible(
        f"a {shape} of {asked} of {fabric.radix}-port switches does not hold {ends.count} nodes of {ends.ports} ports.",
        binding="ports of the switches",
        account={"ports needed": float(ends.count * ends.ports), "ports of one switch": float(fabric.radix)},
        relaxation=_larger(shape, ends, fabric, planes, fabric.levels or MAX_LEVELS),
    )


def _larger(shape: str, ends: Ends, fabric: Fabric, planes: int, levels: int) -> str:
    """Return the smallest change that makes the nodes fit, in words."""
    for radix in _RADICES:
        if radix > fabric.radix and _tree(shape, ends, replace(fabric, radix=radix), planes, levels) is not None:
            return f"switches of {radix} ports"
    return "fewer nodes or adapters, or several sites"


@SHAPES.register("fat-tree")
def fat_tree(ends: Ends, fabric: Fabric) -> Wiring:
    """Return a fat-tree of as few levels as hold the nodes (one: a single switch), oversubscribed at the leaf.

    Leaves, pods and cores have the sizes of a k-ary fat-tree with k the radix; all adapters of a node are on one leaf,
    or spread over as few as have the ports.

    Raises:
        Infeasible: more ends than the switches hold.
    """
    down = _ports_down(fabric.radix, fabric.oversubscription)
    planes = 1 if ends.count * ends.ports <= fabric.radix else _planes(ends, down)
    return _smallest_tree("fat-tree", ends, fabric, planes)


@SHAPES.register("leaf-spine")
def leaf_spine(ends: Ends, fabric: Fabric) -> Wiring:
    """Return two levels: leaves that each meet every spine.

    Raises:
        Infeasible: as :func:`fat_tree`.
    """
    down = _ports_down(fabric.radix, fabric.oversubscription)
    planes = _planes(ends, down)
    tree = _tree("leaf-spine", ends, fabric, planes, 2)
    if tree is not None:
        return tree
    raise Infeasible(
        f"a leaf-spine of {fabric.radix}-port switches does not hold {ends.count} nodes of {ends.ports} ports.",
        binding="ports of a spine switch",
        account={"ports needed": float(ends.count * ends.ports), "ports of one switch": float(fabric.radix)},
        relaxation=f"the shape 'fat-tree' (more levels), or {_larger('leaf-spine', ends, fabric, planes, 2)}",
    )


@SHAPES.register("rail")
def rail(ends: Ends, fabric: Fabric) -> Wiring:
    """Return a rail-optimised fabric: adapter i of every node on leaf switches of rail i, joined by spines.

    With ``levels: 1`` the rails do not meet; what changes rails then goes over the scale-up links of a node.

    Source: NVIDIA DGX SuperPOD reference architecture (one leaf per rail and scalable unit).

    Raises:
        InputError: the rails are no divisor of the adapters of a node.
        Infeasible: as :func:`fat_tree`.
    """
    rails = fabric.rails or ends.ports
    if ends.ports % rails:
        raise InputError(f"rails is {rails}; a node has {ends.ports} adapters, which do not spread evenly over them.")
    return _smallest_tree("rail", ends, fabric, rails)
