"""Decisions held fast: a file that says what was recommended, and the readable difference when that changes.

::

    scenario: gpt3-175b
    objective: time
    decision: {tp: 4, dp: 32, pp: 8, vpp: 12, ...}     # keys left out are not held fast
    margin: 0.037                                      # of the runner-up at the time, for people
    metrics:
      step_time_s: {value: 16.77, tolerance: 0.05}     # relative

A golden of a question that nothing can answer says ``decision: infeasible``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Literal

from simulator.foundation.errors import DecisionChanged
from simulator.foundation.schema import Count, Fraction, Name, StrictModel, load, text_or
from simulator.planner.recommendation import Recommendation
from simulator.scenario import Scenario

#: figures that a new golden file holds, and the drift it allows
HELD: Final = ("step_time_s", "mfu", "memory_bytes")
TOLERANCE: Final = 0.05
#: a plan that is less than this worse is as good: no model of a cluster tells them apart
FLIP: Final = 0.01


class DecisionFile(StrictModel):
    """The plan that is expected; a key left out may be anything."""

    tp: Count | None = None
    cp: Count | None = None
    dp: Count | None = None
    pp: Count | None = None
    ep: Count | None = None
    vpp: Count | None = None
    micro_batch: Count | None = None
    micro_batches: Count | None = None
    zero: Literal[0, 1, 2, 3] | None = None
    sequence_parallel: bool | None = None
    recompute: Literal["none", "selective", "full"] | None = None
    schedule: Literal["gpipe", "1f1b", "zb-h1", "dualpipe"] | None = None


class HeldFile(StrictModel):
    """A figure and how far it may drift, as a share of it."""

    value: float
    tolerance: Fraction = TOLERANCE


class GoldenFile(StrictModel):
    """What a plan is expected to be."""

    scenario: Name
    objective: str
    decision: text_or(Literal["infeasible"], DecisionFile)  # type: ignore[valid-type]
    margin: float | None = None
    metrics: dict[str, HeldFile] | None = None


def load_golden(path: Path) -> GoldenFile:
    """Return what a file expects; raises :class:`InvalidFile` with every problem."""
    return load(GoldenFile, path)


def golden_text(found: Recommendation) -> str:
    """Return the golden file of a recommendation."""
    decision = ", ".join(f"{name}: {_yaml(value)}" for name, value in asdict(found.plan).items())
    lines = [
        f"scenario: {found.scenario.name}",
        f"objective: {found.objective}",
        f"decision: {{{decision}}}",
        *([] if found.margin is None else [f"margin: {found.margin:.4f}"]),
        "metrics:",
        *(f"  {name}: {{value: {found.result.metrics[name]:.6g}, tolerance: {TOLERANCE}}}" for name in HELD),
    ]
    return "\n".join(lines) + "\n"


def infeasible_text(scenario: Scenario, objective: str | None) -> str:
    """Return the golden file of a question that nothing can answer."""
    return f"scenario: {scenario.name}\nobjective: {objective or scenario.plan.objective}\ndecision: infeasible\n"


def _yaml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


def check_golden(expected: GoldenFile, found: Recommendation) -> None:
    """Return if a recommendation is what was expected.

    Raises:
        DecisionChanged: it is not; the message says what changed, and what became of the expected plan.
    """
    told = list(_differences(expected, found))
    if told:
        raise DecisionChanged(f"{expected.scenario}, best {expected.objective}: " + "; ".join(told) + ".")


def check_infeasible(expected: GoldenFile) -> None:
    """Return if a question without an answer was expected to have none; raises :class:`DecisionChanged`."""
    if expected.decision != "infeasible":
        raise DecisionChanged(f"{expected.scenario}: a plan was expected, and now nothing fits.")


def _differences(expected: GoldenFile, found: Recommendation) -> Iterator[str]:
    if expected.objective != found.objective:
        yield f"the objective is now {found.objective}"
    if expected.decision == "infeasible":
        yield "nothing was expected to fit, and now a plan does"
        return
    changed = changed_keys(expected, found)
    if changed:
        yield f"the decision changed: {', '.join(changed)} ({fate(margin_of_expected(expected, found))})"
    yield from drifts(expected, found)


def changed_keys(expected: GoldenFile, found: Recommendation) -> list[str]:
    """Return the keys of the decision that are not as expected, each with both values."""
    now = asdict(found.plan)
    return [f"{name} {value} -> {now[name]}" for name, value in _wanted(expected).items() if now[name] != value]


def drifts(expected: GoldenFile, found: Recommendation) -> list[str]:
    """Return the figures that moved further than they may, one sentence each."""
    told = []
    for name, held in (expected.metrics or {}).items():
        if name not in found.result.metrics:
            told.append(f"{name} is not among the figures")
        elif abs((value := found.result.metrics[name]) - held.value) > held.tolerance * abs(held.value):
            told.append(f"{name} drifted from {held.value:.6g} to {value:.6g}, more than {held.tolerance:.1%}")
    return told


def margin_of_expected(expected: GoldenFile, found: Recommendation) -> float | None:
    """Return how much worse the expected plan is now, as a share; None if it is no longer among the best."""
    wanted = _wanted(expected)
    for one in (*found.confirmed, *found.runner_ups):
        plan = asdict(one.plan)
        if all(plan[name] == value for name, value in wanted.items()):
            return one.margin
    return None


def fate(margin: float | None) -> str:
    """Say how the expected plan does now, given :func:`margin_of_expected`."""
    if margin is None:
        return "the expected plan is no longer among the best"
    flip = "a flip within the error of any model" if margin < FLIP else "no mere flip"
    return f"the expected plan is now {margin:.2%} worse: {flip}"


def _wanted(expected: GoldenFile) -> dict[str, Any]:
    assert not isinstance(expected.decision, str), "nothing was expected to fit"
    wanted: dict[str, Any] = expected.decision.model_dump(exclude_none=True)
    return wanted
