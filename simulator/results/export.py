"""Traces for other tools: the JSON that Chrome's trace viewer and Perfetto read.

Format: the public description of the "Trace Event Format"; complete events (``ph: X``) with times in microseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from simulator.foundation.units import MICRO
from simulator.results.spans import Span, lanes_of

_DIGITS = 6  # of a microsecond: the engine counts picoseconds


def chrome_trace(spans: Sequence[Span], *, process: str = "rackcast") -> str:
    """Return spans as a trace: one process, one thread per lane, in the order in which lanes first appear.

    The same spans give the same bytes. Names and kinds are kept as ``name`` and ``cat``.
    """
    lanes = {lane: number for number, lane in enumerate(lanes_of(spans))}
    events = [*_names(process, lanes), *(_event(span, lanes) for span in spans)]
    return json.dumps({"displayTimeUnit": "ms", "traceEvents": events}, ensure_ascii=False, sort_keys=True) + "\n"


def _names(process: str, lanes: dict[str, int]) -> Iterable[dict[str, Any]]:
    yield {"ph": "M", "pid": 0, "name": "process_name", "args": {"name": process}}
    for lane, number in lanes.items():
        yield {"ph": "M", "pid": 0, "tid": number, "name": "thread_name", "args": {"name": lane}}
        yield {"ph": "M", "pid": 0, "tid": number, "name": "thread_sort_index", "args": {"sort_index": number}}


def _event(span: Span, lanes: dict[str, int]) -> dict[str, Any]:
    return {
        "ph": "X",
        "pid": 0,
        "tid": lanes[span.lane],
        "name": span.name,
        "cat": span.kind,
        "ts": round(span.start_s / MICRO, _DIGITS),
        "dur": round(span.length_s / MICRO, _DIGITS),
    }
