"""Simulated time is an integer number of picoseconds; this is the only conversion.

With integers a run advanced in one leap and the same run advanced step by step end at the same instant, bit for bit.
"""

from __future__ import annotations

import math
from typing import Final

from simulator.foundation.errors import InputError

TICKS_PER_SECOND: Final = 10**12
MAX_TICKS: Final = 2**63 - 1  # about 106 days; longer runs go by epochs


def to_ticks(seconds: float) -> int:
    """Return the nearest tick; raises :class:`InputError` where the result would not fit 63 bits."""
    if not math.isfinite(seconds) or abs(seconds) * TICKS_PER_SECOND > MAX_TICKS:
        raise InputError(f"{seconds:g} s does not fit the simulated clock of 106 days; split the run into epochs.")
    return round(seconds * TICKS_PER_SECOND)


def to_seconds(ticks: int) -> float:
    """Return seconds as a float."""
    return ticks / TICKS_PER_SECOND
