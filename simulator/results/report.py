"""One self-contained HTML page of an answer: the decision first, then why, then everything it rests on.

The page loads nothing: no script, no font, no picture from elsewhere; drawings are inline SVG. All text is escaped, and
the same report gives the same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simulator.results.style import styled

if TYPE_CHECKING:
    from jinja2 import Template
    from matplotlib.figure import Figure

#: numbers between these are written out
_LONG: Final = 1e4
_LONGEST: Final = 1e12

_TEMPLATE: Final = Path(__file__).with_name("report.html.j2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A figure that is read first: what it is, its value with unit, and how sure it is."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One answer to "why": a word or two, and a sentence."""

    head: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Text of a table; numbers stand on the right."""

    text: str
    number: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table; ``marked`` is the row that was chosen, if it is among them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""
    marked: int | None = None

    def numeric(self, column: int) -> bool:
        """Return whether a column holds mostly numbers."""
        return 2 * sum(row[column].number for row in self.rows) > len(self.rows)

    @staticmethod
    def of(
        columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str = "", marked: int | None = None
    ) -> Grid:
        """Return a table of values: text as it is, numbers with four digits."""
        cells = tuple(tuple(_cell(value) for value in row) for row in rows)
        return Grid(columns=tuple(columns), rows=cells, title=title, marked=marked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A drawing as SVG, and what it shows."""

    svg: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the page: a heading, sentences, tables, drawings."""

    title: str
    text: tuple[str, ...] = ()
    grids: tuple[Grid, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What stands on a page.

    Attributes:
        title: of the window.
        kicker: what was asked, above the decision.
        decision: the answer in a sentence, in large type.
        detail: further words on it.
        tiles, reasons: the rest of the first screen.
        footer: versions and fingerprints.
    """

    title: str
    kicker: str
    decision: str
    detail: str
    tiles: tuple[Tile, ...]
    reasons: tuple[Reason, ...]
    sections: tuple[Section, ...]
    footer: tuple[str, ...]


def page(report: Report) -> str:
    """Return the page as HTML."""
    return _template().render(report=report) + "\n"


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=False)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))


def picture(drawn: tuple[Figure, Any], caption: str) -> Picture:
    """Return a figure as it stands in a page."""
    return Picture(svg=svg_of(drawn[0]), caption=caption)


def svg_of(figure: Figure) -> str:
    """Return a figure as an SVG element, the same bytes for the same picture."""
    buffer = io.StringIO()
    with styled():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    return text[text.index("<svg") :].strip()


def _cell(value: object) -> Cell:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        text = "" if value is None else str(value)
        return Cell(text=text, number=bool(re.fullmatch(r"[+-]?[0-9][0-9,.]*( ?%| [A-Za-z/]+)?", text)))
    return Cell(text=number(value), number=True)


def number(value: float) -> str:
    """Return a number with four digits, and all digits before the point of one that people read out.

    >>> number(132332.4), number(0.000012345), number(48)
    ('132,332', '1.234e-05', '48')
    """
    if isinstance(value, int) or _LONG <= abs(value) < _LONGEST:
        return f"{value:,.0f}"
    return f"{value:,.4g}"
