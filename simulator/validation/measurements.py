"""The measurements that ship with the program, and their licences: see ``measurements/README.md``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from simulator.foundation.errors import InputError, Place
from simulator.foundation.shipped import shipped
from simulator.validation.tables import Measurement, Table, read_table

_FOLDER = "measurements"


def shipped_tables() -> tuple[Path, ...]:
    """Return the files of the shipped tables, in the order of their names."""
    return tuple(sorted(shipped(_FOLDER).glob("*.csv.gz")))


def read_tables(paths: Sequence[str | Path]) -> tuple[Table, ...]:
    """Read tables in the order given, or the shipped ones if none is given; raises as :func:`read_table` does."""
    return tuple(read_table(path) for path in paths or shipped_tables())


def keep_kind(rows: Iterable[Measurement], pattern: str | None) -> tuple[Measurement, ...]:
    """Return the rows whose ``kind_of_work`` matches a regular expression somewhere (all without one).

    Raises:
        InputError: the pattern is no regular expression, or no row matches it.
    """
    held = tuple(rows)
    if pattern is None:
        return held
    place = Place(key="--kind")
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise InputError(f"{pattern!r} is no regular expression: {error}.", place=place) from None
    kept = tuple(row for row in held if wanted.search(row.text("kind_of_work")))
    if not kept:
        known = ", ".join(sorted({row.text("kind_of_work") for row in held}))
        raise InputError(f"no row has a kind_of_work that matches {pattern!r}. There are: {known}.", place=place)
    return kept
