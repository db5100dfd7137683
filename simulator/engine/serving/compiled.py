"""Whether kernels run compiled. One source, two speeds, equal bits: numba where installed, plain Python elsewhere.

Set the environment variable ``RACKCAST_NO_JIT=1`` before the first import to run the same sources interpreted.
"""

from __future__ import annotations

import importlib.util
import os
import types
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

COMPILED: Final = os.environ.get("RACKCAST_NO_JIT", "") == "" and importlib.util.find_spec("numba") is not None


def jit(function: F) -> F:
    """Return the function compiled and written into its callers, or as it is: for what every event does.

    Without numba's memory management (``_nrt``), since kernels only change arrays that they are given.
    """
    return _compiled(function, forceinline=True)


def jit_apart(function: F) -> F:
    """Return the function compiled on its own, or as it is: for what few events do, to keep compilation short."""
    return _compiled(function, forceinline=False)


def jit_allocating(function: F) -> F:
    """Return the function compiled with numba's memory management, or as it is: for what makes arrays of its own."""
    return _compiled(function, forceinline=False, allocating=True)


def _compiled(function: F, *, forceinline: bool, allocating: bool = False) -> F:
    if not COMPILED:
        return function
    import numba

    options: dict[str, bool] = {"cache": True, "nogil": True, "_nrt": allocating, "forceinline": forceinline}
    compile_with: Callable[..., Callable[[F], F]] = numba.njit
    return compile_with(**options)(function)


def interpreted(function: F) -> F:
    """Return the function as plain Python, with every compiled function it calls as plain Python too.

    Compiling the kernels costs half a minute once per installation, which a short run need not wait for; the bits are
    equal. Without numba, the function itself.
    """
    twins: dict[int, Callable[..., Any]] = {}

    def twin(compiled: Any) -> Callable[..., Any]:
        if id(compiled) not in twins:
            source = compiled.py_func
            names = dict(source.__globals__)
            plain = types.FunctionType(source.__code__, names, source.__name__, source.__defaults__)
            twins[id(compiled)] = plain
            for name in source.__code__.co_names:
                if hasattr(names.get(name), "py_func"):
                    names[name] = twin(names[name])
        return twins[id(compiled)]

    return cast(F, twin(function)) if COMPILED else function
