"""``sweep``: one scenario over many values of its keys, as one tidy table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.files import canonical_json
from simulator.scenario import Scenario, load_scenario
from simulator.simulation import chosen_workload
from simulator.simulation.inputs import parts_sha256
from simulator.study.figures import figures_of
from simulator.study.points import Point, points_of
from simulator.study.store import Store, key_of
from simulator.study.workers import Call, spread

#: what became of a point
OK: Final = "ok"
INFEASIBLE: Final = "infeasible"
INVALID: Final = "invalid"

Answer = dict[str, Any]
Watch = Callable[[Iterable[Answer], int], Iterable[Answer]]


def sweep(
    scenario: Scenario,
    over: Mapping[str, Sequence[Any]],
    *,
    zipped: bool = False,
    workload: str | None = None,
    jobs: int = 1,
    backend: str | None = None,
    store: str | Path | None = None,
    watch: Watch | None = None,
) -> pd.DataFrame:
    """Return one row per point: its values, its status, and its figures with their units in the names.

    The same table whatever the number of workers, and whether the sweep ran through or was stopped and went on.

    Args:
        scenario: the question; its file is read again for every point.
        over: values by key, as in ``{"cluster.nodes[0].count": [8, 16]}``.
        zipped: take the values in step instead of every combination.
        workload: its id, where the scenario has several.
        jobs, backend: see :func:`~simulator.study.workers.spread`.
        store: an SQLite file for what is answered; a sweep that is started again goes on with it.
        watch: wraps the answers as they come, given their number, for a progress bar.

    Raises:
        InputError: a key or workload that does not exist, or values that fit at no point.

    Points that do not fit are rows with the status ``infeasible``, combinations that make no scenario (a TP that
    divides no heads) rows with ``invalid``; both with a reason.
    """
    points = points_of(over, zipped=zipped)
    chosen = chosen_workload(scenario, workload).id
    with Store(None if store is None else Path(store)) as held:
        keys = [_key(scenario, point, chosen) for point in points]
        answers: dict[int, Answer] = {}
        for point, key in zip(points, keys, strict=True):
            known = held.get(key)
            if known is not None:
                answers[point.number] = known
        missing = [point for point in points if point.number not in answers]
        calls: list[Call[Answer]] = [(answer_point, (str(scenario.path), scenario.overrides, point, chosen))
                                     for point in missing]  # fmt: skip
        coming: Iterable[Answer] = spread(calls, jobs=jobs, backend=backend)
        for answer in coming if watch is None else watch(coming, len(calls)):
            number = answer.pop("number")
            held.put(keys[number], points[number].overrides, answer)
            answers[number] = _as_stored(answer)
    _must_fit_somewhere(points, answers)
    return _frame(points, answers)


def answer_point(file: str, overrides: Sequence[str], point: Point, workload: str) -> Answer:
    """Answer one point; what does not fit is an answer too."""
    try:
        found = figures_of(load_scenario(file, [*overrides, *point.overrides]), workload)
    except Infeasible as infeasible:
        return {"number": point.number, "status": INFEASIBLE, "reason": str(infeasible), "figures": {}}
    except InputError as error:
        return {"number": point.number, "status": INVALID, "reason": str(error), "figures": {}}
    return {"number": point.number, "status": OK, "reason": "", "figures": found}


def _key(scenario: Scenario, point: Point, workload: str) -> str:
    return key_of(scenario.sha256, parts_sha256(scenario), point.overrides, workload)


def _as_stored(answer: Answer) -> Answer:
    """Return an answer as the store would give it back, so that a resumed sweep has the same bytes."""
    import json

    stored: Answer = json.loads(canonical_json(answer))
    return stored


def _must_fit_somewhere(points: Sequence[Point], answers: Mapping[int, Answer]) -> None:
    """Raise the first error if no point makes a scenario: then the keys are wrong, not the values."""
    if all(answers[point.number]["status"] == INVALID for point in points):
        raise InputError(answers[0]["reason"])


def _frame(points: Sequence[Point], answers: Mapping[int, Answer]) -> pd.DataFrame:
    names = list(dict.fromkeys(_names(points, answers)))
    rows = []
    for point in points:
        answer = answers[point.number]
        figures = answer["figures"]
        rows.append([point.number, *map(_cell, point.values.values()), answer["status"], answer["reason"],
                     *(figures.get(name) for name in names)])  # fmt: skip
    return pd.DataFrame(rows, columns=["point", *points[0].values, "status", "reason", *names])


def _names(points: Sequence[Point], answers: Mapping[int, Answer]) -> Iterator[str]:
    for point in points:
        yield from answers[point.number]["figures"]


def _cell(value: Any) -> Any:
    """Return a value as a cell: numbers as numbers, also those that came as text; blocks as text."""
    if not isinstance(value, str):
        return value if isinstance(value, (bool, int, float)) or value is None else str(value)
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
