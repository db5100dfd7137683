"""Slurm: a batch script that starts a node's script (``megatron.sh``, ``torchtitan.sh``) once on every node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simulator import __version__
from simulator.planner.launch.order import TrainOrder

#: the options --nodes, --ntasks-per-node, --gpus-per-node, --exclusive of sbatch(1)
CHECKED: Final = "Slurm 24.11, sbatch(1)"
FILE: Final = "job.sbatch"


def refusals(order: TrainOrder) -> Sequence[str]:
    """Return nothing: whatever a node's script runs, Slurm starts."""
    return ()


def text(order: TrainOrder) -> str:
    """Return the batch script; the node's script is its first argument."""
    return f"""#!/usr/bin/env bash
# Written by rackcast {__version__}. Options checked against {CHECKED}.
# sbatch {FILE} ./{order.script} ARGUMENTS...
#SBATCH --job-name={order.name}
#SBATCH --nodes={order.nodes}
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node={order.devices_per_node}
#SBATCH --exclusive
set -euo pipefail
MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export MASTER_ADDR
srun bash -c 'NODE_RANK=$SLURM_NODEID exec bash "$@"' start "$@"
"""
