"""A result in sentences: what bounds the step, what would help, what fills the memory, and how sure this is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from simulator.foundation.units import GIGA, TERA, show
from simulator.results.lanes import lane_sentences
from simulator.results.step_parts import MEANINGS

if TYPE_CHECKING:
    from simulator.results.result import Result

#: resource -> how it is called in a sentence
_RESOURCES: Final = {
    "arithmetic": "faster arithmetic (peak FLOP/s)",
    "memory_bandwidth": "memory bandwidth",
    "scaleup": "scale-up bandwidth (inside a node or rack)",
    "scaleout": "scale-out bandwidth (between nodes)",
    "host": "a faster host (kernel launches)",
    "host_link": "bandwidth between device and host",
    "host_memory": "bandwidth of host memory",
    "drives": "bandwidth of the node's drives",
    "servers": "bandwidth of the parameter servers",
    "memory_capacity": "memory capacity (less recomputation, larger micro-batches)",
    "storage": "speed of the storage",
    "loaders": "processor cores of the loaders",
}
#: resource -> what it bounds a step by
_BOUNDS: Final = {
    "arithmetic": "arithmetic",
    "memory_bandwidth": "memory bandwidth",
    "scaleup": "links inside a node or rack",
    "scaleout": "links between nodes",
    "host": "the host",
    "host_link": "the way to the host",
    "host_memory": "memory of the host",
    "drives": "drives",
    "servers": "parameter servers",
    "storage": "storage",
    "loaders": "loaders",
}
_WORTH_TELLING: Final = 0.0005  # share of a step
HALF: Final = 0.5
#: what is left of a step's part when its resource is ten per cent larger, taken from all of it
_ALL: Final = 1.0 - 1.0 / 1.1
_WORTH_BLAMING: Final = 0.05  # share of a step that goes as a resource's speed


def explanation(result: Result) -> str:
    """Return a few sentences, one per line."""
    return "\n".join(_sentences(result))


def _sentences(result: Result) -> Iterator[str]:
    m, unit = result.metrics, result.unit
    yield (
        f"A step takes {show(result.step_time, 'time')}: {m['flop_per_s_per_device'] / TERA:.4g} TFLOP/s per device, "
        f"MFU {m['mfu']:.1%}, {m[f'{unit}_per_s']:,.0f} {unit}/s on {result.hardware.devices} devices."
    )
    yield from _where(result)
    if result.synchronization is not None:
        yield from result.synchronization.sentences()
    if result.feeding is not None:
        yield from result.feeding.sentences()
    if result.run is not None:
        yield from result.run.sentences()
    yield from _what_helps(result)
    yield from _memory(result)
    yield from _money(result)
    yield from _trust(result)


def _where(result: Result) -> Iterator[str]:
    ranked = sorted(result.parts.items(), key=lambda part: -part[1])
    first, seconds = ranked[0]
    share = seconds / result.step_time
    yield f"{'Most of it' if share > HALF else 'The largest part'}, {_percent(share)}, is {first}: {MEANINGS[first]}."
    others = [
        f"{name} {seconds / result.step_time:.1%} ({MEANINGS[name]})"
        for name, seconds in ranked[1:4]
        if seconds / result.step_time >= _WORTH_TELLING
    ]
    if others:
        yield f"Then {'; '.join(others)}."
    yield from lane_sentences(result.lanes, result.step_time)
    count = sum(one.count for one in result.classes if any(condition.amiss for condition in one.conditions))
    if count:
        yield f"{count} of {result.plan.dp} replicas are slowed by events; all others wait for them."


def _what_helps(result: Result) -> Iterator[str]:
    ranked = sorted(result.gains.items(), key=lambda gain: (-gain[1], gain[0]))
    bound = [
        f"{_BOUNDS[name]} {_percent(min(gain / _ALL, 1.0))}"
        for name, gain in ranked
        if name in _BOUNDS and gain / _ALL >= _WORTH_BLAMING
    ]
    if bound:
        yield f"What bounds it, by the share of the step that goes as its speed: {', '.join(bound)}."
    told = [f"{_resource(result, name)} {gain:.1%}" for name, gain in ranked if gain >= _WORTH_TELLING]
    idle = [_resource(result, name) for name, gain in ranked if gain < _WORTH_TELLING]
    if told:
        yield f"Ten per cent more of each would save, of the step: {'; '.join(told)}."
    if idle:
        yield f"More of {', '.join(idle)} would buy nothing."


def _resource(result: Result, name: str) -> str:
    if name in _RESOURCES:
        return _RESOURCES[name]
    number = int(name.removeprefix("kind "))
    return f"the speed of {result.hardware.kinds[number]} alone"


def _memory(result: Result) -> Iterator[str]:
    used, limit = result.metrics["memory_bytes"], result.metrics["memory_limit_bytes"]
    name, size = max(result.memory.items(), key=lambda part: part[1])
    yield (
        f"The fullest device holds {used / GIGA:.1f} of {limit / GIGA:.1f} GB ({used / limit:.0%}); "
        f"its largest part is {name}, {size / GIGA:.1f} GB."
    )


def _money(result: Result) -> Iterator[str]:
    m = result.metrics
    if "time_to_train_s" not in m:
        return
    text = f"The whole run of {m['steps']:,.0f} steps takes {show(m['time_to_train_s'], 'time')}"
    if "cost_usd" in m:
        text += f" and costs {m['cost_usd']:,.0f} USD"
    if "energy_j" in m:
        text += f" and at most {show(m['energy_j'], 'energy')}"
    saved = result.feeding is not None and result.feeding.saving is not None
    yield f"{text}, with its checkpoints, without failures." if saved else f"{text}, without failures and checkpoints."


def _percent(share: float) -> str:
    """Return a share in per cent; nearly all is not called all."""
    return f"{share:.1%}" if HALF / 100 < 1.0 - share < 2 * HALF / 100 else f"{share:.0%}"


def _trust(result: Result) -> Iterator[str]:
    weakest = [name for name, origin in result.sources.items() if origin == "assumed"]
    rests = f"assumed for want of measurements: {', '.join(weakest)}" if weakest else "calibrated on measurements"
    error = "no measured error is known for it"
    if result.band is not None:
        error = f"on {result.band.told}"
    yield f"The prediction is {rests}; {error}."
    for assumption in result.assumptions:
        yield f"Taken for granted: {assumption}"
