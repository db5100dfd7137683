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
from simulator.planner.priced import Priced, price_table
from simulator.planner.question import Question
from simulator.planner.space import Space

Floats = NDArray[np.float64]

#: plans priced at a time: enough to hide the cost of calls, few enough for some 100 MB
PIECE: Final = 1 << 17
#: geometries judged at a time
WALK: Final = 1 << 16

#: wraps the pieces of a walk, for a progress bar; takes the iterable and how many there are
Watch = Callable[[Iterable[PlanTable], int], Iterable[PlanTable]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search found.

    Attributes:
        best: the best plans that fit, best first.
        front: plans that fit and that no other beats in both step time and memory, fastest first.
        values: the objective of every plan that fits, ascending.
        considered: plans looked at: those that fit and those rejected.
        rejected: how many plans broke each constraint first, in the order in which they are asked.
        beyond: plans that only memory rejects and that no other such plan beats in both objective and memory, best
            first; the last one is the leanest.
    """

    best: Priced
    front: Priced
    values: Floats
    considered: int
    rejected: dict[str, int]
    beyond: Priced

    @property
    def priced(self) -> int:
        """Plans whose step time and memory were computed."""
        return len(self.values) + self.rejected["memory"]


@dataclass(slots=True)
class _Kept:
    """What is kept of the pieces seen so far."""

    question: Question
    objective: Objective
    keep: int
    best: Priced
    front: Priced
    beyond: Priced
    values: list[Floats]

    def add(self, priced: Priced) -> int:
        """Keep what is worth it of a piece; return how many of its plans do not fit."""
        fits = priced.memory.total <= self.question.capacity
        inside, outside = priced.take(np.flatnonzero(fits)), priced.take(np.flatnonzero(~fits))
        self.values.append(self.objective.of(inside, self.question))
        self._compare(inside)
        fronts = Priced.join([self.front, inside]), Priced.join([self.beyond, outside])
        self.front = _front(fronts[0], fronts[0].estimate.step)
        self.beyond = _front(fronts[1], self.objective.of(fronts[1], self.question))
        return len(outside)

    def _compare(self, new: Priced) -> None:
        """Keep the best of those kept so far and of new plans; only what could be among them is sorted."""
        value = tied(self.objective.of(new, self.question))
        if len(value) > self.keep:
            new = new.take(np.flatnonzero(value <= np.partition(value, self.keep - 1)[self.keep - 1]))
        every = Priced.join([self.best, new])
        self.best = every.take(order(self.objective.of(every, self.question), every.table)[: self.keep])


def search(question: Question, objective: Objective, *, keep: int, watch: Watch | None = None) -> Found:
    """Look at every plan of a question's space; keep the best ``keep``.

    Raises:
        InputError: the choices leave nothing to look at, or the objective needs a figure that nobody gives.
    """
    space = question.space()
    rejected = dict.fromkeys(ORDER, 0)
    kept: _Kept | None = None
    for table in _possible(space, question, rejected, watch):
        priced = price_table(table, question)
        kept = kept or _empty(question, objective, keep, priced)
        rejected["memory"] += kept.add(priced)
    kept = kept or _empty(question, objective, keep, price_table(next(space.walk(1)), question))
    return Found(best=kept.best, front=kept.front, values=np.sort(np.concatenate(kept.values)), considered=len(space),
                 rejected=rejected, beyond=kept.beyond)  # fmt: skip


def _empty(question: Question, objective: Objective, keep: int, priced: Priced) -> _Kept:
    """Return that nothing is kept yet; ``priced`` says which parts prices have."""
    nothing = priced.take(np.empty(0, dtype=np.int64))
    return _Kept(question, objective, keep, best=nothing, front=nothing, beyond=nothing, values=[np.empty(0)])


def _possible(space: Space, question: Question, rejected: dict[str, int], watch: Watch | None) -> Iterator[PlanTable]:
    """Yield tables of plans that break no constraint but perhaps memory, and count those that do."""
    bounds, per_piece = question.bounds, max(1, PIECE // space.options)
    pieces: Iterable[PlanTable] = space.walk(WALK)
    if watch is not None:
        pieces = watch(pieces, -(-space.geometries // WALK))
    for geometries in pieces:
        possible, broken = judge(geometries, bounds, on_geometry)
        _count(rejected, broken, space.options)
        rows = np.flatnonzero(possible)
        for start in range(0, len(rows), per_piece):
            plans = space.with_options(geometries.take(rows[start : start + per_piece]))
            allowed, broken = judge(plans, bounds, on_options)
            _count(rejected, broken, 1)
            if allowed.any():
                yield plans.take(np.flatnonzero(allowed))


def _count(rejected: dict[str, int], broken: dict[str, int], times: int) -> None:
    for name, count in broken.items():
        rejected[name] += count * times


def _front(priced: Priced, values: Floats) -> Priced:
    """Return the plans that none beats in both value and memory, best value first; of equals, the simplest."""
    values, memory = tied(values), tied(priced.memory.total)
    rows = np.lexsort((memory, values))
    if len(rows):
        rows = rows[memory[rows] == np.minimum.accumulate(memory[rows])]  # the front, and what equals it
    rows = rows[order(values[rows], priced.table.take(rows))]
    rows = rows[np.lexsort((memory[rows], values[rows]))]
    first = np.append(True, memory[rows][1:] < memory[rows][:-1])[: len(rows)]
    return priced.take(rows[first])


def rank_of(plan: Plan, found: Found, question: Question, objective: Objective) -> int:
    """Return how many of the plans that fit are better than one; ties are not better, and its memory is not asked."""
    value: Any = tied(objective.of(price_table(PlanTable.of([plan]), question), question))[0]
    return int(np.sum(tied(found.values) < value))
