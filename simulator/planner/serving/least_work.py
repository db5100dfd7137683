"""Least machine time that a service's traffic can take: a bound below which no deployment keeps the limits.

Let a share ``a`` of N requests have to keep the limits; G = ceil(a N) do. Each of them is done by its deadline (arrival
plus TTFT and TPOT limits, or the latency limit). Whatever the scheduler does, an iteration of m tokens takes at least
f(m), the convex minorant of the engine's table of step times, plus what attention takes per (query, key) pair and per
cached token. With T tokens in K iterations that is at least K f(T / K) (Jensen), and K is at least

- D / S, with D decoded tokens and S sequences in an iteration;
- C / M, with C the cached tokens that decoding reads in all and M those that the cache holds;
- D / b, with b the most tokens in a step within the TPOT limit: the mean step, weighted by its tokens, keeps it.

Sums are taken over the G requests with the least of each, so the bound holds whichever requests are given up. Left out,
and so only ever more: the host, prompts' fixed time, preemption, queueing, uneven replicas.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.engine.serving.fleet.engine_class import EngineClass
from simulator.scenario.serve import ServeWorkload
from simulator.workload.requests import Requests

Floats = npt.NDArray[np.float64]

#: shares of the requests, in order of their deadlines, whose work is held against the time until the last of those
_WINDOWS: Final = (0.25, 0.5, 0.75, 0.9, 0.97, 1.0)
#: keeps rounding of the bound on the safe side
_SAFE: Final = 1.0 - 1e-9
#: tokens of a step that no engine reaches, to carry the last slope of its table on
_BEYOND: Final = 2**40


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The least that must be done within ``seconds``."""

    seconds: float
    tokens: float
    decoded: float
    pairs: float
    contexts: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What traffic asks for at least; ``prompt`` and ``decoded`` by request (tokens), ``good`` requests must keep."""

    windows: tuple[Window, ...]
    prompt: Floats
    decoded: Floats
    good: int


def demand_of(requests: Requests, workload: ServeWorkload) -> Demand:
    """Return the least demand of requests under the workload's limits.

    Where requests have no deadline, or the front or a cache may answer without any work, no window is known.
    """
    prompt, decoded = requests.prompt.astype(float), requests.output.astype(float) - 1.0
    if workload.engine.prefix_cache and requests.chains is not None:
        prompt = np.zeros_like(prompt)
    count = len(requests)
    good = math.ceil(workload.attainment * count - 1e-9)
    context = requests.prompt * decoded if len(prompt) else prompt
    context = context + decoded * (decoded - 1.0) / 2.0
    limit = _allowed(workload, decoded)
    idle = bool(workload.front.cache_entries or workload.front.intercept) or requests.successor is not None
    windows = [] if idle or not np.isfinite(limit).all() or not count else [
        _window(share, requests.arrival_s, requests.arrival_s + limit, prompt, decoded, context, count - good)
        for share in _WINDOWS
    ]  # fmt: skip
    return Demand(windows=tuple(windows), prompt=prompt, decoded=decoded, good=0 if idle else good)


def _allowed(workload: ServeWorkload, decoded: Floats) -> Floats:
    """Return seconds from a request's arrival to the last instant at which it may end; infinity if there is none."""
    limits = workload.limits
    whole = np.full_like(decoded, math.inf if limits.latency_s is None else limits.latency_s)
    if limits.ttft_s is None or limits.tpot_s is None:
        return whole
    return np.minimum(whole, limits.ttft_s + limits.tpot_s * decoded)


def _window(
    share: float, arrival: Floats, end: Floats, prompt: Floats, decoded: Floats, context: Floats, lost: int
) -> Window:
    """Return the least of those requests whose deadlines come first, when ``lost`` requests are given up."""
    first = np.argsort(end, kind="stable")[: max(1, math.ceil(share * len(end)))]
    kept = max(0, len(first) - lost)

    def least(values: Floats) -> float:
        return float(np.sort(values[first])[:kept].sum())

    return Window(seconds=float(end[first].max() - arrival.min()), tokens=least(prompt + decoded),
                  decoded=least(decoded), pairs=least(prompt * prompt / 2.0), contexts=least(context))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Convex minorant of an engine's step times: ``seconds`` at ``tokens``, linear between, never falling."""

    tokens: Floats
    seconds: Floats

    def at(self, tokens: float) -> float:
        """Return the least seconds of a step of so many tokens."""
        return float(np.interp(tokens, self.tokens, self.seconds))

    def per_token(self, most: float) -> float:
        """Return the least mean seconds per token of steps that hold at most ``most`` tokens in the mean."""
        best = int(np.argmin(self.seconds[1:] / self.tokens[1:])) + 1
        mean = min(max(most, 1.0), float(self.tokens[best]))
        return self.at(mean) / mean

    def within(self, seconds: float) -> float:
        """Return the most tokens of a step that may take ``seconds``; 0 if not even one token may."""
        if self.at(1.0) > seconds:
            return 0.0
        return float(np.interp(seconds, self.seconds, self.tokens)) if self.seconds[-1] > seconds else math.inf


def steps_of(engine: EngineClass) -> Steps:
    """Return the minorant of an engine's table, carried on with its last slope."""
    dense = np.asarray(engine.times.dense)
    lower = np.minimum.accumulate(dense[::-1])[::-1]
    slope = max(dense[-1] - dense[-2], 0.0) if len(dense) > 1 else 0.0
    bends = np.abs(np.diff(lower, 2)) > 1e-12 * lower[-1]
    places = np.concatenate([[0], np.flatnonzero(bends) + 1, [len(lower) - 1]])
    tokens = np.append(places, _BEYOND).astype(float)
    seconds = np.append(lower[places], lower[-1] + slope * (_BEYOND - len(lower) + 1))
    return _hull(tokens, seconds)


def _hull(tokens: Floats, seconds: Floats) -> Steps:
    """Return the lower convex hull of points in order (Andrew's monotone chain)."""
    kept: list[tuple[float, float]] = []
    for point in zip(tokens.tolist(), seconds.tolist(), strict=True):
        while len(kept) > 1 and _above(kept[-2], kept[-1], point):
            _ = kept.pop()
        kept.append(point)
    return Steps(tokens=np.array([x for x, _ in kept]), seconds=np.array([y for _, y in kept]) * _SAFE)


def _above(first: tuple[float, float], middle: tuple[float, float], last: tuple[float, float]) -> bool:
    rise = (middle[1] - first[1]) * (last[0] - first[0])
    return rise >= (last[1] - first[1]) * (middle[0] - first[0])


def least_replicas(engine: EngineClass, demand: Demand, *, tpot_s: float | None) -> float:
    """Return the least replicas (a real number) that can do the demand; infinity where no number can."""
    steps, times = steps_of(engine), engine.times
    fits = math.inf if tpot_s is None else steps.within(tpot_s)
    least = 0.0
    for window in demand.windows:
        if window.tokens <= 0.0:
            continue
        if fits == 0.0 and window.decoded > 0.0:
            return math.inf
        iterations = max(window.decoded / min(engine.max_num_seqs, fits), window.contexts / engine.cache_tokens)
        most = window.tokens / iterations if iterations else math.inf
        busy = window.tokens * steps.per_token(min(most, float(_BEYOND)))
        busy += times.per_context * window.contexts + times.per_pair * window.pairs
        least = max(least, busy * _SAFE / window.seconds)
    return least


def impossible(engine: EngineClass, demand: Demand, workload: ServeWorkload) -> tuple[int, int]:
    """Return how many requests miss the TTFT and how many the TPOT even on a replica of their own."""
    steps, times, limits = steps_of(engine), engine.times, workload.limits
    work = np.maximum(steps.at(1.0), demand.prompt * steps.per_token(float(_BEYOND)))
    ttft = workload.traits.frontend_s + work + times.per_pair * demand.prompt**2 / 2.0
    tpot = np.where(demand.decoded > 0, steps.at(1.0) + times.per_context * demand.prompt, 0.0)
    late = 0 if limits.ttft_s is None else int((ttft * _SAFE > limits.ttft_s).sum())
    slow = 0 if limits.tpot_s is None else int((tpot * _SAFE > limits.tpot_s).sum())
    return late, slow
