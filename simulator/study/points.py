"""The points of a sweep: which keys take which values, crossed or in step."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simulator.foundation.errors import InputError
from simulator.scenario.overrides import parse_override

#: points of one sweep; keeps a slip of the finger from filling the disk
MOST: Final = 1_000_000

_COMMA: Final = re.compile(r",(?![^\[{(]*[\]})])")  # a comma that no bracket holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One question of a sweep.

    Attributes:
        number: its place in the order of the sweep, from 0.
        values: by key, as they were given.
        overrides: the same as assignments that a scenario takes.
    """

    number: int
    values: Mapping[str, Any]
    overrides: tuple[str, ...]


def read_vary(text: str) -> tuple[str, tuple[str, ...]]:
    """Read ``KEY=a,b,c``; a value in brackets keeps its commas.

    >>> read_vary("batch={global: 8, micro: 1},{global: 16, micro: 1}")[1]
    ('{global: 8, micro: 1}', '{global: 16, micro: 1}')
    """
    key, equals, values = text.partition("=")
    found = tuple(value.strip() for value in _COMMA.split(values))
    if not equals or not key.strip() or "" in found:
        raise InputError(f"--vary {text}: write KEY=VALUE,VALUE,..., as in cluster.nodes[0].count=8,16,32.")
    return key.strip(), found


def points_of(over: Mapping[str, Sequence[Any]], *, zipped: bool = False) -> list[Point]:
    """Return every combination of the values, the last key fastest; zipped: the first of each, the second of each, ...

    Raises:
        InputError: nothing to vary, a key without values, zipped lists of different lengths, too many points.
    """
    if not over:
        raise InputError("nothing varies; name a key and its values, as in cluster.nodes[0].count=8,16,32.")
    for key, values in over.items():
        _ = parse_override(f"{key}=0")
        if isinstance(values, str) or not len(values):
            raise InputError(f"{key}: {values!r} are no values; give a list of them.")
    lengths = {key: len(values) for key, values in over.items()}
    if zipped and len(set(lengths.values())) > 1:
        told = ", ".join(f"{key} has {length}" for key, length in lengths.items())
        raise InputError(f"keys that change in step need equally many values: {told}.")
    count = 1
    for length in lengths.values():
        count = length if zipped else count * length
    if count > MOST:
        raise InputError(f"{count} points; at most {MOST} are run. Vary fewer keys, or give them fewer values.")
    rows = zip(*over.values(), strict=True) if zipped else itertools.product(*over.values())
    return [_point(number, dict(zip(over, row, strict=True))) for number, row in enumerate(rows)]


def _point(number: int, values: dict[str, Any]) -> Point:
    overrides = tuple(f"{key}={_written(value)}" for key, value in values.items())
    return Point(number=number, values=values, overrides=overrides)


def _written(value: Any) -> str:
    """Return a value as YAML reads it; blocks and lists in their one-line form."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_written(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_written(inner) for inner in value) + "]"
    return str(value)
