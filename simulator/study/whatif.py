"""``whatif``: a scenario as it is and with changes, all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simulator.scenario import Scenario, load_scenario
from simulator.scenario.train import TrainWorkload
from simulator.simulation import chosen_workload
from simulator.study.changes import compiled
from simulator.study.figures import Row, figures_of


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """Figures before and after, and the causes in words."""

    causes: tuple[str, ...]
    overrides: tuple[str, ...]
    before: Row
    after: Row


def whatif(scenario: Scenario, changes: Sequence[str], *, workload: str | None = None) -> WhatIf:
    """Play a scenario as it is and with changes, all of them together.

    Args:
        scenario: the question; its file is read again with the changes.
        changes: words such as ``slow-node=3:0.7``.
        workload: its id, where the scenario has several.

    Raises:
        InputError: a word that is none, or one that this kind of workload cannot express.
        Infeasible: the changed scenario does not fit.
    """
    chosen = chosen_workload(scenario, workload)
    start = now = _engine(scenario, chosen)
    causes: list[str] = []
    overrides: list[str] = []
    for text in changes:
        change = compiled(now, text, workload=chosen.id)
        causes.append(change.cause)
        overrides += change.overrides
        now = load_scenario(scenario.path, [*start.overrides, *overrides])
    return WhatIf(
        causes=tuple(causes),
        overrides=tuple(overrides),
        before=figures_of(start, chosen.id),
        after=figures_of(now, chosen.id),
    )


def _engine(scenario: Scenario, workload: Any) -> Scenario:
    """Return the scenario played by events, so that both sides are answered in the same way."""
    if not isinstance(workload, TrainWorkload) or scenario.run.fidelity == "engine":
        return scenario
    return load_scenario(scenario.path, [*scenario.overrides, "run.fidelity=engine"])
