"""Which machines, of several kinds together, serve several classes of requests at least cost: an integer programme.

A node of kind m serves ``capacity[m, k]`` requests of class k per second if it serves nothing else, and a share of each
if it serves several. Find whole nodes n and rates x >= 0 that minimise price . n with

    sum over m of x[m, k] = rate[k]        every class is served
    sum over k of x[m, k] / capacity[m, k] <= n[m] <= most[m]

solved exactly. A capacity of 0 says that the kind cannot serve the class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.foundation.errors import Infeasible
from simulator.planner.integer_programme import Programme

Floats = npt.NDArray[np.float64]


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
    limit = np.full(len(prices), np.inf) if most is None else np.asarray(most, dtype=float)
    possible = (capacity > 0.0) & (limit > 0.0)[:, None]
    use = np.divide(1.0, capacity, out=np.zeros_like(capacity), where=possible)
    problem = Programme()
    nodes = [problem.variable(float(number)) for number in limit]
    served = _served(problem, possible)
    for number, rate in enumerate(rates):
        problem.keep(dict.fromkeys(served[:, number].tolist(), 1.0), least=rate, most=rate)
    for number, node in enumerate(nodes):
        problem.keep({node: -1.0, **_loads(served, use, number)}, most=0.0)
    found = problem.minimise([dict(zip(nodes, prices, strict=True))])
    if found is None:
        raise _infeasible(possible, use, limit, rates)
    taken = [found.whole(node) for node in nodes]
    return Mix(nodes=tuple(taken), rates=found.values[served], price=float(np.dot(taken, prices)))


def _served(problem: Programme, possible: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Add the rates at which each kind serves each class, none where it cannot; return their numbers."""
    most = np.where(possible, np.inf, 0.0)
    return np.array([[problem.variable(float(one), whole=False) for one in row] for row in most], dtype=np.int64)


def _loads(served: npt.NDArray[np.int64], use: Floats, kind: int) -> dict[int, float]:
    """Return the nodes of a kind that the rates take, as weights."""
    return {v: float(each) for v, each in zip(served[kind].tolist(), use[kind], strict=True) if each > 0.0}


def _infeasible(
    possible: npt.NDArray[np.bool_], use: Floats, limit: Floats, rates: Sequence[float] | Floats
) -> Infeasible:
    """Return why nothing serves the rates, with the share of them that all nodes together could."""
    if not (lonely := possible.any(axis=0)).all():
        missing = ", ".join(str(number) for number in np.flatnonzero(~lonely))
        return Infeasible(f"no kind of machine serves the classes {missing}.", binding="machines",
                          relaxation="other machines, or longer limits")  # fmt: skip
    problem = Programme()
    served, share = _served(problem, possible), problem.variable(whole=False)
    for number, rate in enumerate(rates):
        problem.keep({**dict.fromkeys(served[:, number].tolist(), 1.0), share: -rate}, least=0.0, most=0.0)
    for number, most in enumerate(limit):
        problem.keep(_loads(served, use, number), most=float(most))
    found = problem.minimise([{share: -1.0}])
    assert found is not None, "no rates at all are always served"
    part = float(found.values[share])
    return Infeasible(f"all the nodes there are serve {part:.1%} of the rates.", binding="nodes",
                      account={"served": part, "wanted": 1.0},
                      relaxation=f"{1.0 / part:.3g} times the nodes, or {part:.3g} times the rates")  # fmt: skip
