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
    trust: str

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

    @property
    def explanation(self) -> str:
        """What a step waits for, what a node more or less for the writers buys, and how sure that is."""
        run, by_nodes = self.run, {one.writing_nodes: one for one in self.divisions}
        slower = "the writers" if run.writers_busy >= run.learners_busy else "the learners"
        wrote, learned = show(float(run.write_s.mean()), "time"), show(run.learn_s, "time")
        lines = [f"A step of {self.answers} answers takes {show(run.step_s, 'time')}, of which {slower} bound most."]
        lines.append(
            f"Writing takes {wrote} on {self.writing_nodes} of {self.nodes} nodes, learning {learned} "
            f"on the others: writers are busy {run.writers_busy:.0%} of a step, learners {run.learners_busy:.0%}."
        )
        for change, words in ((1, "One node more for the writers"), (-1, "One node less")):
            other = by_nodes.get(self.writing_nodes + change)
            if other is not None:
                saved = 1.0 - other.step_s / run.step_s
                what = f"saves {saved:.1%}" if saved >= 0 else f"costs {-saved:.1%}"
                lines.append(f"{words} {what} of the step ({show(other.step_s, 'time')}).")
        lines.append(
            f"Best is {self.best.writing_nodes} of {self.nodes} nodes writing: {show(self.best.step_s, 'time')}."
        )
        return "\n".join([*lines, self.trust])


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
