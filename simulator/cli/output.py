"""The only printer: data on stdout (tables, JSON, CSV), talk on stderr (notes, warnings, errors, progress)."""

from __future__ import annotations

import csv as csv_format
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from simulator import __version__
from simulator.foundation.files import canonical_json

#: version of the JSON that leaves the program
SCHEMA_VERSION: Final = 1

#: exit code -> the ``status`` of the JSON
STATUS: Final = {
    0: "ok",
    1: "bug",
    2: "input",
    3: "infeasible",
    4: "slo-missed",
    5: "decision-changed",
    6: "over-budget",
}

_WIDTH_OF_PIPES: Final = 200  # columns where no terminal sets the width
_GROUPED: Final = (1e4, 1e7)  # numbers between are written out
_NAME_PART: Final = 3  # a first column up to this part of the width is never folded


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to print: colour or plain, how much talk."""

    color: bool = True
    quiet: bool = False
    verbose: int = 0


_DEFAULT: Final = Settings()
_current: ContextVar[Settings] = ContextVar("settings", default=_DEFAULT)


@contextmanager
def settings(chosen: Settings) -> Iterator[None]:
    """Print by ``chosen`` inside the block."""
    token = _current.set(chosen)
    try:
        yield
    finally:
        _current.reset(token)


def _console(*, stderr: bool = False) -> Any:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    wide = None if stream.isatty() or os.environ.get("COLUMNS") else _WIDTH_OF_PIPES
    plain = not _current.get().color
    return Console(file=stream, no_color=plain, highlight=False, width=wide, markup=False, emoji=False)


def line(text: str = "") -> None:
    """Write one line of data to stdout."""
    sys.stdout.write(text + "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Styled:
    """A cell of a table with a colour, flush right as a number is."""

    text: str
    style: str  # a rich style, such as "green"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """Write a table to stdout; columns whose cells are numbers are set flush right.

    Args:
        columns: headings, with the unit where there is one; underscores are shown as blanks, where lines may break.
        rows: cells in the order of the columns; None is shown as ``-``, floats at four digits; names in the first
            column stay whole where the others have room.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    cells = [list(row) for row in rows]
    console = _console()
    drawn = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        numeric = all(_is_number(row[index]) or row[index] is None for row in cells)
        whole = index == 0 and max((len(str(row[0])) for row in cells), default=0) * _NAME_PART <= console.width
        side: Any = "right" if numeric and cells else "left"
        drawn.add_column(column.replace("_", " "), justify=side, overflow="fold", no_wrap=whole)
    for row in cells:
        drawn.add_row(*(_cell(value) for value in row))
    console.print(drawn)


def _is_number(cell: object) -> bool:
    return isinstance(cell, (int, float, Styled)) and not isinstance(cell, bool)


def _cell(value: object) -> Any:
    if isinstance(value, Styled):
        from rich.text import Text

        return Text(value.text, style=value.style)
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    """Return four digits, or whole thousands in groups: 0.03286, 16.77, 11,800, 2.5e+07."""
    return f"{value:,.0f}" if _GROUPED[0] <= abs(value) < _GROUPED[1] else f"{value:.4g}"


def csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write CSV to stdout: a header, then one line per row; None is an empty cell."""
    sys.stdout.write(csv_text(columns, rows))


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return CSV: a header, then one line per row; None is an empty cell, floats have at most 12 digits as in JSON."""
    text = io.StringIO()
    writer = csv_format.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_csv_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _csv_cell(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.12g}")
    return "" if value is None else value


def envelope(data: Mapping[str, Any], *, status: str = "ok", warnings: Sequence[str] = ()) -> dict[str, Any]:
    """Return ``data`` with what every JSON of rackcast carries: versions, status, warnings."""
    head = {"schema_version": SCHEMA_VERSION, "tool_version": __version__, "status": status}
    assert not head.keys() & data.keys(), "the envelope's keys belong to the envelope"
    return {**head, "warnings": list(warnings), **data}


def json_document(data: Mapping[str, Any], *, status: str = "ok", warnings: Sequence[str] = ()) -> None:
    """Write one canonical JSON object to stdout (sorted keys, no clock, same bytes for the same content)."""
    sys.stdout.write(canonical_json(envelope(data, status=status, warnings=warnings)))


def error(text: str) -> None:
    """Say on stderr what went wrong; never silenced."""
    _say("error", "bold red", text)


def warn(text: str) -> None:
    """Say on stderr what the reader should doubt."""
    if not _current.get().quiet:
        _say("warning", "yellow", text)


def page(text: Callable[[], str], *places: Path | None) -> None:
    """Write a page to every place that is named, and say so on stderr; without a place it is not made."""
    from simulator.foundation.files import write_atomic

    named = [place for place in places if place is not None]
    if named:
        html = text()
        for place in named:
            note(f"wrote {write_atomic(place, html)}")


def note(text: str, *, level: int = 0) -> None:
    """Say something on stderr, at ``-v`` level 0 (always, unless quiet), 1 or 2."""
    chosen = _current.get()
    if not chosen.quiet and chosen.verbose >= level:
        sys.stderr.write(text + "\n")


def _say(word: str, style: str, text: str) -> None:
    if _current.get().color and sys.stderr.isatty():
        _console(stderr=True).print(word, style=style, end=": ")
        sys.stderr.write(text + "\n")
    else:
        sys.stderr.write(f"{word}: {text}\n")


T = TypeVar("T")


def progress(items: Iterable[T], *, label: str, total: int | None = None) -> Iterator[T]:
    """Yield the items, with a bar on stderr when that is a terminal and not quiet."""
    if _current.get().quiet or not sys.stderr.isatty():
        yield from items
        return
    from rich.progress import track

    yield from track(items, description=label, total=total, console=_console(stderr=True), transient=True)


@contextmanager
def meter(*, label: str) -> Iterator[Callable[[int, int], None]]:
    """Yield what is told (done, of how many), with a bar on stderr when that is a terminal and not quiet."""
    if _current.get().quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.progress import Progress

    with Progress(console=_console(stderr=True), transient=True) as bars:
        task = bars.add_task(label, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
