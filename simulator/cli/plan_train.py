"""``rackcast plan`` of a training job on a given cluster: its layout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from simulator.cli.decision import Decision, Shown

if TYPE_CHECKING:
    from simulator.planner.recommendation import Recommendation


def decision(found: Recommendation) -> Decision:
    """Return a layout as it is shown."""
    from simulator.cli.readable import readable
    from simulator.cli.run_train import tables
    from simulator.planner.report import COLUMNS, SHOWN, rows, sentences, shown

    parts = tables(found.result)["parts"]
    columns, values = readable(parts.columns, parts.rows)
    title = f"best plans by {found.objective}, one per layout"
    return Decision(
        facts=found.facts(),
        sentences=sentences(found),
        columns=COLUMNS,
        rows=rows(found),
        shown=[
            Shown(columns=columns, rows=values, title="where the step goes"),
            Shown(columns=SHOWN, rows=shown(found), title=title),
        ],
    )


def draw(found: Recommendation, folder: Path) -> list[Path]:
    """Write the pictures."""
    from simulator.cli import run_train
    from simulator.planner.report import candidate
    from simulator.results.plan_plots import plot_candidates, plot_front
    from simulator.results.style import save

    chosen, others = candidate(found.chosen), [candidate(one) for one in found.runner_ups]
    capacity = found.result.memory_limit
    front = [candidate(one) for one in found.front]
    return [
        *run_train.draw(found.result, folder),
        save(plot_candidates([chosen, *others], capacity)[0], folder / "memory-of-plans.png"),
        save(plot_front(chosen, others, front, capacity)[0], folder / "time-against-memory.png"),
    ]
