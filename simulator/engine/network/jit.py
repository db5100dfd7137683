"""Kernels: plain Python over arrays, compiled by numba where it is installed, with the same bits either way."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

#: set to any text to run the kernels uncompiled, also where numba is installed
SWITCH: Final = "RACKCAST_NO_JIT"


def _compiler() -> Callable[[Any], Any] | None:
    if os.environ.get(SWITCH):
        return None
    try:
        import numba
    except ImportError:
        return None
    return numba.njit(cache=True, error_model="numpy")


_COMPILE: Final = _compiler()
COMPILED: Final = _COMPILE is not None


def kernel(function: F) -> F:
    """Compile a function that uses arrays and scalars only; no fast-math, so that the bits stay the same."""
    return function if _COMPILE is None else _COMPILE(function)


def plain(function: F) -> F:
    """Return the uncompiled twin of a kernel (of the function alone: kernels that it calls stay compiled)."""
    return getattr(function, "py_func", function)
