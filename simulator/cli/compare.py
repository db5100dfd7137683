"""``rackcast compare``: the figures of answers side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from simulator.cli import options, output

if TYPE_CHECKING:
    from simulator.study.bundles import Bundle

#: what is said of a change: within the noise of the seeds, beyond it, or nothing where one seed was played
_NOISE: Final = {True: "noise", False: "beyond", None: ""}

Answers = Annotated[
    list[Path],
    typer.Argument(metavar="RUN...", help="Folders that --out wrote, or files that --json wrote.", show_default=False),
]


def command(
    runs: Answers, html: options.Html = None, as_json: options.Json = False, as_csv: options.Csv = False
) -> None:
    """Show the figures of two answers or more, and the change of the last against the first.

    Answers over several seeds (`rackcast run --seeds`) are compared by their means, and a change that may be chance is
    marked as noise. With --html: one page of what changed, where it comes from, and the parts of both.

    example: rackcast compare out/before out/after
    """
    from simulator.study.bundles import read_bundle
    from simulator.study.compare import compare
    from simulator.study.rows import records_of, rows_of

    bundles = [read_bundle(path) for path in runs]
    names = [str(path) for path in runs]
    frame = compare(*bundles, names=names)
    rows = rows_of(frame)
    output.page(lambda: _page(bundles, *told(list(frame.columns), rows)), html)
    if as_json:
        output.json_document({"figures": records_of(frame)})
    elif as_csv:
        output.csv(list(frame.columns), rows)
    else:
        show(list(frame.columns), rows)


def _page(bundles: Sequence[Bundle], heads: list[str], rows: list[list[object]]) -> str:
    from simulator.results.report import page
    from simulator.study.pages.compared import compare_page

    plain = [[one.text if isinstance(one, output.Styled) else one for one in row] for row in rows]
    return page(compare_page(bundles, plain, heads))


def show(columns: list[str], rows: list[list[object]], *, title: str = "") -> None:
    """Print a table of figures by name: values with units, the change as a share, and if that is within the noise."""
    heads, shown = told(columns, rows)
    marks = any(line[-1] for line in shown)
    output.table(heads if marks else heads[:-1], [line if marks else line[:-1] for line in shown], title=title)


def told(columns: list[str], rows: list[list[object]]) -> tuple[list[str], list[list[object]]]:
    """Return headings and rows as people read them; the last column says what is within the noise of the seeds."""
    from simulator.cli.readable import cell

    count = len(columns) - 4
    shown = []
    for row in rows:
        name, values, change, share = str(row[0]), row[1 : 1 + count], row[-3], row[-2]
        noise = row[-1] if isinstance(row[-1], bool) else None
        percent = None if share is None else f"{share:+.1%}"
        shown.append([name, *(cell(name, value) for value in values), cell(name, change), percent, _NOISE[noise]])
    return [*columns[:-2], "change %", "against seeds"], shown
