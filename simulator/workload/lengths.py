"""How long prompts and outputs are: registered laws of token counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.foundation.errors import InputError
from simulator.foundation.registry import Registry

Shorts = npt.NDArray[np.int32]


#: (n, mean, generator, **the law's own options) -> n token counts of that mean, not yet whole
LengthLaw = Callable[..., npt.NDArray[np.float64]]

length_laws: Final[Registry[LengthLaw]] = Registry("law of lengths")

_OPTIONS: Final[dict[str, dict[str, float]]] = {"lognormal": {"cv": 1.0}, "uniform": {"spread": 0.5}}


def lengths(
    name: str, n: int, *, mean: float, generator: np.random.Generator, maximum: int = 2**20, **options: float
) -> Shorts:
    """Return ``n`` whole token counts between 1 and ``maximum``.

    Raises:
        UnknownName: no such law.
        InputError: a mean below 1 or above the maximum, or an option the law does not have.
    """
    law = length_laws[name]
    if not 1 <= mean <= maximum:
        raise InputError(f"a mean of {mean:g} tokens is not between 1 and the maximum of {maximum}.")
    known = _OPTIONS.get(name, {})
    for option in options:
        if option not in known:
            raise InputError(f"the {name} law has no option {option!r}. Known: {', '.join(sorted(known)) or 'none'}.")
    return np.clip(np.rint(law(n, mean, generator, **(known | options))), 1, maximum).astype(np.int32)


@length_laws.register("fixed")
def fixed(n: int, mean: float, generator: np.random.Generator) -> npt.NDArray[np.float64]:
    """Every request alike."""
    return np.full(n, mean)


@length_laws.register("uniform")
def uniform(n: int, mean: float, generator: np.random.Generator, spread: float) -> npt.NDArray[np.float64]:
    """Evenly between ``(1 - spread)`` and ``(1 + spread)`` times the mean."""
    if not 0 <= spread <= 1:
        raise InputError(f"spread={spread:g} must be between 0 and 1.")
    return generator.uniform(mean * (1 - spread), mean * (1 + spread), n)


@length_laws.register("geometric")
def geometric(n: int, mean: float, generator: np.random.Generator) -> npt.NDArray[np.float64]:
    """As if a coin ended the text after every token."""
    return generator.geometric(1 / mean, n).astype(np.float64)


@length_laws.register("lognormal")
def lognormal(n: int, mean: float, generator: np.random.Generator, cv: float) -> npt.NDArray[np.float64]:
    """Log-normal of coefficient of variation ``cv``, the usual shape of chat lengths."""
    if cv <= 0:
        raise InputError(f"cv={cv:g} must be above 0.")
    variance = np.log1p(cv**2)
    return generator.lognormal(np.log(mean) - variance / 2, np.sqrt(variance), n)
