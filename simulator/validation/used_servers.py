"""Which part of its servers a measured run used: as many devices of each as its printed number of nodes leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil

from simulator.profiles.node import Node
from simulator.validation.facts import number


def used_servers(row: Mapping[str, str], server: Node, devices: int) -> tuple[Node, int]:
    """Return the server as the run saw it, and how many: a run spread over more nodes than it fills uses part of each.

    The adapters of a server stay whole: its used devices share them.
    """
    filled = max(1, ceil(devices / (server.device_count or 1)))
    printed = int(number(row, "n_nodes", 0.0) or 0)
    if printed <= filled or devices % printed:
        return server, filled
    return replace(server, device_count=devices // printed), printed
