"""Readers of recorded arrivals: streamed row by row, plain or gzip-compressed, with clear errors on bad rows.

* ``csv``: any CSV with a column map (arrival in seconds, prompt and output tokens);
* ``azure``: the CSV of Azure's public LLM traces (TIMESTAMP, ContextTokens, GeneratedTokens);
* ``mooncake``: JSON lines with timestamp (ms), input_length, output_length, hash_ids (prefix blocks of 512 tokens).

Clients of which only rates and lengths are known are drawn instead: :mod:`~simulator.workload.client_traces`.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from simulator.foundation.errors import InputError, Place
from simulator.foundation.registry import Registry
from simulator.foundation.units import MILLI
from simulator.workload.requests import Chains, Requests

TraceReader = Callable[..., Requests]
trace_readers: Final[Registry[TraceReader]] = Registry("trace format")

_MOONCAKE_BLOCK: Final = 512


@contextmanager
def _text(path: Path) -> Iterator[io.TextIOBase]:
    """Open a file, compressed or not; raises :class:`InputError` if it cannot be read."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rt", encoding="utf-8") if packed else path.open(encoding="utf-8") as stream:
            yield stream
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read as text: {error}.", place=Place(file=str(path))) from None


class _Columns:
    """Rows as they come, checked one by one; kept in 16 bytes each."""

    def __init__(self, path: Path, limit: int | None) -> None:
        self.path, self.limit = path, limit
        self.arrival, self.prompt, self.output = array("d"), array("i"), array("i")

    @property
    def full(self) -> bool:
        return self.limit is not None and len(self.arrival) >= self.limit

    def add(self, line: int, arrival: float, prompt: float, output: float) -> None:
        """Check one row and keep it."""
        place = Place(file=str(self.path), line=line)
        if not math.isfinite(arrival):
            raise InputError(f"arrival {arrival} is not finite.", place=place)
        if self.arrival and arrival < self.arrival[-1]:
            raise InputError(
                f"arrival {arrival:g} s is before the one of the row above ({self.arrival[-1]:g} s); sort by time.",
                place=place,
            )
        for name, value in (("prompt", prompt), ("output", output)):
            if value != int(value) or not 0 <= value < 2**31:
                raise InputError(f"{name} of {value:g} tokens; write a whole number of at least 0.", place=place)
        self.arrival.append(arrival)
        self.prompt.append(max(1, int(prompt)))
        self.output.append(max(1, int(output)))

    def requests(self, chains: Chains | None = None) -> Requests:
        """Return the rows as requests, the first at time zero."""
        if not self.arrival:
            raise InputError("the trace holds no request.", place=Place(file=str(self.path)))
        arrival = np.frombuffer(self.arrival, np.float64)
        return Requests(
            arrival_s=arrival - arrival[0],
            prompt=np.frombuffer(self.prompt, np.int32),
            output=np.frombuffer(self.output, np.int32),
            chains=chains,
        )


def read_trace(kind: str, path: str | Path, **options: Any) -> Requests:
    """Return the requests of a trace file; see the module for the formats.

    Raises:
        UnknownName: no such format.
        InputError: the file cannot be read, or a row is bad: with file and line.
    """
    return trace_readers[kind](Path(path), **options)


def _rows(path: Path, columns: Mapping[str, str]) -> Iterator[tuple[int, dict[str, str]]]:
    with _text(path) as stream:
        reader = csv.DictReader(stream)
        present = reader.fieldnames or []
        for wanted in columns.values():
            if wanted not in present:
                raise InputError(
                    f"no column {wanted!r}. Found: {', '.join(present) or 'nothing'}. Give a column map.",
                    place=Place(file=str(path), line=1),
                )
        for row in reader:
            yield reader.line_num, row


def _number(row: Mapping[str, str], column: str, path: Path, line: int) -> float:
    try:
        return float(row[column])
    except (TypeError, ValueError):
        raise InputError(f"{row[column]!r} is no number.", place=Place(file=str(path), line=line, key=column)) from None


@trace_readers.register("csv")
def read_csv(
    path: Path, *, columns: Mapping[str, str] | None = None, time_unit: float = 1.0, limit: int | None = None
) -> Requests:
    """Read a CSV; ``columns`` maps arrival_s, prompt and output to its headings, ``time_unit`` is in seconds."""
    names = {"arrival_s": "arrival_s", "prompt": "input_tokens", "output": "output_tokens"} | dict(columns or {})
    kept = _Columns(path, limit)
    for line, row in _rows(path, names):
        if kept.full:
            break
        arrival = _number(row, names["arrival_s"], path, line) * time_unit
        kept.add(line, arrival, _number(row, names["prompt"], path, line), _number(row, names["output"], path, line))
    return kept.requests()


@trace_readers.register("azure")
def read_azure(path: Path, *, limit: int | None = None) -> Requests:
    """Read Azure's CSV, whose clock is a wall clock with seven decimals."""
    names = {"arrival_s": "TIMESTAMP", "prompt": "ContextTokens", "output": "GeneratedTokens"}
    kept = _Columns(path, limit)
    origin: datetime | None = None
    for line, row in _rows(path, names):
        if kept.full:
            break
        whole, _, decimals = row["TIMESTAMP"].partition(".")
        try:
            moment = datetime.strptime(whole, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - only differences are used
            fraction = float(f"0.{decimals}") if decimals else 0.0
        except ValueError:
            raise InputError(
                f"{row['TIMESTAMP']!r} is no date and time.", place=Place(file=str(path), line=line, key="TIMESTAMP")
            ) from None
        origin = origin or moment
        arrival = (moment - origin).total_seconds() + fraction
        kept.add(line, arrival, _number(row, names["prompt"], path, line), _number(row, names["output"], path, line))
    return kept.requests()


def trace_objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line numbers and JSON objects of a file; raises :class:`InputError` for a line that is none."""
    with _text(path) as stream:
        for line, text in enumerate(stream, start=1):
            if not text.strip():
                continue
            try:
                value = json.loads(text)
            except ValueError:
                raise InputError("this line is no JSON object.", place=Place(file=str(path), line=line)) from None
            if not isinstance(value, dict):
                raise InputError("this line is no JSON object.", place=Place(file=str(path), line=line))
            yield line, value


def _field(value: Mapping[str, Any], key: str, path: Path, line: int) -> float:
    found = value.get(key)
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        raise InputError(f"{key} is {found!r}; a number is needed.", place=Place(file=str(path), line=line, key=key))
    return float(found)


@trace_readers.register("mooncake")
def read_mooncake(path: Path, *, limit: int | None = None) -> Requests:
    """Read Mooncake's JSON lines; equal hash ids become equal prefix blocks of 512 tokens."""
    kept = _Columns(path, limit)
    start, blocks, numbers = array("q", [0]), array("i"), dict[int, int]()
    for line, value in trace_objects(path):
        if kept.full:
            break
        prompt = _field(value, "input_length", path, line)
        kept.add(
            line, _field(value, "timestamp", path, line) * MILLI, prompt, _field(value, "output_length", path, line)
        )
        ids = value.get("hash_ids", [])
        if not isinstance(ids, list) or not all(isinstance(i, int) for i in ids):
            raise InputError("hash_ids must be a list of whole numbers.", place=Place(file=str(path), line=line))
        for number in ids[: int(prompt) // _MOONCAKE_BLOCK]:
            blocks.append(numbers.setdefault(number, len(numbers)))
        start.append(len(blocks))
    chains = Chains(
        start=np.frombuffer(start, np.int64),
        blocks=np.frombuffer(blocks, np.int32) if blocks else np.zeros(0, np.int32),
        block_tokens=_MOONCAKE_BLOCK,
    )
    return kept.requests(chains)
