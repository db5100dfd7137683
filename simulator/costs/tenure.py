"""Owning, reserving or renting by the hour, in closed form: what a machine costs, and where two ways break even.

What is committed to costs the same whether it works or not; what is rented by the hour costs only while it works. So of
two ways the committed one is cheaper from a certain share of busy hours on. All formulas take numbers or arrays.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def owned_usd_per_s(purchase: Any, lifetime: Any, hosting: Any = 0.0) -> Floats:
    """Return what an owned machine costs per second, idle or not: straight-line depreciation and hosting.

    Args:
        purchase: USD.
        lifetime: seconds after which it is worth nothing.
        hosting: USD/s for space, network and staff.

    >>> round(float(owned_usd_per_s(350_400.0, 4 * 365 * 86400.0)) * 3600, 6)
    10.0
    """
    return np.asarray(np.asarray(purchase, dtype=float) / lifetime + hosting)


def committed_usd(rate: float, term: float, horizon: float) -> float:
    """Return what a reservation costs over a horizon: whole terms are paid, used up or not.

    >>> committed_usd(1.0, 365.0, 400.0)
    730.0
    """
    return rate * term * math.ceil(horizon / term * (1.0 - 1e-12))


def break_even(committed: Any, hourly: Any, running: Any = 0.0) -> Floats:
    """Return the share of busy hours from which on the committed way is cheaper; above 1: never.

    Args:
        committed: USD/s of the committed way, busy or not.
        hourly: USD/s of the other way, while busy only.
        running: USD/s of the committed way on top, while busy only, such as electricity.

    >>> float(break_even(6.0, 10.0))
    0.6
    """
    saved = np.asarray(hourly, dtype=float) - running
    with np.errstate(divide="ignore"):
        return np.asarray(np.where(saved > 0.0, np.asarray(committed, dtype=float) / np.maximum(saved, 0.0), np.inf))
