"""How ``rackcast run`` answers for a service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.cli import output
from simulator.cli.answer import Answer, Table
from simulator.cli.keeping import keeping

if TYPE_CHECKING:
    from simulator.results.serving import ServingResult
    from simulator.scenario import Scenario


def answer(scenario: Scenario, workload: Any, *, resume: Path | None = None, records: Path | None = None) -> Answer:
    """Play a service; raises :class:`InputError` or :class:`Infeasible`."""
    from simulator.study.pages.serving import serving_page

    result = _played(scenario, workload, resume, records)
    frames = {
        "metrics": result.metrics_frame(),
        "groups": result.groups_frame(),
        "outcomes": result.outcomes_frame(),
        "memory": result.memory_frame(),
        "timeline": result.timeline_frame(),
    }
    return Answer(
        summary=result.summary,
        facts=result.facts(),
        tables={name: Table.of(frame) for name, frame in frames.items()},
        draw=lambda folder: draw(result, folder),
        missed=result.missed(),
        report=lambda: serving_page(scenario, result, result.missed()),
    )


def _played(scenario: Scenario, workload: Any, resume: Path | None, records: Path | None) -> ServingResult:
    from simulator.simulation.serving import simulate_serving

    with output.meter(label="requests") as told:
        if resume is None:
            return simulate_serving(scenario, workload, progress=told, records=records)
        with keeping(resume, scenario, workload) as kept:
            return simulate_serving(scenario, workload, progress=told, kept=kept, records=records)


def draw(result: ServingResult, folder: Path) -> list[Path]:
    """Write the pictures and, where every request was held, one row for each (Parquet, or CSV without pyarrow)."""
    from simulator.engine.serving.service import Served
    from simulator.results.parquet import write_table
    from simulator.results.serving import requests_frame
    from simulator.results.serving_plots import save_all

    written = save_all(result, folder)
    if not isinstance(result.served, Served):
        output.note("requests were counted as they ended; --records FOLDER keeps a row for each.")
        return written
    return [*written, write_table(requests_frame(result.served), folder / "requests")]
