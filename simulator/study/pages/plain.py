"""The page of a run of any other kind: its summary, all its tables, and its pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from simulator.planner.pages import parts
from simulator.results.report import Grid, Report, Section, Tile, number, picture
from simulator.scenario import Scenario
from simulator.study.pages.heads import kept, kicker

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: figures that are read first
_TILES: Final = 6
#: rows of a table; files hold all
_ROWS: Final = 40

#: endings of a name that are units
_UNITS: Final = re.compile(r"_(s|bytes|j|w)$")

#: headings and rows, as people read them
Shown = tuple[Sequence[str], Sequence[Sequence[object]]]


def plain_page(
    scenario: Scenario,
    summary: str,
    explanation: str,
    tables: Mapping[str, Shown],
    drawn: Mapping[str, tuple[Figure, Any]],
    missed: Sequence[str],
) -> Report:
    """Return a page of a summary, tables by name (``metrics`` with the figures first), and pictures by caption."""
    first, *rest = summary.splitlines()
    figures = [row for row in tables["metrics"][1] if row[1] is not None and str(row[1]) != ""]
    told = [line for line in explanation.splitlines() if line not in summary.splitlines()]
    return Report(
        title=f"{scenario.name}: a run",
        kicker=kicker(scenario),
        decision=f"{first[:1].upper()}{first[1:]}",
        detail=" ".join(rest),
        tiles=tuple(_tile(row) for row in figures[:_TILES]),
        reasons=(kept(missed),) if missed else (),
        sections=(
            *([Section(title="In words", text=tuple(told))] if told else []),
            *([Section(title="Pictures", pictures=tuple(picture(one, name) for name, one in drawn.items()))]
              if drawn else []),
            *(_table(name, table) for name, table in tables.items()),
            parts.asked(scenario),
        ),
        footer=parts.foot(scenario),
    )  # fmt: skip


def _tile(row: Sequence[object]) -> Tile:
    """Return a figure; the unit that ends its name stands beside the number already."""
    name, value = str(row[0]), row[1]
    label = re.sub(_UNITS, "", name) if isinstance(value, str) else name
    return Tile(label=label.replace("_", " "), value=number(value) if isinstance(value, (int, float)) else str(value))


def _table(name: str, table: Shown) -> Section:
    columns, rows = table
    more = (f"The first {_ROWS} of {len(rows)} rows; --out DIR writes all.",) if len(rows) > _ROWS else ()
    cells = [[value if isinstance(value, (int, float)) else str(value) for value in row] for row in rows[:_ROWS]]
    return Section(title=name.capitalize(), text=more, grids=(Grid.of(columns, cells),) if cells else ())
