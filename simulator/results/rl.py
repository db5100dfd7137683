"""A job of reinforcement learning: who waits for whom, and how the nodes are best divided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.engine.training.rl import RlRun
from simulator.foundation.units import show
from simulator.results.style import cycle_color, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """So many nodes write: mean seconds of a batch's writing, of a step of the others, and from step to step."""

    writing_nodes: int
    write_s: float
    learn_s: float
    step_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RlResult:
    """The job as it is divided (``run``), and what every other division of its nodes would come to."""

    run: RlRun
    divisions: tuple[Division, ...]
    writing_nodes: int
    nodes: int
    answers: int
    ahead: int

    @property
    def best(self) -> Division:
        """The division with the shortest step; the one with fewest writers of equals."""
        return min(self.divisions, key=lambda one: (one.step_s, one.writing_nodes))

    def metrics(self) -> dict[str, float]:
        """Figures, units in their names."""
        run = self.run
        return {
            "step_time_s": run.step_s, "write_s": float(run.write_s.mean()), "learn_s": run.learn_s,
            "answers_per_s": self.answers / run.step_s,
            "written_tokens_per_s": run.tokens / len(run.write_s) / run.step_s,
            "writers_busy_fraction": run.writers_busy, "learners_busy_fraction": run.learners_busy,
            "writing_nodes": self.writing_nodes, "learning_nodes": self.nodes - self.writing_nodes,
            "best_writing_nodes": self.best.writing_nodes, "best_step_time_s": self.best.step_s,
        }  # fmt: skip

    @property
    def summary(self) -> str:
        """In a line."""
        run = self.run
        return (
            f"a step of {self.answers} answers every {show(run.step_s, 'time')}: writers busy {run.writers_busy:.0%}, "
            f"learners {run.learners_busy:.0%}; best with {self.best.writing_nodes} of {self.nodes} nodes writing, "
            f"{show(self.best.step_s, 'time')}"
        )


def plot_divisions(result: RlResult) -> tuple[Figure, Any]:
    """Draw writing, learning and the step they make against how many nodes write."""
    nodes = np.array([one.writing_nodes for one in result.divisions])
    lines = {
        "writing": [one.write_s for one in result.divisions],
        "learning": [one.learn_s for one in result.divisions],
        "step": [one.step_s for one in result.divisions],
    }
    with styled():
        figure, axes = new_figure(6.5, 4.0)
        for position, (name, seconds) in enumerate(lines.items()):
            axes.plot(nodes, seconds, color=cycle_color(position), marker="o", markersize=3.5, label=name)
        axes.axvline(result.best.writing_nodes, color=cycle_color(5), linestyle="--", label="best")
        axes.set_yscale("log")
        axes.set_xlabel(f"nodes that write, of {result.nodes}")
        axes.set_ylabel("seconds")
        axes.set_title("Writers and learners share the nodes")
        axes.legend()
    return figure, axes
