"""Several objectives at once: which of many answers none beats."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def front(values: ArrayLike) -> NDArray[np.int64]:
    """Return the rows that no other row beats, in the order of the first column, then the second, and so on.

    A row beats another if it is nowhere larger and somewhere smaller. Of equal rows the first stands for all.

    Args:
        values: (answers, objectives), the less the better; rows with a value that is not a number are left out.

    >>> front([[1, 5], [2, 2], [3, 3], [4, 1]]).tolist()
    [0, 1, 3]
    """
    table = np.atleast_2d(np.asarray(values, dtype=float))
    rows = np.flatnonzero(~np.isnan(table).any(axis=1))
    order = rows[np.lexsort((rows, *table[rows].T[::-1]))]
    kept: list[int] = []
    for row in order:  # whatever beats a row stands before it in this order
        if not kept or not (table[kept] <= table[row]).all(axis=1).any():
            kept.append(int(row))
    return np.array(kept, dtype=np.int64)
