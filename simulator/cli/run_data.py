"""How ``rackcast run`` and ``rackcast explain`` answer for data jobs and batch inference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.cli.answer import Answer, Table

if TYPE_CHECKING:
    from simulator.engine.data.inference import InferRun
    from simulator.engine.data.run import DataRun
    from simulator.scenario import Scenario


def answer(scenario: Scenario, workload: Any) -> Answer:
    """Play the job; raises :class:`Infeasible` if host memory does not hold its loader."""
    from simulator.engine.data.run import DataRun
    from simulator.foundation.randomness import Streams
    from simulator.results.style import save
    from simulator.scenario.data import DataWorkload

    placed = workload.on(scenario.cluster) if isinstance(workload, DataWorkload) else workload
    run = placed.run(Streams(scenario.run.seed))
    figures = run.summary()
    per = "epochs" if isinstance(run, DataRun) else "devices"
    facts = {"scenario": scenario.name, "scenario_sha256": scenario.sha256, "workload": workload.id,
             "seed": scenario.run.seed, "metrics": figures, per: run.rows()}  # fmt: skip
    metrics = [(name, ", ".join(value) if isinstance(value, list) else value) for name, value in figures.items()]
    return Answer(
        summary=_summary(run),
        facts=facts,
        tables={"metrics": Table(columns=("metric", "value"), rows=metrics), per: _table(run.rows())},
        draw=lambda folder: [save(one[0], folder / f"{name}.png") for name, (one, _) in _drawn(run).items()],
        drawn=lambda: {caption: one for one, caption in _drawn(run).values()},
        explanation=_explanation(run),
    )


def _table(rows: list[dict[str, Any]]) -> Table:
    return Table(columns=tuple(rows[0]), rows=[tuple(row.values()) for row in rows])


def _summary(run: DataRun | InferRun) -> str:
    found = run.summary()
    if "makespan_s" in found:
        return (f"all samples predicted after {found['makespan_s']:.4g} s, "
                f"{found['efficiency']:.0%} of what is possible; bottleneck: {found['bottleneck']}")  # fmt: skip
    return (f"a warm epoch takes {found['epoch_time_s']:.4g} s, {found['stall_fraction']:.0%} of it waiting for data; "
            f"bottleneck: {found['bottleneck']}")  # fmt: skip


def _explanation(run: DataRun | InferRun) -> str:
    steps = [
        f"{mend.stage} holds back; {mend.action} ({mend.kind}) brings the step to {mend.step_s:.4g} s."
        for mend in run.mends
    ]
    return "\n".join([_summary(run), *(steps or ["no stage of the loader holds the devices back."])])


def _drawn(run: DataRun | InferRun) -> dict[str, tuple[Any, str]]:
    """Return the pictures, (figure, axes) each, and their captions, by the name of their file."""
    from simulator.engine.data.run import DataRun
    from simulator.results.feed_plot import plot_epochs, plot_stages

    if not isinstance(run, DataRun):
        return {"stages": (plot_stages(run.job.fastest.account()), "Stages of the feed of the fastest device")}
    return {"epochs": (plot_epochs(run), "Epochs: at work, and waiting for data"),
            "stages": (plot_stages(run.steady), "Stages of the feed in a warm epoch")}  # fmt: skip
