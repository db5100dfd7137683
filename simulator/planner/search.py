"""The search: every plan of the space judged and priced in pieces; the best, the front and the counts are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.mapping.plan import Plan, PlanTable
from simulator.planner.constraints import ORDER, judge, on_geometry, on_options
from simulator.planner.objectives import Objective, order, tied
from simulator.planner.priced import Priced, TooLarge, price_table
from simulator.planner.question import Question
from simulator.planner.space import Space

Floats = NDArray[np.float64]

#: plans priced at a time: enough to hide the cost of calls, few enough for 100 MB
PIECE: Final = 1 << 17
#: geometries judged at a time
WALK: Final = 1 << 16

#: wraps the pieces of a walk, for a progress bar; takes the iterable and how many there are
Watch = Callable[[Iterable[PlanTable], int], Iterable[PlanTable]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search found.

    Attributes:
        best: the best plans, best first.
        front: plans that no other beats in both step time and memory, fastest first.
        values: the objective of every plan that fits, ascending.
        considered: plans looked at, all told: ``rejected`` and ``values`` together.
        rejected: how many plans broke each constraint first, in the order in which they are asked.
        leanest: the plan with the least memory among those that do not fit; None if all fit.
    """

    best: Priced
    front: Priced
    values: Floats
    considered: int
    rejected: dict[str, int]
    leanest: TooLarge | None


def search(question: Question, objective: Objective, *, keep: int, watch: Watch | None = None) -> Found:
    """Look at every plan of a question's space; keep the best ``keep``.

    Raises:
        InputError: the choices leave nothing to look at, or the objective needs a figure that nobody gives.
    """
    space = question.space()
    rejected = dict.fromkeys(ORDER, 0)
    values: list[Floats] = []
    best = front = None
    leanest: TooLarge | None = None
    for table in _possible(space, question, rejected, watch):
        priced, too_large = price_table(table, question)
        rejected["memory"] += len(table) - len(priced)
        leanest = _leaner(leanest, too_large)
        value = objective.of(priced, question)
        values.append(value)
        best = _best(best, priced, question, objective, keep)
        front = _front(priced if front is None else Priced.join([front, priced]))
    if best is None or front is None:
        best = front = price_table(_empty(space), question)[0]
    return Found(best=best, front=front, values=np.sort(np.concatenate([*values, np.empty(0)])), considered=len(space),
                 rejected=rejected, leanest=leanest)  # fmt: skip


def _possible(space: Space, question: Question, rejected: dict[str, int], watch: Watch | None) -> Iterator[PlanTable]:
    """Yield tables of plans that break no constraint but perhaps memory, and count those that do."""
    setting, per_piece = question.setting, max(1, PIECE // space.options)
    pieces: Iterable[PlanTable] = space.walk(WALK)
    if watch is not None:
        pieces = watch(pieces, -(-space.geometries // WALK))
    for geometries in pieces:
        possible, broken = judge(geometries, setting, on_geometry)
        _count(rejected, broken, space.options)
        rows = np.flatnonzero(possible)
        for start in range(0, len(rows), per_piece):
            plans = space.with_options(geometries.take(rows[start : start + per_piece]))
            allowed, broken = judge(plans, setting, on_options)
            _count(rejected, broken, 1)
            if allowed.any():
                yield plans.take(np.flatnonzero(allowed))


def _count(rejected: dict[str, int], broken: dict[str, int], times: int) -> None:
    for name, count in broken.items():
        rejected[name] += count * times


def _empty(space: Space) -> PlanTable:
    return next(space.walk(1)).take(np.empty(0, dtype=np.int64))


def _leaner(one: TooLarge | None, other: TooLarge | None) -> TooLarge | None:
    if one is None or other is None:
        return other or one
    return other if other.needed < one.needed else one


def _best(best: Priced | None, new: Priced, question: Question, objective: Objective, keep: int) -> Priced:
    """Return the ``keep`` best of those kept so far and new ones; only what could be among them is sorted."""
    value = tied(objective.of(new, question))
    if len(value) > keep:
        new = new.take(np.flatnonzero(value <= np.partition(value, keep - 1)[keep - 1]))
    every = new if best is None else Priced.join([best, new])
    return every.take(order(objective.of(every, question), every.table)[:keep])


def _front(priced: Priced) -> Priced:
    """Return the plans that none beats in both step time and memory, fastest first."""
    memory = priced.memory.total
    rows = np.lexsort((memory, priced.estimate.step))
    below = np.minimum.accumulate(memory[rows])
    new = np.concatenate([[True], below[1:] < below[:-1]]) if len(rows) else np.empty(0, dtype=bool)
    return priced.take(rows[new])


def rank_of(plan: Plan, found: Found, question: Question, objective: Objective) -> tuple[int, int]:
    """Return how many of the plans that fit are better than one, and how many there are; ties are not better.

    Raises:
        ValueError: the plan does not fit.
    """
    priced, _ = price_table(PlanTable.of([plan]), question)
    if not len(priced):
        raise ValueError(f"{plan} does not fit")
    value: Any = tied(objective.of(priced, question))[0]
    return int(np.sum(tied(found.values) < value)), len(found.values)
