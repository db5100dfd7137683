"""Which machines, of several kinds together, serve several classes of requests at least cost: an integer programme.

A node of kind m serves ``capacity[m, k]`` requests of class k per second if it serves nothing else, and a share of each
if it serves several. Find whole nodes n and rates x >= 0 that minimise price . n with

    sum over m of x[m, k] = rate[k]        every class is served
    sum over k of x[m, k] / capacity[m, k] <= n[m] <= most[m]

solved exactly by HiGHS (``scipy.optimize.milp``). A capacity of 0 says that the kind cannot serve the class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.foundation.errors import Infeasible

Floats = npt.NDArray[np.float64]

#: relative gap at which HiGHS may stop; its own default of 1e-4 is no optimum
_GAP: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Whole ``nodes`` of each kind, ``rates`` (kind, class) in requests per second, and ``price`` of all nodes."""

    nodes: tuple[int, ...]
    rates: Floats
    price: float


def cheapest_mix(
    prices: Sequence[float], capacity: Floats, rates: Sequence[float] | Floats, most: Sequence[int] | None = None
) -> Mix:
    """Return the cheapest nodes that serve every class.

    Args:
        prices: of a node of each kind, above 0.
        capacity: (kinds, classes), requests per second of a node that serves one class alone.
        rates: requests per second of each class.
        most: nodes that there are of each kind; None: no end.

    Raises:
        Infeasible: a class that no kind serves, or too few nodes; with the largest share of the rates that they serve.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    kinds, classes = capacity.shape
    limit = np.full(kinds, np.inf) if most is None else np.asarray(most, dtype=float)
    possible = (capacity > 0.0) & (limit > 0.0)[:, None]
    use = np.divide(1.0, capacity, out=np.zeros_like(capacity), where=possible)
    served = np.hstack([np.zeros((classes, kinds)), np.tile(np.eye(classes), kinds)])
    spread = np.kron(np.eye(kinds), np.ones((1, classes))) * use.ravel()
    load = np.hstack([-np.eye(kinds), spread])
    upper = np.concatenate([limit, np.where(possible, np.inf, 0.0).ravel()])
    found = milp(
        np.concatenate([np.asarray(prices, dtype=float), np.zeros(kinds * classes)]),
        constraints=[LinearConstraint(served, rates, rates), LinearConstraint(load, -np.inf, 0.0)],
        integrality=np.concatenate([np.ones(kinds), np.zeros(kinds * classes)]),
        bounds=Bounds(0.0, upper),
        options={"mip_rel_gap": _GAP},
    )
    if found.x is None:
        raise _infeasible(possible, load, served, limit, np.asarray(rates, dtype=float))
    nodes = np.rint(found.x[:kinds]).astype(int)
    return Mix(nodes=tuple(nodes.tolist()), rates=found.x[kinds:].reshape(kinds, classes),
               price=float(np.dot(nodes, prices)))  # fmt: skip


def _infeasible(
    possible: npt.NDArray[np.bool_], load: Floats, served: Floats, limit: Floats, rates: Floats
) -> Infeasible:
    """Return why nothing serves the rates, with the share of them that all nodes together could."""
    from scipy.optimize import linprog

    if not (lonely := possible.any(axis=0)).all():
        missing = ", ".join(str(number) for number in np.flatnonzero(~lonely))
        return Infeasible(f"no kind of machine serves the classes {missing}.", binding="machines",
                          relaxation="other machines, or longer limits")  # fmt: skip
    kinds = len(limit)
    goal = np.append(np.zeros(load.shape[1] - kinds), -1.0)
    bounds = [(0.0, None if one else 0.0) for one in possible.ravel()] + [(0.0, None)]
    loads = np.hstack([load[:, kinds:], np.zeros((kinds, 1))])
    served_less = np.hstack([served[:, kinds:], -rates[:, None]])
    found = linprog(goal, A_ub=loads, b_ub=limit, A_eq=served_less, b_eq=np.zeros(len(rates)), bounds=bounds)
    assert found.x is not None, "no rates at all are always served"
    share = float(found.x[-1])
    return Infeasible(f"all the nodes there are serve {share:.1%} of the rates.", binding="nodes",
                      account={"served": share, "wanted": 1.0},
                      relaxation=f"{1.0 / share:.3g} times the nodes, or {share:.3g} times the rates")  # fmt: skip
