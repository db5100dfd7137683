"""Shell scripts: a head that says what was checked, one command, one flag a line."""

from __future__ import annotations

from collections.abc import Iterable

from simulator import __version__
from simulator.planner.launch.order import TrainOrder


def script(checked: str, command: Iterable[str], *, needs: str, further: str) -> str:
    """Return a bash script.

    Args:
        checked: the version that the flags were checked against.
        command: words of the command, one a line.
        needs: where it is to be started, or what it needs.
        further: what the user adds as arguments.
    """
    return "\n".join([
        "#!/usr/bin/env bash",
        f"# Written by rackcast {__version__}. Flags checked against {checked}.",
        f"# Start it in {needs}; give {further} as arguments.",
        "set -euo pipefail",
        "exec " + " \\\n    ".join(command),
    ]) + "\n"  # fmt: skip


def torchrun(order: TrainOrder) -> list[str]:
    """Return the start of a torchrun command; the scheduler says who is first and which node this is."""
    return [
        f"torchrun --nnodes {order.nodes} --nproc-per-node {order.devices_per_node}",
        '--node-rank "${NODE_RANK:-0}" --master-addr "${MASTER_ADDR:-127.0.0.1}" --master-port "${MASTER_PORT:-29500}"',
    ]
