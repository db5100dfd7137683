"""Results as tidy frames: one row per entity, the unit in the column's name; and as a card for notebooks."""

from __future__ import annotations

from dataclasses import fields
from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from simulator.foundation.units import GIGA, TERA, show
from simulator.results.lanes import Lane
from simulator.results.step_parts import MEANINGS

if TYPE_CHECKING:
    from simulator.results.result import Result


def metrics_frame(result: Result) -> pd.DataFrame:
    """Return one row per figure: metric, value, meaning."""
    rows = [(name, value, result.definitions[name]) for name, value in result.metrics.items()]
    return pd.DataFrame(rows, columns=["metric", "value", "meaning"])


def parts_frame(result: Result) -> pd.DataFrame:
    """Return one row per part of the step: part, time_s, share, meaning."""
    rows = [(name, seconds, seconds / result.step_time, MEANINGS[name]) for name, seconds in result.parts.items()]
    return pd.DataFrame(rows, columns=["part", "time_s", "share", "meaning"])


def memory_frame(result: Result) -> pd.DataFrame:
    """Return one row per part of a device's memory: part, memory_bytes, share_of_limit."""
    rows = [(name, size, size / result.memory_limit) for name, size in result.memory.items()]
    return pd.DataFrame(rows, columns=["part", "memory_bytes", "share_of_limit"])


def ledger_frame(result: Result) -> pd.DataFrame:
    """Return one row per cause of the whole run's time: cause, time_s, share, cost_usd, meaning; empty without one."""
    rows = result.run.rows() if result.run is not None else []
    return pd.DataFrame(rows, columns=["cause", "time_s", "share", "cost_usd", "meaning"])


def stages_frame(result: Result) -> pd.DataFrame:
    """Return one row per stage of the run: stage, end_s, lost_per_failure_s; empty without stages."""
    stages = result.run.stages if result.run is not None else ()
    rows = [(stage.name, stage.end_s, stage.lost_per_failure_s) for stage in stages]
    return pd.DataFrame(rows, columns=["stage", "end_s", "lost_per_failure_s"])


def lanes_frame(result: Result) -> pd.DataFrame:
    """Return one row per stage of each class of replicas: what it stands on, does and holds."""
    columns = [column.name for column in fields(Lane)]
    return pd.DataFrame([[getattr(lane, name) for name in columns] for lane in result.lanes], columns=columns)


def spans_frame(result: Result) -> pd.DataFrame:
    """Return one row per piece of work that was played: lane, name, kind, start_s, end_s; empty for an estimate."""
    from simulator.results.pictures import spans_of

    rows = [(span.lane, span.name, span.kind, span.start_s, span.end_s) for span in spans_of(result)]
    return pd.DataFrame(rows, columns=["lane", "name", "kind", "start_s", "end_s"])


def html_card(result: Result) -> str:
    """Return the few figures that matter as an HTML table."""
    m, unit = result.metrics, result.unit
    plan = result.plan
    rows = {
        "step time": show(result.step_time, "time"),
        "TFLOP/s per device": f"{m['flop_per_s_per_device'] / TERA:.4g}",
        "MFU": f"{m['mfu']:.1%}",
        f"{unit}/s": f"{m[f'{unit}_per_s']:,.0f}",
        "memory of a device": f"{m['memory_bytes'] / GIGA:.1f} of {m['memory_limit_bytes'] / GIGA:.1f} GB",
        "layout": f"tp {plan.tp}, cp {plan.cp}, dp {plan.dp}, pp {plan.pp}, micro-batch {plan.micro_batch}",
        "rests on": result.label,
    }
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows.items())
    title = f"{result.job.model.name} on {result.hardware.named}"
    return f"<table><caption>{escape(title)}</caption>{cells}</table>"
