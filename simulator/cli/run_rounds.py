"""How ``rackcast run`` and ``rackcast explain`` answer for federated rounds and reinforcement learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.cli.answer import Answer, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.scenario import Scenario


def answer(scenario: Scenario, workload: Any) -> Answer:
    """Play the job; raises :class:`InputError` for a figure that no source gives."""
    from simulator.scenario.federated import FederatedWorkload

    return _federated(scenario, workload) if isinstance(workload, FederatedWorkload) else _rl(scenario, workload)


def _federated(scenario: Scenario, workload: Any) -> Answer:
    from simulator.foundation.randomness import Streams
    from simulator.results.federated import plot_rounds, round_figures, round_sentences, round_summary
    from simulator.results.style import save

    run = workload.run(Streams(scenario.run.seed))
    rows = [(number, float(seconds), int(used), int(late)) for number, (seconds, used, late) in
            enumerate(zip(run.round_s, run.answers, run.late, strict=True))]  # fmt: skip
    return Answer(
        summary=round_summary(run),
        facts=_facts(scenario, workload, "federated", round_figures(run)),
        tables={"metrics": _metrics(round_figures(run)),
                "rounds": Table(columns=("round", "time_s", "answers", "late"), rows=rows)},
        draw=lambda folder: [save(plot_rounds(run)[0], folder / "rounds.png")],
        drawn=lambda: {"How long the rounds take": plot_rounds(run)},
        explanation=round_sentences(run),
    )  # fmt: skip


def _rl(scenario: Scenario, workload: Any) -> Answer:
    from simulator.results.rl import plot_divisions
    from simulator.results.style import save
    from simulator.simulation.rl import simulate_rl

    result = simulate_rl(scenario, workload)
    rows = [(one.writing_nodes, one.write_s, one.learn_s, one.step_s) for one in result.divisions]
    return Answer(
        summary=result.summary,
        facts=_facts(scenario, workload, "rl", result.metrics()),
        tables={"metrics": _metrics(result.metrics()),
                "divisions": Table(columns=("writing_nodes", "write_s", "learn_s", "step_s"), rows=rows)},
        draw=lambda folder: [save(plot_divisions(result)[0], folder / "divisions.png")],
        drawn=lambda: {"Nodes that write and nodes that learn": plot_divisions(result)},
        explanation=result.explanation,
    )  # fmt: skip


def _metrics(figures: Mapping[str, float]) -> Table:
    return Table(columns=("metric", "value"), rows=list(figures.items()))


def _facts(scenario: Scenario, workload: Any, kind: str, figures: Mapping[str, float]) -> dict[str, Any]:
    return {"scenario": scenario.name, "scenario_sha256": scenario.sha256, "workload": workload.id, "kind": kind,
            "seed": scenario.run.seed, "metrics": dict(figures)}  # fmt: skip
