"""How ``rackcast plan`` shows and writes a decision of any kind: as JSON, as CSV, or in sentences and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.cli import output


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A table for people: headings, rows, title."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided, ready to leave the program.

    Attributes:
        facts: the JSON document, sentences apart.
        sentences: the decision first.
        columns, rows: the CSV.
        shown: tables printed below the sentences.
    """

    facts: Mapping[str, Any]
    sentences: Sequence[str]
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    shown: Sequence[Shown]

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document."""
        return {**self.facts, "explanation": list(self.sentences)}


def show(decision: Decision, *, as_json: bool, as_csv: bool) -> None:
    """Print a decision."""
    if as_json:
        output.json_document(decision.document)
    elif as_csv:
        output.csv(decision.columns, decision.rows)
    else:
        for text in decision.sentences:
            output.line(text)
        for table in decision.shown:
            output.table(table.columns, table.rows, title=table.title)


def write(decision: Decision, folder: Path, *, table: str | None, draw: Callable[[], Sequence[Path]] = list) -> None:
    """Write plan.json, the CSV under its name if it has one, and what ``draw`` adds; say so on stderr."""
    from simulator.foundation.files import canonical_json, write_atomic

    written = [write_atomic(folder / "plan.json", canonical_json(output.envelope(decision.document)))]
    if table is not None:
        written.append(write_atomic(folder / table, output.csv_text(decision.columns, decision.rows)))
    written += draw()
    output.note(f"wrote {', '.join(path.name for path in written)} to {folder}")
