"""Traffic drawn from recorded clients: their rates and burstiness by window of time, and histograms of their lengths.

The format is ServeGen's (JSON lines, one client each): ``windows`` are [start in s, rate in 1/s, coefficient of
variation, ...], ``lengths`` map a time to histograms by field. Every client and window has its own random stream, so
that any part of a long day can be drawn alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simulator.foundation.errors import InputError, Place
from simulator.foundation.randomness import Streams
from simulator.workload.arrivals import gamma
from simulator.workload.request_stream import RequestStream
from simulator.workload.request_traces import trace_objects
from simulator.workload.requests import Requests

Floats = npt.NDArray[np.float64]

_PROMPT: Final = ("input_tokens", "text_tokens")
_IMAGES: Final = ("image_tokens",)
_OUTPUT: Final = ("output_tokens",)
_LONE_WINDOW_S: Final = 600.0  # of a client whose only window tells no length; ServeGen's
_LEAST_CV: Final = 0.05  # of gaps that are all but equal


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Token counts and the cumulative shares up to them."""

    tokens: Floats
    cumulative: Floats

    def draw(self, n: int, generator: np.random.Generator) -> Floats:
        """Return the tokens of ``n`` requests."""
        places = np.searchsorted(self.cumulative, generator.random(n), side="right")
        found: Floats = self.tokens[np.minimum(places, len(self.tokens) - 1)]
        return found

    @property
    def mean(self) -> float:
        """Mean tokens."""
        return float((self.tokens * np.diff(self.cumulative, prepend=0.0)).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What one client asks for from ``start_s`` on: gamma gaps of a rate (per s) and CV, lengths from histograms."""

    client: int
    start_s: float
    rate: float
    cv: float
    prompts: tuple[Histogram, ...]  # of each part of the prompt: their sum
    output: Histogram


def client_stream(path: Path, *, streams: Streams, seconds: float = math.inf, scale: float = 1.0) -> RequestStream:
    """Return the requests of a file of clients up to ``seconds``, at ``scale`` times its rate.

    Raises:
        InputError: the file cannot be read, a line is bad, or no client asks for anything in that time.
    """
    windows, step, clients = _read(path)
    windows = [window for window in windows if window.start_s < seconds]
    if not windows:
        raise InputError("the trace holds no request.", place=Place(file=str(path)))
    starts = sorted({window.start_s for window in windows})
    by_start: dict[float, list[Window]] = {start: [] for start in starts}
    for window in windows:
        by_start[window.start_s].append(window)
    weights = np.array([window.rate for window in windows])
    prompts = np.average([sum(part.mean for part in window.prompts) for window in windows], weights=weights)
    outputs = np.average([window.output.mean for window in windows], weights=weights)
    typical = (float(prompts), float(outputs))
    groups = tuple(f"client-{i}" for i in range(clients))

    def draw(i: int) -> Requests:
        drawn = [_drawn(window, step, scale, streams) for window in by_start[starts[i]]]
        arrival, prompt, output, group = (np.concatenate(columns) for columns in zip(*drawn, strict=True))
        kept = np.flatnonzero(arrival < seconds)
        order = kept[np.argsort(arrival[kept], kind="stable")]
        return Requests(
            arrival_s=arrival[order],
            prompt=prompt[order].astype(np.int32),
            output=output[order].astype(np.int32),
            group=group[order].astype(np.int32),
            groups=groups,
            expected=typical,
        )

    lasting = [min(step, seconds - window.start_s) for window in windows]
    return RequestStream(
        edges=np.array([*starts, starts[-1] + step]),
        expected=float(scale * (weights * np.array(lasting)).sum()),
        draw=draw,
    )


def _drawn(window: Window, step: float, scale: float, streams: Streams) -> tuple[Floats, Floats, Floats, Floats]:
    """Return arrivals, prompts, outputs and the client of each request of a window."""
    generator = streams[f"{window.client}/{window.start_s:g}"]
    times = window.start_s + gamma(window.rate * scale, step, generator, cv=window.cv)
    prompt = sum((part.draw(len(times), generator) for part in window.prompts), np.zeros(len(times)))
    output = window.output.draw(len(times), generator)
    return times, np.maximum(prompt, 1), np.maximum(output, 1), np.full(len(times), float(window.client))


def _read(path: Path) -> tuple[list[Window], float, int]:
    """Return the windows of all clients, the seconds that each lasts, and how many clients there are."""
    found: list[Window] = []
    starts: list[set[float]] = []
    for client, (line, value) in enumerate(trace_objects(path)):
        rows = value.get("windows")
        place = Place(file=str(path), line=line)
        if not isinstance(rows, list) or any(not isinstance(row, list) or len(row) < 3 for row in rows):
            raise InputError("windows must be a list of [start, rate, cv, ...].", place=place)
        starts.append({float(row[0]) for row in rows})
        histograms = _histograms(value, place)
        for row in rows:
            if row[1] > 0:
                start = float(row[0])
                prompts, output = histograms[min((abs(at - start), at) for at in histograms)[1]]
                found.append(Window(client=client, start_s=start, rate=float(row[1]), cv=max(float(row[2]), _LEAST_CV),
                                    prompts=prompts, output=output))  # fmt: skip
    step = min((b - a for own in starts for a, b in pairwise(sorted(own))), default=_LONE_WINDOW_S)
    everyones = sorted(set().union(*starts)) if starts else []
    if any(b - a < step for a, b in pairwise(everyones)):
        raise InputError(
            f"windows last {step:g} s, but those of some clients begin in the middle of those of others; "
            "give all clients the same instants.",
            place=Place(file=str(path)),
        )
    return found, step, len(starts)


def _histograms(value: Mapping[str, Any], place: Place) -> dict[float, tuple[tuple[Histogram, ...], Histogram]]:
    """Return a client's histograms by the time they were taken at."""
    lengths = value.get("lengths")
    if not isinstance(lengths, dict) or not lengths:
        raise InputError("lengths must map a time to histograms.", place=place)
    found = {}
    for time, fields in lengths.items():
        prompts = [_histogram(fields, _PROMPT, place)]
        if "image_tokens" in fields:
            prompts.append(_histogram(fields, _IMAGES, place))
        found[float(time)] = (tuple(prompts), _histogram(fields, _OUTPUT, place))
    return found


def _histogram(fields: Mapping[str, Any], names: tuple[str, ...], place: Place) -> Histogram:
    for name in names:
        if fields.get(name):
            weights = np.array(list(fields[name].values()), float)
            tokens = np.array([float(key) for key in fields[name]])
            return Histogram(tokens=tokens, cumulative=np.cumsum(weights) / weights.sum())
    raise InputError(f"no histogram of {' or '.join(names)}.", place=place)
