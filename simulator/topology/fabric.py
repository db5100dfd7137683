"""What a user says about the network between nodes."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.foundation.errors import InputError
from simulator.profiles.link import Link
from simulator.topology.wan import Wan


@dataclass(frozen=True, slots=True, kw_only=True)
class Fabric:
    """A shape of the network and its parameters; what a shape does not use is ignored by it.

    Attributes:
        shape: a name in ``topology.shapes.SHAPES``: how the nodes are joined.
        link: the link of every adapter; None for those that the nodes name themselves.
        oversubscription: capacity into a leaf switch from below over its capacity upward; at least 1.
        radix: ports of one switch.
        levels: levels of switches in a fat-tree; None for as few as hold the nodes.
        rails: rails of a rail-optimised fabric; None for one per adapter of a node.
        dims: nodes along each axis of a torus; of devices, where the scale-up domain is a torus.
        wrap: whether the axes of a torus are rings, one answer or one per axis; None for all of more than 2.
        scaleup: a shape's name for the scale-up domain; None for what the hardware has.
        sites: the site of each group of nodes, in order; empty for one site.
        wan: the links between sites.
    """

    shape: str = "fat-tree"
    link: Link | None = None
    oversubscription: float = 1.0
    radix: int = 64
    levels: int | None = None
    rails: int | None = None
    dims: tuple[int, ...] = ()
    wrap: bool | tuple[bool, ...] | None = None
    scaleup: str | None = None
    sites: tuple[str, ...] = ()
    wan: tuple[Wan, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.oversubscription <= self.radix:
            raise InputError(
                f"oversubscription is {self.oversubscription:g}; it is at least 1 (capacity into a leaf over capacity "
                f"out of it) and at most the radix of the switch, {self.radix}."
            )
        if self.radix < 2:
            raise InputError(f"radix is {self.radix}; a switch needs at least 2 ports.")
        if self.levels is not None and not 1 <= self.levels <= 4:
            raise InputError(f"levels is {self.levels}; a fat-tree has 1 to 4 levels of switches.")
        if self.rails is not None and self.rails < 1:
            raise InputError(f"rails is {self.rails}; it must be at least 1.")
        if any(size < 1 for size in self.dims):
            raise InputError(f"dims is {'x'.join(map(str, self.dims))}; every axis needs at least 1.")
