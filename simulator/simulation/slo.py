"""Limits of the scenario held against a result."""

from __future__ import annotations

from simulator.foundation.units import show
from simulator.results.result import Result
from simulator.scenario.wishes import Slo


def missed(result: Result, slo: Slo) -> tuple[str, ...]:
    """Return the limits that the result misses, one sentence each; those of figures it does not have are missed too."""
    m = result.metrics
    found = []
    for name, limit, key, unit in (
        ("step_time", slo.step_time_s, "step_time_s", "time"),
        ("finish", slo.finish_s, "time_to_train_s", "time"),
        ("cost", slo.cost_usd, "cost_usd", "money"),
    ):
        if limit is None:
            continue
        if key not in m:
            found.append(f"slo.{name}: {key} is not known; it needs 'tokens' in the workload and prices.")
        elif m[key] > limit:
            found.append(f"slo.{name}: {show(m[key], unit)}; the limit is {show(limit, unit)}.")
    if slo.mfu is not None and m["mfu"] < slo.mfu:
        found.append(f"slo.mfu: {m['mfu']:.3f}; the limit is {slo.mfu:.3f}.")
    return tuple(found)
