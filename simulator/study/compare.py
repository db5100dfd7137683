"""``compare``: the figures of answers side by side, with their differences, and which of these may be chance.

Answers over several seeds carry Student's interval of each figure and are compared by their means. A difference no
larger than the root of the sum of the squared half-widths is within the noise of the seeds: two such means would differ
by as much if nothing had changed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from simulator.foundation.errors import InputError
from simulator.results.result import Result
from simulator.study.bundles import Bundle


def compare(*results: Result | Bundle | Mapping[str, Any], names: Sequence[str] | None = None) -> pd.DataFrame:
    """Return one row per figure: a column per answer, the change of the last against the first, and ``within_noise``.

    ``within_noise`` says whether the change is within the noise of the seeds; None where neither answer has several.

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
    halves = _halves(results[0]), _halves(results[-1])
    rows = [_row(name, [one.get(name) for one in figures], [half.get(name) for half in halves]) for name in shared]
    return pd.DataFrame(rows, columns=["metric", *heads, "change", "change_fraction", "within_noise"])


def _figures(result: Result | Bundle | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(result, Bundle):
        means = {name: one["mean"] for name, one in result.facts.get("intervals", {}).items()}
        return {name: means.get(name, value) for name, value in result.figures.items()}
    return result.metrics if isinstance(result, Result) else result


def _halves(result: Result | Bundle | Mapping[str, Any]) -> dict[str, float]:
    """Return half the width of the interval of each figure of an answer over several seeds."""
    if not isinstance(result, Bundle):
        return {}
    told = {name: one["half"] for name, one in result.facts.get("intervals", {}).items()}
    return {name: half for name, half in told.items() if _is_number(half) and math.isfinite(half)}


def _row(name: str, values: Sequence[Any], halves: Sequence[float | None]) -> list[Any]:
    first, last = values[0], values[-1]
    if not (_is_number(first) and _is_number(last)):
        return [name, *values, None, None, None]
    change = last - first
    known = [half for half in halves if half is not None]
    noise = abs(change) <= math.hypot(*known) if known else None
    return [name, *values, change, change / abs(first) if first else (0.0 if not change else None), noise]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
