"""Topologies that users have: each importer is one registered function from text to a graph and nested domains."""

from simulator.topology.importers import (
    hwloc,
    kubernetes,
    nccl,
    nvidia_smi,
    slurm_conf,
    slurm_yaml,
)
from simulator.topology.importers.imported import IMPORTERS, Imported, import_topology

__all__ = [
    "IMPORTERS",
    "Imported",
    "hwloc",
    "import_topology",
    "kubernetes",
    "nccl",
    "nvidia_smi",
    "slurm_conf",
    "slurm_yaml",
]
