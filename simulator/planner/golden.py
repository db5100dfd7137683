"""Decisions held fast: a file that says what was recommended, and the readable difference when that changes.

::

    scenario: gpt3-175b
    objective: time
    decision: {tp: 4, dp: 32, pp: 8, vpp: 12, ...}     # keys left out are not held fast
    margin: 0.037                                      # of the runner-up at the time, for people
    binding: memory of a device                        # what kept a better decision away
    metrics:
      step_time_s: {value: 16.77, tolerance: 0.05}     # relative

The decision of a training cluster has ``node`` and ``nodes`` before the layout, that of a service its machine, layout,
format and batch limits, and that of a mix a mapping per kind of machine. A golden of a question that nothing can answer
says ``decision: infeasible``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from simulator.foundation.errors import InputError, suggestion
from simulator.foundation.schema import Fraction, Name, StrictModel, TextOr, load
from simulator.planner.decide import Answer
from simulator.planner.held import Fate, held_of
from simulator.scenario import Scenario

#: drift of a figure that a new golden file allows
TOLERANCE: Final = 0.05
#: a plan that is less than this worse is as good: no model of a cluster tells them apart
FLIP: Final = 0.01

Value = bool | int | float | str | list[int] | None
Decision = TextOr[Literal["infeasible"], dict[str, Value | dict[str, Value]]]


class HeldFile(StrictModel):
    """A figure and how far it may drift, as a share of it."""

    value: float
    tolerance: Fraction = TOLERANCE


class GoldenFile(StrictModel):
    """What a plan is expected to be; a key that the decision leaves out may be anything."""

    scenario: Name
    objective: str
    decision: Decision
    margin: float | None = None
    binding: str | None = None
    metrics: dict[str, HeldFile] | None = None


def load_golden(path: Path) -> GoldenFile:
    """Return what a file expects; raises :class:`InvalidFile` with every problem."""
    return load(GoldenFile, path)


def golden_text(found: Answer) -> str:
    """Return the golden file of an answer."""
    held = held_of(found)
    lines = [
        f"scenario: {held.scenario}",
        f"objective: {held.objective}",
        f"decision: {_yaml(held.decision)}",
        *([] if held.margin is None else [f"margin: {held.margin:.4f}"]),
        *([] if held.binding is None else [f"binding: {_yaml(held.binding)}"]),
        "metrics:",
        *(f"  {name}: {{value: {held.metrics[name]:.6g}, tolerance: {TOLERANCE}}}" for name in held.told),
    ]
    return "\n".join(lines) + "\n"


def infeasible_text(scenario: Scenario, objective: str | None) -> str:
    """Return the golden file of a question that nothing can answer."""
    return f"scenario: {scenario.name}\nobjective: {objective or scenario.plan.objective}\ndecision: infeasible\n"


def _yaml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_yaml(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f'"{value}"' if isinstance(value, str) else str(value)


def changed_keys(expected: GoldenFile, found: Answer) -> list[str]:
    """Return the keys of the decision that are not as expected, each with both values.

    Raises:
        InputError: the file expects a key that such a decision has not.
    """
    now = held_of(found).decision
    told: list[str] = []
    for name, value in wanted(expected).items():
        if isinstance(value, Mapping):
            told += _changed_machine(name, value, now.get(name, {"nodes": 0}))
        elif name not in now:
            raise InputError(f"decision: there is no {name!r} in this decision.{suggestion(name, now)}")
        elif now[name] != value:
            told.append(f"{name} {value} -> {now[name]}")
    return told


def _changed_machine(machine: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what changed of one kind of machine in a mix: of one that is not taken now only that."""
    keys = before if now.get("nodes") else [name for name in before if name == "nodes"]
    return [f"{machine} {name} {before[name]} -> {now.get(name)}" for name in keys if now.get(name) != before[name]]


def drifts(expected: GoldenFile, found: Answer) -> list[str]:
    """Return the figures that moved further than they may, and a constraint that is another; one sentence each."""
    held = held_of(found)
    told = []
    for name, figure in (expected.metrics or {}).items():
        if name not in held.metrics:
            told.append(f"{name} is not among the figures")
        elif abs((value := held.metrics[name]) - figure.value) > figure.tolerance * abs(figure.value):
            told.append(f"{name} drifted from {figure.value:.6g} to {value:.6g}, more than {figure.tolerance:.1%}")
    if expected.binding is not None and expected.binding != held.binding:
        told.append(f"the binding constraint was {expected.binding} and is {held.binding or 'not known'}")
    return told


def said(fate: Fate) -> str:
    """Say how the expected plan does now."""
    if fate.margin is None:
        return fate.why
    flip = "a flip within the error of any model" if fate.margin < FLIP else "no mere flip"
    return f"the expected plan is now {fate.margin:.2%} worse: {flip}"


def wanted(expected: GoldenFile) -> dict[str, Any]:
    """Return the keys of the decision that a file expects."""
    assert isinstance(expected.decision, dict), "nothing was expected to fit"
    return expected.decision
