"""Where the points of a sweep are answered: here, by processes of this machine, or on a Dask or Ray cluster.

All go through joblib. The answers come in any order and do not depend on who gave them.
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import joblib

from simulator.foundation.errors import InputError

T = TypeVar("T")
Call = tuple[Callable[..., T], tuple[Any, ...]]

#: package of a cluster -> the extra that installs it
EXTRAS: Final = {"dask": "dask", "ray": "ray"}

_WAVE: Final = 4  # calls per worker that are handed over at once where answers only come back together


def spread(calls: Sequence[Call[T]], *, jobs: int = 1, backend: str | None = None) -> Iterator[T]:
    """Yield the result of every call, in the order in which they are done.

    Args:
        calls: functions and their arguments.
        jobs: processes of this machine; on a cluster: calls that are under way at once, 1 for as many as it takes.
        backend: ``dask://HOST:PORT`` or ``ray://HOST:PORT`` of a running cluster, ``ray://auto`` for this machine's.

    Raises:
        InputError: an unknown backend, or one whose package is not installed.
    """
    if jobs < 1:
        raise InputError(f"--jobs {jobs}: at least 1.")
    if backend is None:
        if jobs == 1 or len(calls) < 2:
            yield from (function(*arguments) for function, arguments in calls)
            return
        yield from joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(_delayed(calls))
        return
    kind, address = _address(backend)
    count = -1 if jobs == 1 else jobs
    if kind == "dask":
        yield from _on_dask(calls, address, count)
    else:
        yield from _on_ray(calls, address, count)


def _delayed(calls: Sequence[Call[T]]) -> Iterator[Any]:
    return (joblib.delayed(function)(*arguments) for function, arguments in calls)


def _address(backend: str) -> tuple[str, str]:
    kind, colon, address = backend.partition("://")
    if kind not in EXTRAS or not colon or not address:
        raise InputError(f"--backend {backend}: write dask://HOST:PORT or ray://HOST:PORT.")
    package = "distributed" if kind == "dask" else kind
    if importlib.util.find_spec(package) is None:
        raise InputError(f"--backend {backend}: {package} is not installed; pip install 'rackcast[{EXTRAS[kind]}]'.")
    return kind, address


def _on_dask(calls: Sequence[Call[T]], address: str, count: int) -> Iterator[T]:
    from distributed import Client

    try:
        client = Client(f"tcp://{address}", set_as_default=False, timeout=_PATIENCE_S)
    except OSError as error:
        raise InputError(f"--backend dask://{address}: no scheduler answers there ({error}).") from None
    with client, joblib.parallel_config("dask", client=client):
        yield from joblib.Parallel(n_jobs=count, return_as="generator_unordered")(_delayed(calls))


_PATIENCE_S: Final = 20


def _on_ray(calls: Sequence[Call[T]], address: str, count: int) -> Iterator[T]:
    """Answer in waves: Ray's joblib backend hands a batch back when all of it is done."""
    import ray
    from ray.util.joblib import register_ray

    where = "auto" if address == "auto" else f"ray://{address}"
    try:
        ray.init(address=where, ignore_reinit_error=True)
    except ConnectionError as error:
        raise InputError(
            f"--backend ray://{address}: no cluster answers there ({error}). From Ray 2.60 on a cluster asks for a "
            "token: set RAY_AUTH_TOKEN here as there."
        ) from None
    register_ray()
    remaining = iter(calls)
    with joblib.parallel_config("ray"):
        size = _WAVE * joblib.effective_n_jobs(count)
        while wave := list(itertools.islice(remaining, size)):
            yield from joblib.Parallel(n_jobs=count)(_delayed(wave))
