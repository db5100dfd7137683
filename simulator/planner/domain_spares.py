"""Spare nodes where whole domains fail: a switch or a rack takes its nodes together, and all of them need a spare.

While the run works, single nodes and domains fail; while more nodes are under repair than stand by, it waits and
nothing fails. With repairs that last as long in the mean but without memory this is a Markov chain of how many single
nodes and how many domains are under repair. For nodes that fail alone it is Erlang's formula, which holds for any law
of the repair; with domains the law matters a little: runs whose repairs all last equally long wait up to 8 % less.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def waiting_share_of_domains(most_spares: int, alone: float, together: float, size: int) -> npt.NDArray[np.float64]:
    """Return the share of time that a run waits for repairs, for 0 to ``most_spares`` nodes beside it.

    Args:
        alone: failures of single nodes per second of work times seconds of a repair.
        together: the same of whole domains.
        size: nodes of a domain, which are repaired together.
    """
    return np.array([_waiting(spares, alone, together, size) for spares in range(most_spares + 1)])


def _waiting(spares: int, alone: float, together: float, size: int) -> float:
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import spsolve

    nodes, domains = np.divmod(np.arange((spares + 2) * (spares // size + 2)), spares // size + 2)
    down = nodes + size * domains
    reached = (down <= spares) | ((nodes > 0) & (down - 1 <= spares)) | ((domains > 0) & (down - size <= spares))
    nodes, domains, down = nodes[reached], domains[reached], down[reached]
    place = np.full((spares + 3, spares // size + 3), -1)
    place[nodes, domains] = np.arange(len(down))
    works = down <= spares
    moves = (
        (works, place[nodes + 1, domains], np.full(len(down), alone)),
        (works, place[nodes, domains + 1], np.full(len(down), together)),
        (nodes > 0, place[nodes - 1, domains], nodes.astype(float)),
        (domains > 0, place[nodes, domains - 1], domains.astype(float)),
    )
    start = np.concatenate([np.flatnonzero(which) for which, _, _ in moves])
    end = np.concatenate([to[which] for which, to, _ in moves])
    rate = np.concatenate([speed[which] for which, _, speed in moves])
    count = len(down)  # what flows into each state is what flows out; the last of these equations says that all is 1
    row, column, value = np.concatenate([end, start]), np.concatenate([start, start]), np.concatenate([rate, -rate])
    kept = row < count - 1
    matrix = coo_array(
        (
            np.concatenate([value[kept], np.ones(count)]),
            (np.concatenate([row[kept], np.full(count, count - 1)]), np.concatenate([column[kept], np.arange(count)])),
        ),
        shape=(count, count),
    )
    share = spsolve(matrix.tocsc(), np.eye(1, count, count - 1)[0])
    return float(share[~works].sum())
