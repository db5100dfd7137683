"""A whole training run: where its time and its money go, how sure its end is, what failures undo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from simulator.foundation.units import DAY, show
from simulator.results.style import ALARM, PALETTE, color_of, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: cause -> what it means, for people, in the order in which causes are shown
CAUSES: Final[dict[str, str]] = {
    "compute": "passes and updates of steps that count",
    "communication": "exchanges that nothing hides, in steps that count",
    "idle": "devices wait for the pipeline, each other, the host or data, in steps that count",
    "checkpoint": "the run waits for its state to be saved",
    "evaluation": "forward passes over held-out samples",
    "startup": "before the first step",
    "lost": "work that failures undid",
    "restart": "from a failure until the run goes on, its state read back",
    "spares": "waiting for a node, all spares being under repair",
    "degraded": "steps take longer while replicas are missing",
}
_COLORS: Final = {
    "compute": color_of("forward"), "communication": color_of("communication"), "idle": PALETTE[6],
    "checkpoint": color_of("checkpoint"), "evaluation": color_of("optimizer"), "lost": ALARM,
    "restart": PALETTE[5], "spares": PALETTE[3], "degraded": PALETTE[7],
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEnd:
    """A stage of a run: when it ends in the mean, and what a failure in it undoes in the mean (closed form)."""

    name: str
    end_s: float
    lost_per_failure_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeRun:
    """A run from start to end, in the mean over the runs that were played.

    Attributes:
        runs: how many were played; 1 where nothing fails.
        ledger: seconds by cause; they add up to ``time_s``.
        time_s: mean; ``low_s`` and ``high_s`` are the 10th and 90th percentile.
        expected_s: in closed form, spares aside; None if checkpoints are asynchronous.
        failures: mean number.
        mtbf_s: of the cluster; None if nothing fails.
        interval_s: of work between two checkpoints; None without any.
        best_interval_s: by Young and Daly; None without failures or checkpoints.
        usd_per_s: rent of all nodes, spares included; None if unknown.
    """

    runs: int
    ledger: Mapping[str, float]
    time_s: float
    low_s: float
    high_s: float
    expected_s: float | None
    failures: float
    mtbf_s: float | None
    interval_s: float | None
    best_interval_s: float | None
    usd_per_s: float | None
    stages: tuple[StageEnd, ...]

    @property
    def productive(self) -> float:
        """Share of the time in steps that count."""
        return sum(self.ledger[name] for name in ("compute", "communication", "idle")) / self.time_s

    def metrics(self) -> dict[str, float]:
        """Figures for the table of the result, units in their names."""
        found = {"run_time_s": self.time_s, "productive_fraction": self.productive}
        if self.mtbf_s is not None:
            found |= {"run_time_p90_s": self.high_s, "failures": self.failures, "cluster_mtbf_s": self.mtbf_s,
                      "lost_work_s": self.ledger["lost"]}  # fmt: skip
        if self.interval_s is not None:
            found["checkpoint_interval_s"] = self.interval_s
        if self.best_interval_s is not None:
            found["best_checkpoint_interval_s"] = self.best_interval_s
        if self.usd_per_s is not None:
            found["run_cost_usd"] = self.time_s * self.usd_per_s
        return found

    def rows(self) -> list[tuple[str, float, float, float | None, str]]:
        """Return the ledger: cause, time_s, share, cost_usd, meaning."""
        return [
            (name, seconds, seconds / self.time_s, None if self.usd_per_s is None else seconds * self.usd_per_s,
             CAUSES[name])
            for name, seconds in self.ledger.items()
        ]  # fmt: skip

    def facts(self) -> dict[str, Any]:
        """Everything as plain data."""
        return asdict(self) | {"ledger": dict(self.ledger), "productive_fraction": self.productive}

    @property
    def summary(self) -> str:
        """In half a line."""
        return f"the whole run {show(self.time_s, 'time')}, {self.productive:.1%} of it productive"

    def sentences(self) -> Iterator[str]:
        """What to say about it."""
        text = f"The whole run takes {show(self.time_s, 'time')}; {self.productive:.1%} of it are steps that count."
        if self.mtbf_s is None:
            if self.productive < 1.0:  # else the time of its steps is all
                yield text
        else:
            yield (
                f"{text} Over {self.runs} runs that were played, 80 % end between {show(self.low_s, 'time')} and "
                f"{show(self.high_s, 'time')}, with {self.failures:.4g} failures in the mean, one every "
                f"{show(self.mtbf_s, 'time')} of work."
            )
        if self.interval_s is not None and self.best_interval_s is not None:
            yield (
                f"State is saved after every {show(self.interval_s, 'time')} of work; "
                f"Young and Daly's interval is {show(self.best_interval_s, 'time')} ('checkpoint: {{every: auto}}')."
            )
        worst = max(
            ("checkpoint", "evaluation", "startup", "lost", "restart", "spares", "degraded"),
            key=self.ledger.__getitem__,
        )
        if self.ledger[worst] > 0:
            yield f"Beside the steps most goes into {worst}, {self.ledger[worst] / self.time_s:.1%}: {CAUSES[worst]}."


def plot_ledger(run: WholeRun) -> tuple[Figure, Any]:
    """Draw where the time of a run goes, a bar for each cause in days."""
    causes = {name: seconds / DAY for name, seconds in run.ledger.items() if seconds > 0}
    with styled():
        figure, axes = new_figure(7.0, 0.9 + 0.42 * len(causes))
        axes.barh(list(causes), list(causes.values()), color=[_COLORS.get(name, PALETTE[1]) for name in causes])
        for position, (name, days) in enumerate(causes.items()):
            axes.text(days, position, f" {run.ledger[name] / run.time_s:.1%}", va="center", fontsize=8.5)
        axes.invert_yaxis()
        axes.set_xlim(right=1.15 * max(causes.values()))
        axes.set_xlabel("days")
        axes.set_title(f"Where {show(run.time_s, 'time')} go; {run.productive:.1%} productive")
    return figure, axes
