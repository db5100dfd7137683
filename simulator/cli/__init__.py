"""The command line: the only room that prints. Verbs are modules, named in :mod:`simulator.cli.app`."""

from __future__ import annotations

from simulator.cli.app import main

__all__ = ["main"]
