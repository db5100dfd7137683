"""How ``rackcast run`` answers for a service of models that answer in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simulator.cli import output
from simulator.cli.answer import Answer, Table
from simulator.cli.keeping import keeping

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.results.predicting import PredictionResult
    from simulator.scenario import Scenario

_LATENCY: Final = "Latency of the requests"
_TIMELINE: Final = "Replicas and requests over time"


def answer(scenario: Scenario, workload: Any, *, resume: Path | None = None, records: Path | None = None) -> Answer:
    """Play a service; raises :class:`InputError` or :class:`Infeasible`."""
    result = _played(scenario, workload, resume, records)
    frames = {
        "metrics": result.metrics_frame(),
        "groups": result.groups_frame(),
        "stages": result.stages_frame(),
        "outcomes": result.outcomes_frame(),
        "timeline": result.timeline_frame(),
    }
    return Answer(
        summary=result.summary,
        facts=result.facts(),
        tables={name: Table.of(frame) for name, frame in frames.items()},
        draw=lambda folder: _draw(result, folder),
        missed=result.missed(),
        drawn=lambda: _drawn(result),
    )


def _played(scenario: Scenario, workload: Any, resume: Path | None, records: Path | None) -> PredictionResult:
    from simulator.simulation.predicting import simulate_predicting

    with output.meter(label="requests") as told:
        if resume is None:
            return simulate_predicting(scenario, workload, progress=told, records=records)
        with keeping(resume, scenario, workload) as kept:
            return simulate_predicting(scenario, workload, progress=told, kept=kept, records=records)


def _draw(result: PredictionResult, folder: Path) -> list[Path]:
    """Write the pictures, and one row for each request (Parquet, or CSV without pyarrow)."""
    from simulator.results.parquet import write_table
    from simulator.results.style import save

    files = {_LATENCY: "latency.png", _TIMELINE: "timeline.png"}
    written = [save(figure, folder / files[title]) for title, (figure, _) in _drawn(result).items()]
    return [*written, write_table(result.requests_frame(), folder / "requests")]


def _drawn(result: PredictionResult) -> dict[str, Any]:
    """Return the pictures by title."""
    from simulator.results.predicting_plot import plot_prediction
    from simulator.results.serving_plots import plot_timeline

    found: dict[str, Any] = {_LATENCY: plot_prediction(result)}
    line = result.predicted.timeline
    if line.time_s:
        found[_TIMELINE] = plot_timeline(line, result.workload, cache=False)
    return found
