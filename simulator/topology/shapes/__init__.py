"""Shapes: each module registers functions from ends and parameters to a wiring.

``single-node``, ``nvswitch``, ``pcie-tree``, ``leaf-spine``, ``fat-tree``, ``rail`` (switched); ``full-mesh``,
``cube-mesh``, ``torus-2d``, ``torus-3d`` (direct); ``dragonfly``; ``sites`` (over a WAN).
"""

from simulator.topology.shapes import dragonfly, mesh, sites, switched, torus
from simulator.topology.shapes.registry import SHAPES

__all__ = ["SHAPES", "dragonfly", "mesh", "sites", "switched", "torus"]
