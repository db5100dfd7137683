"""``rackcast diff``: what changed between two answers, and the cause."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.study.difference import Change, Difference


def _side(text: str) -> Any:
    return typer.Argument(
        metavar=text, help="A folder that --out wrote, or a file that --json wrote.", show_default=False
    )


def command(
    a: Annotated[Path, _side("A")],
    b: Annotated[Path, _side("B")],
    as_json: options.Json = False,
    as_csv: options.Csv = False,
) -> int:
    """Show which scenario keys, parts or version differ between two answers, and what that did to them.

    Exits with 5 if the decision is another one.

    example: rackcast diff out/last-release out/now
    """
    from simulator.study.bundles import read_bundle
    from simulator.study.difference import difference

    found = difference(read_bundle(a), read_bundle(b))
    status = 5 if found.decision else 0
    if as_json:
        output.json_document(asdict(found), status=output.STATUS[status])
    elif as_csv:
        output.csv(("of", "name", "a", "b"), _rows(found))
    else:
        _show(found)
    return status


def _rows(found: Difference) -> list[tuple[object, ...]]:
    return [
        (kind, change.name, change.a, change.b)
        for kind, changes in (("cause", found.causes), ("decision", found.decision), ("figure", found.figures))
        for change in changes
    ]


def _show(found: Difference) -> None:
    for text in found.unknown:
        output.warn(f"{text}.")
    if found.same:
        output.line("Decision and figures are the same.")
    _changes("cause", found.causes)
    _changes("decision", found.decision)
    if found.figures:
        from simulator.cli.readable import cell

        rows = [(one.name, cell(one.name, one.a), cell(one.name, one.b), _share(one)) for one in found.figures]
        output.table(("figure", "a", "b", "change %"), rows)
    if not found.same and not found.causes and not found.unknown:
        output.warn("version, scenario and parts are the same, and the answers are not: please report this.")


def _changes(kind: str, changes: Sequence[Change]) -> None:
    if changes:
        output.table((kind, "a", "b"), [(one.name, one.a, one.b) for one in changes])


def _share(change: Change) -> str | None:
    if not isinstance(change.a, (int, float)) or not isinstance(change.b, (int, float)) or not change.a:
        return None
    return f"{(change.b - change.a) / abs(change.a):+.1%}"
