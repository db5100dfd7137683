"""Shapes with switches between all ends: one crossbar, trees, leaf-spine, fat-tree and rails."""

from __future__ import annotations

import math

from simulator.foundation.errors import Infeasible, InputError
from simulator.topology.fabric import Fabric
from simulator.topology.shapes.clos import Clos, Stage
from simulator.topology.shapes.registry import SHAPES
from simulator.topology.wiring import Ends, Wiring

MAX_LEVELS = 4


@SHAPES.register("single-node")
def single_node(ends: Ends, fabric: Fabric) -> Wiring:
    """Return one node on its own switch; raises :class:`InputError` for more."""
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


def _leaf_ports(radix: int, oversubscription: float) -> tuple[int, int]:
    """Return the most ports down of one leaf switch, and the ports up that they need."""
    down = int(radix * oversubscription / (1 + oversubscription) + 1e-9)
    return (down, math.ceil(down / oversubscription - 1e-9)) if down else (1, 1)


def _planes(ends: Ends, down: int) -> int:
    """Return the fewest first-level switches over which the ports of one end are spread evenly and fit."""
    return next(
        planes for planes in range(1, ends.ports + 1) if ends.ports % planes == 0 and ends.ports // planes <= down
    )


def _tree(shape: str, ends: Ends, fabric: Fabric, planes: int, levels: int) -> Clos | None:
    """Return the tree with that many levels of switches, or None if it cannot hold the ends."""
    ports = -(-ends.ports // planes)  # of one end on one first-level switch
    if levels == 1:
        fits = ends.count * ports <= fabric.radix
        return Clos(shape=shape, ends=ends, stages=(Stage("leaf", ends.count, planes),)) if fits else None
    down, up = _leaf_ports(fabric.radix, fabric.oversubscription)
    half = fabric.radix // 2
    fan = down // ports
    if fan < 1 or half < 1:
        return None
    leaf = Stage("leaf", min(fan, ends.count), planes, fabric.oversubscription)
    names = {2: ("spine",), 3: ("aggregation", "core"), 4: ("aggregation", "core", "super-core")}[levels]
    stages, switches, left = [leaf], up, -(-ends.count // leaf.fan)
    for name in names[:-1]:
        children = max(1, half // planes) if len(stages) == 1 else half
        stages.append(Stage(name, min(children, left), switches))
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
        relaxation="more levels, or switches of a larger radix",
    )


@SHAPES.register("fat-tree")
def fat_tree(ends: Ends, fabric: Fabric) -> Wiring:
    """Return a fat-tree of as few levels as hold the ends (one: a single switch), oversubscribed at the leaf.

    Leaves, pods and cores have the sizes of a k-ary fat-tree with k the radix; all adapters of a node are on one leaf,
    or spread over as few as have the ports.

    Raises:
        Infeasible: more ends than the switches hold.
    """
    down, _ = _leaf_ports(fabric.radix, fabric.oversubscription)
    planes = 1 if ends.count * ends.ports <= fabric.radix else _planes(ends, down)
    return _smallest_tree("fat-tree", ends, fabric, planes)


@SHAPES.register("leaf-spine")
def leaf_spine(ends: Ends, fabric: Fabric) -> Wiring:
    """Return two levels: leaves that each meet every spine; raises :class:`Infeasible` as :func:`fat_tree` does."""
    down, _ = _leaf_ports(fabric.radix, fabric.oversubscription)
    planes = _planes(ends, down)
    tree = _tree("leaf-spine", ends, fabric, planes, 2)
    if tree is not None:
        return tree
    raise Infeasible(
        f"a leaf-spine of {fabric.radix}-port switches does not hold {ends.count} nodes of {ends.ports} ports.",
        binding="ports of a spine switch",
        account={"ports needed": float(ends.count * ends.ports), "ports of one switch": float(fabric.radix)},
        relaxation="the shape 'fat-tree' (three levels), or switches of a larger radix",
    )


@SHAPES.register("rail")
def rail(ends: Ends, fabric: Fabric) -> Wiring:
    """Return a rail-optimised fabric: adapter ``i`` of every node on leaf switches of rail ``i``, joined by spines.

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
