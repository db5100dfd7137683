"""A kernel is plain Python until enough work has come for it; the bits are equal."""

from __future__ import annotations

import subprocess
import sys

import pytest

from simulator.engine.serving.compiled import COMPILED, LOADING_S, Kernel, interpreted, jit, jit_entry, suited

needs_numba = pytest.mark.skipif(not COMPILED, reason="without numba there is only the plain twin")


@jit
def doubled(x: int) -> int:
    """Return twice the number."""
    return 2 * x


@jit_entry
def doubled_twice(x: int) -> int:
    """Return four times the number."""
    return doubled(doubled(x))


@needs_numba
def test_little_work_runs_plain_and_much_runs_compiled_with_equal_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Kernel, "_kept", lambda kernel: False)
    kernel = Kernel(doubled_twice.py_func, entry=True)  # type: ignore[attr-defined]
    plain = suited(kernel, LOADING_S / 2, compiling_s=10 * LOADING_S)
    assert plain is interpreted(kernel)
    assert suited(kernel, LOADING_S, compiling_s=10 * LOADING_S) is plain  # compiling would take longer still
    assert suited(kernel, 10 * LOADING_S, compiling_s=10 * LOADING_S) is kernel
    assert kernel(3) == plain(3) == doubled_twice(3) == 12
    assert suited(kernel, 0.0) is kernel  # once it is there, it serves any work


@needs_numba
def test_a_kernel_that_an_earlier_process_compiled_is_used_as_soon_as_reading_it_pays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Kernel, "_kept", lambda kernel: True)
    kernel = Kernel(doubled_twice.py_func, entry=True)  # type: ignore[attr-defined]
    assert suited(kernel, LOADING_S / 2, compiling_s=1e9) is interpreted(kernel)
    assert suited(kernel, LOADING_S, compiling_s=1e9) is kernel


@needs_numba
def test_a_part_called_from_python_is_plain() -> None:
    part = Kernel(doubled.py_func, entry=False)  # type: ignore[attr-defined]
    assert part(4) == 8
    assert "_dispatcher" not in vars(part)


def test_importing_the_kernels_imports_no_compiler() -> None:
    code = "import sys, simulator.engine.serving.service; print('numba' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "False"
