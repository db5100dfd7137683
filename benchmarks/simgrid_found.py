"""Finds a Python that has SimGrid, and plays flows there: the reference for ``benchmarks.network`` and a test.

SimGrid is no dependency. Its wheel is built from source (``pip wheel simgrid`` with libboost-dev, cmake and
``pybind11<3``; the library then needs a link ``libsimgrid.so.4.1`` beside it). Name the Python that has it in
``RACKCAST_SIMGRID_PYTHON``, or install it into the one that runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SWITCH = "RACKCAST_SIMGRID_PYTHON"
_SCRIPT = Path(__file__).with_name("simgrid_reference.py")


def environment(python: str) -> dict[str, str]:
    """Return the environment in which that Python finds SimGrid's library, which lies beside its packages."""
    packages = [str(path) for path in Path(python).absolute().parent.parent.glob("lib/python*/site-packages")]
    known = os.environ.get("LD_LIBRARY_PATH")
    return {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join([*packages, *([known] if known else [])])}


def python_with_simgrid() -> str | None:
    """Return the Python to run SimGrid with; None if there is none."""
    python = os.environ.get(SWITCH) or sys.executable
    found = subprocess.run([python, "-c", "import simgrid"], capture_output=True, env=environment(python), check=False)
    return python if found.returncode == 0 else None


def random_flows(python: str, hosts: int, flows: int) -> dict[str, Any]:
    """Return capacity, routes, sizes, ends (s) and cpu_s of random flows on a fat-tree of SimGrid's."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "flows.json"
        command = [python, str(_SCRIPT), str(hosts), str(flows), str(out)]
        subprocess.run(command, check=True, capture_output=True, env=environment(python))
        return json.loads(out.read_text())  # type: ignore[no-any-return]
