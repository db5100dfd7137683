"""Against SimGrid on its own platform, where a Python that has it is named (see benchmarks/simgrid_found.py)."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.simgrid_found import SWITCH, python_with_simgrid, random_flows
from simulator.engine.network import Flow, play


@pytest.mark.slow
@pytest.mark.parametrize(("hosts", "flows"), [(64, 200), (1024, 500)])
def test_flows_end_when_simgrid_says(hosts, flows):
    python = python_with_simgrid()
    if python is None:
        pytest.skip(f"SimGrid is not installed here; build it and name its Python in {SWITCH}")
    theirs = random_flows(python, hosts, flows)
    listed = [Flow(route=tuple(r), size=s) for r, s in zip(theirs["routes"], theirs["sizes"], strict=True)]
    assert play(theirs["capacity"], listed).seconds == pytest.approx(np.array(theirs["ends"]), rel=1e-6)
