"""How much of a matrix product's arithmetic is useful: edges of tiles and the last wave over the units are padding."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: rows and columns of a tile, and the share of the largest tile's speed (smaller tiles read their operands more often)
_TILES: Final = ((256, 128, 1.0), (128, 128, 0.96), (128, 64, 0.82), (64, 64, 0.66), (32, 64, 0.45), (16, 64, 0.3))
#: least length of a slice when the reduction is split over idle units
_SLICE: Final = 256.0


def useful_share(m: Floats, n: Floats, k: float, batch: Floats, units: int | None) -> Floats:
    """Return the useful share of ``batch`` products of m x k by k x n on so many units, best over the tiles.

    Where tiles are fewer than units, libraries split the reduction over the idle ones.
    """
    best = np.zeros(np.broadcast(m, n, batch).shape)
    for rows, columns, speed in _TILES:
        tiles = np.ceil(m / rows) * np.ceil(n / columns) * batch
        if units is not None:
            splits = np.clip(np.floor(units / np.maximum(tiles, 1.0)), 1.0, max(1.0, k / _SLICE))
            slots = np.ceil(tiles * splits / units) * units / splits
        else:
            slots = tiles
        best = np.maximum(best, speed * (m * n * batch) / (slots * rows * columns))
    return best
