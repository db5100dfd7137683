from __future__ import annotations

import subprocess
import sys

import pytest

import simulator


def test_every_public_name_is_there() -> None:
    for name in simulator.__all__:
        assert getattr(simulator, name)
    assert set(simulator._PUBLIC) | {"__version__"} == set(simulator.__all__)
    assert dir(simulator) == simulator.__all__


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = simulator.nothing  # type: ignore[attr-defined]


def test_importing_the_package_imports_nothing_else_of_it() -> None:
    code = "import sys, simulator; print([m for m in sys.modules if m.startswith('simulator.') or m == 'numpy'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
