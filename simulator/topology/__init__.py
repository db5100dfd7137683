"""The wiring: what a device can reach, through what, how fast and how soon.

Reading order: ``tiers`` (what closed forms ask), ``fabric`` (what a user says), ``wiring`` and ``shapes`` (how like
ends are joined), ``scaleup``, ``adapters``, ``seen`` and ``build`` (from parts to a cluster), ``cluster`` (the
questions), ``names``, ``graph``, ``paths``, ``routing``, ``bisection``, ``wan``, ``importers`` and ``export``.
"""

from simulator.topology.build import build_cluster
from simulator.topology.cluster import Cluster
from simulator.topology.fabric import Fabric
from simulator.topology.tiers import Tier, Torus
from simulator.topology.wan import Wan

__all__ = ["Cluster", "Fabric", "Tier", "Torus", "Wan", "build_cluster"]
