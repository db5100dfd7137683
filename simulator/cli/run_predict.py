"""How ``rackcast run`` answers for a service of models that answer in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.cli.answer import Answer, Table

if TYPE_CHECKING:
    from simulator.scenario import Scenario


def answer(scenario: Scenario, workload: Any) -> Answer:
    """Play a service; raises :class:`InputError` or :class:`Infeasible`."""
    from simulator.results.predicting_plot import plot_prediction
    from simulator.results.style import save
    from simulator.simulation.predicting import simulate_predicting

    result = simulate_predicting(scenario, workload)
    frames = {
        "metrics": result.metrics_frame(),
        "groups": result.groups_frame(),
        "stages": result.stages_frame(),
        "outcomes": result.outcomes_frame(),
        "requests": result.requests_frame(),
    }
    return Answer(
        summary=result.summary,
        facts=result.facts(),
        tables={name: Table.of(frame) for name, frame in frames.items()},
        draw=lambda folder: [save(plot_prediction(result)[0], folder / "latency.png")],
        missed=result.missed(),
        drawn=lambda: {"Latency of the requests": plot_prediction(result)},
    )
