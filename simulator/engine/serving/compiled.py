"""Whether kernels run compiled. One source, two speeds, equal bits: numba where installed, plain Python elsewhere.

Set the environment variable ``RACKCAST_NO_JIT=1`` before the first import to run the same sources interpreted.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from simulator.foundation.errors import InputError
from simulator.foundation.files import write_atomic

F = TypeVar("F", bound=Callable[..., Any])

COMPILED: Final = os.environ.get("RACKCAST_NO_JIT", "") == "" and importlib.util.find_spec("numba") is not None


def forget_stale(folder: Path) -> None:
    """Delete compiled kernels of other sources than those that are there.

    numba looks only at the file of the compiled function, not at those of the functions written into it; so a stamp of
    all sources lies beside the compiled code. Where the folder cannot be written, nothing of ours was compiled into it.
    """
    sources = sorted(folder.rglob("*.py"))
    stats = [(str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns) for path in sources]
    digest = hashlib.sha256(repr(stats).encode()).hexdigest()
    stamp = folder / "__pycache__" / "kernels.stamp"
    try:
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == digest:
            return
        for path in folder.rglob("*.nb[ic]"):
            path.unlink(missing_ok=True)
        write_atomic(stamp, digest)
    except (OSError, InputError):
        return


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


if COMPILED:
    forget_stale(Path(__file__).parent)
