"""The workshop of a plan's search: processes of this machine or an existing cluster, and a store of what is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from simulator.planner.workshop import Answer, Workshop
from simulator.study.plan_store import PlanStore
from simulator.study.workers import Call, spread

#: runs that are looked for at once on a cluster that is given no number
_ON_A_CLUSTER: Final = 16


def workshop_of(store: PlanStore | None, *, jobs: int = 1, backend: str | None = None) -> Workshop | None:
    """Return what does the runs; None where they are done here, one after another, and not kept.

    Args:
        store: keeps what is done.
        jobs, backend: see :func:`~simulator.study.workers.spread`.

    Raises:
        InputError: an unknown backend, or one whose package is not installed.
    """
    if jobs == 1 and backend is None:
        return None if store is None else Workshop(keeper=store)
    _ = list(spread([], jobs=jobs, backend=backend))  # says now what is wrong with them
    width = _ON_A_CLUSTER if jobs == 1 else jobs
    return Workshop(keeper=store, spread=partial(_spread, jobs=jobs, backend=backend), width=width)


def _spread(
    calls: Sequence[tuple[Callable[..., Answer], tuple[Any, ...]]], *, jobs: int, backend: str | None
) -> Iterator[tuple[int, Answer]]:
    numbered: list[Call[tuple[int, Answer]]] = [
        (_numbered, (number, do, arguments)) for number, (do, arguments) in enumerate(calls)
    ]
    return spread(numbered, jobs=jobs, backend=backend)


def _numbered(number: int, do: Callable[..., Answer], arguments: tuple[Any, ...]) -> tuple[int, Answer]:
    return number, do(*arguments)
