"""How ``rackcast run`` answers for a service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.cli.answer import Answer, Table

if TYPE_CHECKING:
    from simulator.results.serving import ServingResult
    from simulator.scenario import Scenario


def answer(scenario: Scenario, workload: Any) -> Answer:
    """Play a service; raises :class:`InputError` or :class:`Infeasible`."""
    from simulator.simulation.serving import simulate_serving

    result = simulate_serving(scenario, workload)
    frames = {
        "metrics": result.metrics_frame(),
        "groups": result.groups_frame(),
        "outcomes": result.outcomes_frame(),
        "memory": result.memory_frame(),
        "timeline": result.timeline_frame(),
    }
    tables = {
        name: Table(columns=list(frame.columns), rows=list(frame.itertuples(index=False, name=None)))
        for name, frame in frames.items()
    }
    return Answer(
        summary=result.summary,
        facts=result.facts(),
        tables=tables,
        draw=lambda folder: draw(result, folder),
        missed=result.missed(),
    )


def draw(result: ServingResult, folder: Path) -> list[Path]:
    """Write the pictures and one row per request (Parquet where pyarrow is installed, else CSV)."""
    import importlib.util
    import io

    from simulator.foundation.files import write_atomic
    from simulator.results.serving_plots import save_all

    written = save_all(result, folder)
    frame = result.requests_frame()
    if importlib.util.find_spec("pyarrow") is not None:
        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False)
        written.append(write_atomic(folder / "requests.parquet", buffer.getvalue()))
    else:
        written.append(write_atomic(folder / "requests.csv", frame.to_csv(index=False)))
    return written
