"""``rackcast plan`` of a service: the cheapest machines that keep its limits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from simulator.cli import output

if TYPE_CHECKING:
    from simulator.planner.serving.service_plan import ServicePlan


def show(found: ServicePlan, *, as_json: bool, as_csv: bool) -> None:
    """Print a service's plan."""
    from simulator.planner.serving.service_report import COLUMNS, SHOWN, rows, sentences, shown

    if as_json:
        output.json_document({**found.facts(), "explanation": sentences(found)})
        return
    if as_csv:
        output.csv(COLUMNS, rows(found))
        return
    for text in sentences(found):
        output.line(text)
    output.table(SHOWN, shown(found), title=f"least {found.objective}, one row per machine, layout and format")


def write(found: ServicePlan, folder: Path) -> None:
    """Write a service's plan as plan.json and plan.csv."""
    from simulator.foundation.files import canonical_json, write_atomic
    from simulator.planner.serving.service_report import COLUMNS, rows, sentences

    document = output.envelope({**found.facts(), "explanation": sentences(found)})
    written = [
        write_atomic(folder / "plan.json", canonical_json(document)),
        write_atomic(folder / "plan.csv", output.csv_text(COLUMNS, rows(found))),
    ]
    output.note(f"wrote {', '.join(path.name for path in written)} to {folder}")
