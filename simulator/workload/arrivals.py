"""When requests arrive: registered processes, each a function of a mean rate, a horizon and a generator.

Every process is drawn at unit rate and then scaled in time where its law allows, so that the same seed at two rates
gives the same pattern, faster: comparisons between rates use common random numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.foundation.errors import InputError
from simulator.foundation.registry import Registry
from simulator.foundation.units import DAY

Floats = npt.NDArray[np.float64]


#: (rate, seconds, generator, **the law's own options) -> instants in [0, seconds), in order, at that mean rate
ArrivalProcess = Callable[..., Floats]

arrival_processes: Final[Registry[ArrivalProcess]] = Registry("arrival process")


#: requests of one run at the most: about 300 B each, all told
MOST_REQUESTS: Final = 80_000_000


def refuse_too_many(expected: float) -> None:
    """Raise :class:`InputError` where more requests are to be drawn than a machine can hold."""
    if expected > MOST_REQUESTS:
        raise InputError(
            f"about {expected:.3g} requests would be drawn; one run holds at most {MOST_REQUESTS:.3g} at once. "
            "Lower the rate or speed, or shorten the traffic; a service with a trace is served in windows (run.window)."
        )


def arrivals(name: str, *, rate: float, seconds: float, generator: np.random.Generator, **options: float) -> Floats:
    """Return the arrivals of a registered process.

    Raises:
        UnknownName: no such process.
        InputError: a rate or horizon that is not above 0, an option the process does not have, or one out of range.
    """
    process = arrival_processes[name]
    if not (rate > 0 and seconds > 0 and np.isfinite(rate * seconds)):
        raise InputError(f"a rate of {rate:g} /s over {seconds:g} s is no workload; both must be above 0.")
    refuse_too_many(rate * seconds)
    known = _OPTIONS.get(name, {})
    for option in options:
        if option not in known:
            raise InputError(
                f"the {name} process has no option {option!r}. Known: {', '.join(sorted(known)) or 'none'}."
            )
    return process(rate, seconds, generator, **(known | options))


#: options of each process and their defaults
_OPTIONS: Final[dict[str, dict[str, float]]] = {
    "gamma": {"cv": 2.0},
    "mmpp": {"burst": 5.0, "share": 0.1, "dwell_s": 30.0},
    "diurnal": {"amplitude": 0.8, "period_s": DAY, "peak_s": DAY / 2},
    "surge": {"factor": 5.0, "start_s": 0.0, "length_s": 60.0},
}


def _renewal(rate: float, seconds: float, gaps: Callable[[int], Floats]) -> Floats:
    """Return the arrivals of independent gaps of unit mean, until the horizon."""
    expected = rate * seconds
    block = int(expected + 6 * np.sqrt(expected) + 16)
    pieces, reached = [], 0.0
    while reached < expected:
        times = reached + np.cumsum(gaps(block))
        pieces.append(times)
        reached = float(times[-1])
    unit = np.concatenate(pieces)
    found: Floats = unit[unit < expected] / rate
    return found


@arrival_processes.register("poisson")
def poisson(rate: float, seconds: float, generator: np.random.Generator) -> Floats:
    """Independent exponential gaps."""
    return _renewal(rate, seconds, generator.standard_exponential)


@arrival_processes.register("deterministic")
def deterministic(rate: float, seconds: float, generator: np.random.Generator) -> Floats:
    """Equal gaps, the first arrival after one of them."""
    return _renewal(rate, seconds, np.ones)


@arrival_processes.register("gamma")
def gamma(rate: float, seconds: float, generator: np.random.Generator, cv: float) -> Floats:
    """Independent gamma gaps of coefficient of variation ``cv``: below 1 smoother than Poisson, above 1 in clumps."""
    if cv <= 0:
        raise InputError(f"cv={cv:g} must be above 0; 1 is Poisson.")
    shape = cv**-2
    return _renewal(rate, seconds, lambda n: generator.standard_gamma(shape, n) / shape)


def _thinned(
    rate_at: Callable[[Floats], Floats], peak: float, seconds: float, generator: np.random.Generator
) -> Floats:
    """Return a Poisson process of varying rate, by thinning one of the peak rate (Lewis and Shedler 1979)."""
    times = poisson(peak, seconds, generator)
    return times[generator.random(len(times)) * peak < rate_at(times)]


@arrival_processes.register("mmpp")
def mmpp(
    rate: float, seconds: float, generator: np.random.Generator, burst: float, share: float, dwell_s: float
) -> Floats:
    """A Markov-modulated Poisson process of two states.

    In a burst the rate is ``burst`` times that of a calm; bursts last ``dwell_s`` on average and fill ``share`` of the
    time; the mean over both is ``rate``.
    """
    if not (burst >= 1 and 0 < share < 1 and dwell_s > 0):
        raise InputError(f"mmpp needs burst >= 1, 0 < share < 1, dwell_s > 0; found {burst:g}, {share:g}, {dwell_s:g}.")
    calm = rate / (1 - share + share * burst)
    means = (dwell_s * (1 - share) / share, dwell_s)
    edges, bursting, at = [0.0], bool(generator.random() < share), 0.0
    first = int(bursting)
    while at < seconds:
        at += float(generator.exponential(means[int(bursting)]))
        edges.append(at)
        bursting = not bursting
    starts = np.array(edges)

    def rate_at(times: Floats) -> Floats:
        state = (np.searchsorted(starts, times, side="right") - 1 + first) % 2
        return np.where(state == 1, calm * burst, calm)

    return _thinned(rate_at, calm * burst, seconds, generator)


@arrival_processes.register("diurnal")
def diurnal(
    rate: float, seconds: float, generator: np.random.Generator, amplitude: float, period_s: float, peak_s: float
) -> Floats:
    """A Poisson process whose rate swings by ``amplitude`` (0 to 1) around its mean, with its peak at ``peak_s``."""
    if not (0 <= amplitude <= 1 and period_s > 0):
        raise InputError(f"diurnal needs amplitude in [0, 1] and period_s above 0; found {amplitude:g}, {period_s:g}.")

    def rate_at(times: Floats) -> Floats:
        swing: Floats = rate * (1 + amplitude * np.cos(2 * np.pi * (times - peak_s) / period_s))
        return swing

    return _thinned(rate_at, rate * (1 + amplitude), seconds, generator)


@arrival_processes.register("surge")
def surge(
    rate: float, seconds: float, generator: np.random.Generator, factor: float, start_s: float, length_s: float
) -> Floats:
    """A Poisson process of ``rate``, ``factor`` times as fast from ``start_s`` on for ``length_s``."""
    if factor <= 0 or length_s <= 0:
        raise InputError(f"surge needs factor and length_s above 0; found {factor:g}, {length_s:g}.")

    def rate_at(times: Floats) -> Floats:
        inside = (times >= start_s) & (times < start_s + length_s)
        return np.where(inside, rate * factor, rate)

    return _thinned(rate_at, rate * max(1.0, factor), seconds, generator)
