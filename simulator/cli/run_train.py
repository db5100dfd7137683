"""How ``rackcast run`` answers for a training job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.cli.answer import Answer, Table

if TYPE_CHECKING:
    from simulator.results.result import Result
    from simulator.scenario import Scenario


def answer(scenario: Scenario, workload: Any) -> Answer:
    """Simulate one training step; raises :class:`InputError` or :class:`Infeasible`."""
    from simulator.simulation import simulate
    from simulator.simulation.slo import missed
    from simulator.study.pages.training import training_page

    result = simulate(scenario, workload=workload.id)
    return Answer(
        summary=result.summary,
        facts=result.facts(),
        tables=tables(result),
        draw=lambda folder: draw(result, folder),
        explanation=result.explain(),
        missed=missed(result, scenario.slo),
        report=lambda: training_page(scenario, result, missed(result, scenario.slo)),
    )


def tables(result: Result) -> dict[str, Table]:
    """Return the result's tables by name."""
    from simulator.results.tables import (
        lanes_frame,
        ledger_frame,
        memory_frame,
        metrics_frame,
        parts_frame,
        spans_frame,
        stages_frame,
    )

    frames = {
        "metrics": metrics_frame(result),
        "parts": parts_frame(result),
        "memory": memory_frame(result),
        "timeline": spans_frame(result),
    }
    if result.hardware.kinds or result.plan.layers_per_stage:
        frames["lanes"] = lanes_frame(result)
    if result.run is not None:
        frames["run"] = ledger_frame(result)
        if result.run.stages:
            frames["stages"] = stages_frame(result)
    return {name: Table.of(frame) for name, frame in frames.items()}


def draw(result: Result, folder: Path) -> list[Path]:
    """Write every picture and, of a played step, its trace."""
    from simulator.foundation.files import write_atomic
    from simulator.results.export import chrome_trace
    from simulator.results.pictures import spans_of

    written = result.plot.save_all(folder)
    if spans := spans_of(result):
        written.append(write_atomic(folder / "trace.json", chrome_trace(spans, process=result.scenario)))
    return written
