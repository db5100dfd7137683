"""Whether kernels run compiled. One source, two speeds, equal bits: numba where installed, plain Python elsewhere.

Set the environment variable ``RACKCAST_NO_JIT=1`` before the first import to run the same sources interpreted.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import types
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from simulator.engine.serving.prefetch import teach_numba
from simulator.foundation.errors import InputError
from simulator.foundation.files import write_atomic

F = TypeVar("F", bound=Callable[..., Any])

COMPILED: Final = os.environ.get("RACKCAST_NO_JIT", "") == "" and importlib.util.find_spec("numba") is not None

LOADING_S: Final = 0.7  # CPU seconds to import numba and read compiled kernels (measured, docs/serving.md)


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


class Kernel:
    """A function that is compiled when it is first called or first written into another, so that importing is quick.

    Attributes:
        py_func: the function as plain Python.
        entry: whether Python calls it; only then is it made to be called from there, which takes long to compile.
    """

    def __init__(self, py_func: Callable[..., Any], *, entry: bool, **options: bool) -> None:
        self.py_func, self.entry, self._options = py_func, entry, options
        self._plain_s = 0.0  # what all work so far takes, or would take, as plain Python
        self.__doc__, self.__name__ = py_func.__doc__, py_func.__name__

    @cached_property
    def _dispatcher(self) -> Any:
        import numba

        teach_numba()
        compile_with: Callable[..., Callable[[Any], Any]] = numba.njit
        return compile_with(
            cache=self.entry, nogil=True, error_model="numpy", no_cfunc_wrapper=True, no_cpython_wrapper=not self.entry,
            **self._options,
        )(self.py_func)  # fmt: skip

    @property
    def _numba_type_(self) -> Any:
        """What numba takes the name for inside another kernel."""
        return self._dispatcher._numba_type_

    def __call__(self, *arguments: Any) -> Any:
        """Run it compiled, or as plain Python where it is only a part of others."""
        return self._dispatcher(*arguments) if self.entry else self.py_func(*arguments)

    def worth(self, seconds: float, compiling_s: float) -> bool:
        """Whether further work of so many seconds as plain Python makes it pay to load the kernel, or to compile it."""
        self._plain_s += seconds
        if "_dispatcher" in vars(self) and self._dispatcher.signatures:
            return True
        return self._plain_s > LOADING_S and (self._plain_s > compiling_s or self._kept())

    def _kept(self) -> bool:
        """Whether an earlier process has left the compiled function behind."""
        folder = Path(self._dispatcher.stats.cache_path)
        return any(folder.glob(f"{Path(self.py_func.__code__.co_filename).stem}.{self.__name__}-*.nbi"))


def jit(function: F) -> F:
    """Return a part of kernels, written into its callers, or the function as it is: for what every event does.

    Without numba's memory management (``_nrt``), since kernels only change arrays that they are given.
    """
    return _kernel(function, entry=False, forceinline=True, _nrt=False)


def jit_apart(function: F) -> F:
    """Return a part of kernels that is compiled on its own: for what few events do, to keep compilation short."""
    return _kernel(function, entry=False, _nrt=False)


def jit_entry(function: F) -> F:
    """Return a kernel that Python calls, or the function as it is."""
    return _kernel(function, entry=True, _nrt=False)


def jit_allocating(function: F) -> F:
    """Return a kernel that Python calls and that makes arrays of its own, by numba's memory management."""
    return _kernel(function, entry=True, _nrt=True)


def _kernel(function: F, *, entry: bool, **options: bool) -> F:
    return cast(F, Kernel(function, entry=entry, **options)) if COMPILED else function


def suited(function: F, seconds: float, *, compiling_s: float = 1.0) -> F:
    """Return the kernel, or its plain twin while too little work has come for it.

    Args:
        function: the kernel.
        seconds: what the twin takes for the work at hand.
        compiling_s: what compiling the kernel takes, once per installation.
    """
    compiled = isinstance(function, Kernel) and function.worth(seconds, compiling_s)
    return function if compiled else interpreted(function)


@cache
def interpreted(function: F) -> F:
    """Return the function as plain Python, with every compiled function it calls as plain Python too.

    The bits are equal. Without numba, the function itself.
    """
    twins: dict[int, Callable[..., Any]] = {}

    def twin(compiled: Any) -> Callable[..., Any]:
        if id(compiled) not in twins:
            source = compiled.py_func
            names = dict(source.__globals__)
            plain = types.FunctionType(source.__code__, names, source.__name__, source.__defaults__)
            twins[id(compiled)] = plain
            for name in source.__code__.co_names:
                if isinstance(names.get(name), Kernel):
                    names[name] = twin(names[name])
        return twins[id(compiled)]

    return cast(F, twin(function)) if COMPILED else function


if COMPILED:
    forget_stale(Path(__file__).parent)
