"""Autoscalers: registered functions from what is seen to how many replicas are wanted.

HPA after Kubernetes' documentation: ``ceil(replicas * metric / target)``, unchanged within a tolerance, and scaled down
only to the largest wish of the last stabilisation window. KPA after Knative's: concurrency averaged over a stable and a
panic window over what one replica should hold; in panic it never scales down.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from simulator.foundation.errors import InputError
from simulator.foundation.registry import Registry
from simulator.foundation.units import HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What an autoscaler sees at one look."""

    now_s: float
    replicas: int  # ready or starting
    ready: int
    concurrency: float  # requests inside
    waiting: float
    utilisation: float  # share of the running slots of ready replicas that is taken
    attainment: float  # share of the requests since the last look that met their limits; 1 if none ended


@dataclass(slots=True)
class Memory:
    """What an autoscaler remembers between looks."""

    wishes: deque[tuple[float, int]] = field(default_factory=deque)
    loads: deque[tuple[float, float]] = field(default_factory=deque)
    panic_until: float = -1.0
    panic_peak: int = 0


Policy = Callable[[Seen, Memory, Mapping[str, float]], int]
autoscalers: Final[Registry[Policy]] = Registry("autoscaler")

#: autoscalers that look at how many requests met their limits, which costs a pass over all requests
BY_ATTAINMENT: Final = frozenset({"slo"})

#: options of each autoscaler and their defaults
OPTIONS: Final[dict[str, dict[str, float]]] = {
    "fixed": {},
    "hpa": {"target": 0.7, "tolerance": 0.1, "stabilisation_s": 300.0},
    "kpa": {"concurrency": 10.0, "utilisation": 0.7, "stable_s": 60.0, "panic_s": 6.0, "panic_threshold": 2.0},
    "queue": {"per_replica": 4.0, "stabilisation_s": 120.0},
    "slo": {"attainment": 0.95, "step": 0.25, "stabilisation_s": 300.0},
    "schedule": {},  # hour_0 .. hour_23: replicas from that hour on
}


def options_of(name: str, given: Mapping[str, float]) -> dict[str, float]:
    """Return an autoscaler's options with defaults filled in; raises :class:`InputError` for one it does not have."""
    _ = autoscalers[name]
    known = OPTIONS[name]
    for option in given:
        if option not in known and not (name == "schedule" and option.startswith("hour_")):
            raise InputError(f"autoscaler {name} has no option {option!r}. Known: {', '.join(known) or 'none'}.")
    return {**known, **given}


def hpa_wish(replicas: int, metric: float, target: float, tolerance: float = 0.1) -> int:
    """Return Kubernetes' wish: ``ceil(replicas * metric / target)``, unchanged within the tolerance.

    >>> hpa_wish(50, 90, 75)
    60
    """
    ratio = metric / target
    if abs(ratio - 1) <= tolerance:
        return replicas
    return math.ceil(round(replicas * ratio, 9))


def kpa_wish(concurrency: float, per_replica: float, utilisation: float = 0.7) -> int:
    """Return Knative's wish for a concurrency.

    >>> kpa_wish(100, 10)
    15
    """
    return math.ceil(round(concurrency / (per_replica * utilisation), 9))


def stabilised(wish: int, seen: Seen, memory: Memory, window_s: float) -> int:
    """Return the wish, but scale down only to the largest one of the window."""
    memory.wishes.append((seen.now_s, wish))
    while memory.wishes[0][0] < seen.now_s - window_s:
        memory.wishes.popleft()
    largest = max(each for _, each in memory.wishes)
    return wish if wish >= seen.replicas else min(seen.replicas, largest)


@autoscalers.register("fixed")
def fixed(seen: Seen, memory: Memory, options: Mapping[str, float]) -> int:
    """Leave it as it is."""
    return seen.replicas


@autoscalers.register("hpa")
def hpa(seen: Seen, memory: Memory, options: Mapping[str, float]) -> int:
    """Keep the utilisation of running slots near the target."""
    if seen.ready == 0:
        return max(seen.replicas, 1 if seen.concurrency else 0)
    wish = hpa_wish(seen.ready, seen.utilisation, options["target"], options["tolerance"])
    return stabilised(wish, seen, memory, options["stabilisation_s"])


def _average(memory: Memory, now: float, window: float) -> float:
    inside = [load for at, load in memory.loads if at > now - window]
    return sum(inside) / len(inside)


@autoscalers.register("kpa")
def kpa(seen: Seen, memory: Memory, options: Mapping[str, float]) -> int:
    """Keep the requests inside near what the replicas should hold, with a panic mode for sudden load."""
    memory.loads.append((seen.now_s, seen.concurrency))
    while memory.loads[0][0] <= seen.now_s - options["stable_s"]:
        memory.loads.popleft()
    stable = kpa_wish(_average(memory, seen.now_s, options["stable_s"]), options["concurrency"], options["utilisation"])
    panic = kpa_wish(_average(memory, seen.now_s, options["panic_s"]), options["concurrency"], options["utilisation"])
    if panic >= options["panic_threshold"] * max(seen.ready, 1):
        memory.panic_until = seen.now_s + options["stable_s"]
    if seen.now_s < memory.panic_until:
        memory.panic_peak = max(memory.panic_peak, panic, seen.replicas)
        return memory.panic_peak
    memory.panic_peak = 0
    return stable


@autoscalers.register("queue")
def queue(seen: Seen, memory: Memory, options: Mapping[str, float]) -> int:
    """Add a replica for so many waiting requests; drop one when nobody waits and the rest could take its load."""
    wish = seen.replicas + math.ceil(seen.waiting / options["per_replica"]) if seen.waiting else seen.replicas
    if not seen.waiting and seen.ready > 0 and seen.utilisation * seen.ready < 0.6 * (seen.ready - 1):
        wish = seen.replicas - 1
    if seen.concurrency == 0:
        wish = 0
    return stabilised(wish, seen, memory, options["stabilisation_s"])


@autoscalers.register("slo")
def slo(seen: Seen, memory: Memory, options: Mapping[str, float]) -> int:
    """Grow by a step while too few requests meet their limits; shrink by one while all do and there is slack."""
    wish = seen.replicas
    if seen.attainment < options["attainment"]:
        wish = seen.replicas + max(1, math.ceil(options["step"] * seen.replicas))
    elif seen.attainment >= 1.0 and seen.utilisation < 0.5:
        wish = seen.replicas - 1
    return stabilised(wish, seen, memory, options["stabilisation_s"])


@autoscalers.register("schedule")
def schedule(seen: Seen, memory: Memory, options: Mapping[str, float]) -> int:
    """Follow the clock: ``hour_9: 8`` means eight replicas from nine o'clock on."""
    hour = (seen.now_s / HOUR) % 24
    hours = sorted((int(name.removeprefix("hour_")), count) for name, count in options.items())
    if not hours:
        raise InputError("the schedule is empty; write hour_0: 2, hour_9: 8 and so on.")
    passed = [count for start, count in hours if start <= hour]
    return int(passed[-1] if passed else hours[-1][1])
