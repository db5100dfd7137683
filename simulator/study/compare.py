"""``compare``: the figures of answers side by side, with their differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from simulator.foundation.errors import InputError
from simulator.results.result import Result
from simulator.study.bundles import Bundle


def compare(*results: Result | Bundle | Mapping[str, Any], names: Sequence[str] | None = None) -> pd.DataFrame:
    """Return one row per figure: a column per answer, then the change of the last against the first.

    Args:
        results: answers in memory, answers read from files, or figures by name.
        names: headings of the columns; else ``a``, ``b``, ...

    Raises:
        InputError: fewer than two answers, or none of the figures in two of them.
    """
    if len(results) < 2:
        raise InputError("comparing takes two answers or more.")
    figures = [_figures(result) for result in results]
    shared = list(dict.fromkeys(name for one in figures for name in one))
    if not any(name in figures[0] and name in figures[-1] for name in shared):
        raise InputError("the answers have no figure in common; compare answers for the same kind of workload.")
    heads = list(names) if names is not None else [chr(ord("a") + index) for index in range(len(results))]
    rows = [_row(name, [one.get(name) for one in figures]) for name in shared]
    return pd.DataFrame(rows, columns=["metric", *heads, "change", "change_fraction"])


def _figures(result: Result | Bundle | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(result, Bundle):
        return result.figures
    return result.metrics if isinstance(result, Result) else result


def _row(name: str, values: Sequence[Any]) -> list[Any]:
    first, last = values[0], values[-1]
    if not (_is_number(first) and _is_number(last)):
        return [name, *values, None, None]
    change = last - first
    return [name, *values, change, change / abs(first) if first else (0.0 if not change else None)]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
