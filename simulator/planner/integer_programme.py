"""An integer programme, written variable by variable and row by row, and solved exactly by HiGHS.

Several objectives count one after another: the first is minimised, then the second among its optima, and so on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Terms = Mapping[int, float]

#: relative gap at which HiGHS may stop; its own default of 1e-4 is no optimum
_GAP: Final = 1e-9
#: nodes of a search tree that is never cut off: the most that HiGHS counts
_ENDLESS: Final = 2**31 - 1
#: slack that an earlier objective leaves to the later ones, of the size that HiGHS itself allows a row
SLACK: Final = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """``values`` of the variables, the ``objectives`` in order, and by how much the true optimum may be below each.

    Gaps are 0 unless the search was cut off.
    """

    values: Floats
    objectives: tuple[float, ...]
    gaps: tuple[float, ...]

    @property
    def proved(self) -> bool:
        """Whether no better answer is left."""
        return not any(self.gaps)

    def whole(self, variable: int) -> int:
        """Return a whole variable."""
        return round(float(self.values[variable]))


@dataclass(slots=True)
class Programme:
    """Variables within bounds and rows over them."""

    _upper: list[float] = field(default_factory=list)
    _whole: list[bool] = field(default_factory=list)
    _rows: list[tuple[dict[int, float], float, float]] = field(default_factory=list)

    def variable(self, most: float = math.inf, *, whole: bool = True) -> int:
        """Add a variable of at least 0 and return its number."""
        self._upper.append(most)
        self._whole.append(whole)
        return len(self._upper) - 1

    def keep(self, terms: Terms, *, least: float = -math.inf, most: float = math.inf) -> None:
        """Add a row: the weighted sum of variables stays between two bounds."""
        if terms:
            self._rows.append((dict(terms), least, most))
        else:
            assert least <= 0.0 <= most, "a row without variables that cannot be kept"

    def minimise(self, objectives: Sequence[Terms], *, nodes: int | None = None) -> Solved | None:
        """Return the answer that is best by the first objective, then by the next; None if no row set can be kept.

        Args:
            objectives: weights of variables.
            nodes: most nodes of the search tree for each; None: until the optimum is proved. The same number gives
                the same answer on any machine.
        """
        rows, found, gaps = list(self._rows), [], []
        values: Floats | None = None
        for terms in objectives:
            best = self._solve(terms, rows, nodes)
            if best is None:
                if values is None:
                    return None
                best = values, total(terms, values), math.inf  # the tree was cut off before a first answer
            values, value, gap = best
            found.append(value)
            gaps.append(gap)
            rows.append((dict(terms), -math.inf, value + SLACK * max(1.0, abs(value))))
        assert values is not None, "at least one objective"
        return Solved(values=values, objectives=tuple(found), gaps=tuple(gaps))

    def _solve(
        self, terms: Terms, rows: list[tuple[dict[int, float], float, float]], nodes: int | None
    ) -> tuple[Floats, float, float] | None:
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_array

        count, costs = len(self._upper), np.zeros(len(self._upper))
        costs[list(terms)] = list(terms.values())
        kept = [row for row in rows if row[0]]
        where = ([number for number, row in enumerate(kept) for _ in row[0]], [key for row in kept for key in row[0]])
        matrix = csr_array(([value for row in kept for value in row[0].values()], where), shape=(len(kept), count))
        limits = LinearConstraint(matrix, np.array([row[1] for row in kept]), np.array([row[2] for row in kept]))
        found = milp(costs, integrality=np.array(self._whole, dtype=int), bounds=Bounds(0.0, self._upper),
                     constraints=[limits] if kept else [],
                     options={"mip_rel_gap": _GAP, "node_limit": _ENDLESS if nodes is None else nodes})  # fmt: skip
        if found.x is None:
            return None
        values = np.where(self._whole, np.rint(found.x), found.x)
        value = total(terms, values)
        # where no variable is whole there is no tree, and no gap
        gap = value - float(found.mip_dual_bound) if any(self._whole) else 0.0
        return values, value, gap if gap > SLACK * max(1.0, abs(value)) else 0.0


def total(terms: Terms, values: Floats) -> float:
    """Return the weighted sum of variables."""
    return float(sum(weight * values[variable] for variable, weight in terms.items()))
