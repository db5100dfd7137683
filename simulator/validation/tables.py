"""Tables of published measurements: one row, one measurement, read strictly.

Three kinds are told apart by their columns: ``training``, ``inference`` and ``network`` (which also holds storage and
data loading). Columns that are empty throughout may be absent: a missing cell reads as an empty one.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from simulator.foundation.errors import InputError, InvalidFile, Place, suggestion


def columns(names: str) -> tuple[str, ...]:
    """Return the column names in a text that lists them with blanks between.

    >>> columns("dp tp pp")
    ('dp', 'tp', 'pp')
    """
    return tuple(names.split())


Kind = Literal["training", "inference", "network"]
Usable = Literal["yes", "partial", "no"]

_ALWAYS: Final = ("id", "source_group", "kind_of_work", "usable", "device_id", "n_accel", "metric", "value")

#: columns without which a table of that kind says too little to predict anything
NEEDED: Final[dict[Kind, tuple[str, ...]]] = {
    "training": (*_ALWAYS, "model_id"),
    "inference": (*_ALWAYS, "model_id"),
    "network": (*_ALWAYS, "op"),
}

#: columns that only one kind of table has
_MARKS: Final[dict[Kind, frozenset[str]]] = {
    "training": frozenset(
        columns(
            "zero_stage sequence_parallel recompute micro_batch_samples global_batch_samples seq_len_tokens optimizer "
            "case_id outcome vpp cp"
        )
    ),
    "inference": frozenset(
        columns(
            "scenario phase batch_samples concurrency_requests request_rate_per_s max_num_seqs input_len_tokens "
            "output_len_tokens kv_precision percentile latency_limit_ms ttft_limit_ms tpot_limit_ms n_requests"
        )
    ),
    "network": frozenset(columns("op algorithm message_bytes tokens_per_rank link")),
}

_NUMBERS: Final = frozenset(
    columns(
        "devices_per_accel ranks_per_accel n_accel n_nodes dp tp pp vpp cp ep zero_stage micro_batch_samples "
        "global_batch_samples seq_len_tokens image_size_px batch_samples concurrency_requests request_rate_per_s "
        "n_requests max_num_seqs input_len_tokens output_len_tokens latency_limit_ms ttft_limit_ms tpot_limit_ms "
        "message_bytes tokens_per_rank hidden topk experts value"
    )
)
_MAY_BE_ENDLESS: Final = frozenset({"request_rate_per_s"})  # ``inf``: all requests at once
_PROBLEMS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One measured row.

    Attributes:
        kind: of the table it came from.
        cells: column -> text, as in the file; absent columns are absent here.
        line: of the file, counted from 1.
        value: in the unit of the metric; ``None`` where the cell is blank (a run that ran out of memory).
    """

    kind: Kind
    cells: Mapping[str, str]
    line: int
    value: float | None

    def text(self, column: str) -> str:
        """Return a cell, empty when the column is absent."""
        return self.cells.get(column, "")

    def number(self, column: str) -> float | None:
        """Return a cell as a number, ``None`` when it is blank or the column is absent."""
        cell = self.cells.get(column, "")
        return float(cell) if cell else None

    @property
    def usable(self) -> Usable:
        """``yes``, ``partial`` or ``no``."""
        found = self.cells["usable"]
        return "yes" if found == "yes" else "partial" if found == "partial" else "no"

    @property
    def ran_out_of_memory(self) -> bool:
        """Whether the measured run did not fit its device."""
        return self.text("outcome") == "oom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A file of measurements."""

    kind: Kind
    file: str
    rows: tuple[Measurement, ...]


def read_table(path: str | Path) -> Table:
    """Read a table of measurements (``.csv``, or ``.csv.gz``).

    Raises:
        InputError: no such file, a folder, not text, no header, or columns of no known kind.
        InvalidFile: up to 20 problems, each with line and column (the field, counted from 1).
    """
    file = str(path)
    records = _records(_text_of(Path(path)), file)
    header = next(records, (0, []))[1]
    kind = _kind_of(header, file)
    rows: list[Measurement] = []
    problems: list[InputError] = []
    seen: dict[str, int] = {}
    for line, fields in records:
        if len(problems) >= _PROBLEMS_SHOWN:
            break
        if fields:  # an empty line is no record
            problems += _problems_of(header, fields, file, line, seen)
            if not problems:
                rows.append(_measurement(kind, header, fields, line))
    if problems:
        raise InvalidFile(problems[:_PROBLEMS_SHOWN])
    return Table(kind=kind, file=file, rows=tuple(rows))


def _text_of(path: Path) -> str:
    place = Place(file=str(path))
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        text = data.decode("utf-8-sig")
    except IsADirectoryError:
        raise InputError("is a folder; name a CSV file inside it.", place=place) from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise InputError("is not a whole gzip file; compress it again.", place=place) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}.", place=place) from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        place = Place(file=str(path), line=line)
        found = f"byte {data[error.start]:#04x} is not UTF-8 text"
        raise InputError(f"{found}; save the file as UTF-8.", place=place) from None
    if "\0" in text:
        raise InputError("holds a NUL character; it is no CSV text.", place=place)
    if not text.strip():
        raise InputError("is empty; a header line and one line per measurement are needed.", place=place)
    return text


def _records(text: str, file: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line of the first character, fields); the parser's own complaints become input errors."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for fields in reader:
            yield line, fields
            line = reader.line_num + 1
    except csv.Error as error:
        place = Place(file=file, line=line)
        raise InputError(f"is no CSV: {error}; check the quotes of this record.", place=place) from None


def _kind_of(header: list[str], file: str) -> Kind:
    """Return the kind whose own columns the header has most of, after checking that the header is whole."""
    place = Place(file=file, line=1)
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        column = len(header) - header[::-1].index(doubled[0])
        raise InputError("this column appears twice.", place=Place(file=file, line=1, column=column, key=doubled[0]))
    found = {kind: len(marks.intersection(header)) for kind, marks in _MARKS.items()}
    kind = max(found, key=lambda name: found[name])
    if not found[kind]:
        need = ", ".join(sorted({*NEEDED["training"], "global_batch_samples"}))
        raise InputError(f"the columns are of no known table; a training table has {need}.", place=place)
    missing = [name for name in NEEDED[kind] if name not in header]
    if missing:
        near = suggestion(missing[0], header).split(" Known:")[0]
        names = ", ".join(repr(name) for name in missing)
        raise InputError(f"a {kind} table needs the column{'s' * (len(missing) > 1)} {names}.{near}", place=place)
    return kind


def _problems_of(
    header: list[str], fields: list[str], file: str, line: int, seen: dict[str, int]
) -> Iterator[InputError]:
    if len(fields) != len(header):
        place = Place(file=file, line=line, column=min(len(fields), len(header)) + 1)
        yield InputError(f"found {len(fields)} fields where the header has {len(header)}.", place=place)
        return
    cells = dict(zip(header, fields, strict=True))
    for index, (name, cell) in enumerate(cells.items(), start=1):
        wrong = _wrong(name, cell, cells)
        if wrong:
            yield InputError(wrong, place=Place(file=file, line=line, column=index, key=name))
    first = seen.setdefault(cells["id"], line)
    if first != line:
        place = Place(file=file, line=line, column=header.index("id") + 1, key="id")
        yield InputError(f"{cells['id']!r} is the id of line {first} already; ids are unique.", place=place)


def _wrong(name: str, cell: str, cells: Mapping[str, str]) -> str:
    """Return what is wrong with a cell, empty if nothing is."""
    if name in _NUMBERS and cell:
        return _wrong_number(name, cell, cells)
    if name == "usable" and cell not in ("yes", "partial", "no"):
        return f"found {cell!r}; write yes, partial or no."
    if name in ("id", "source_group", "kind_of_work", "metric") and not cell:
        return "this cell must not be blank."
    if name == "value" and cells["usable"] != "no" and cells.get("outcome") != "oom":
        return "found no value; a measured number is needed, or usable = no."
    return ""


def _wrong_number(name: str, cell: str, cells: Mapping[str, str]) -> str:
    try:
        number = float(cell)
    except ValueError:
        return f"{cell!r} is no number."
    if math.isnan(number) or (math.isinf(number) and name not in _MAY_BE_ENDLESS) or "_" in cell:
        return f"{cell!r} is no finite number."
    if name == "value" and number <= 0.0 and cells["usable"] != "no":
        return f"found {cell}; a measured value is above zero, or the row has usable = no."
    if name == "n_accel" and number <= 0.0:
        return f"found {cell}; the number of accelerators is above zero."
    return ""


def _measurement(kind: Kind, header: list[str], fields: list[str], line: int) -> Measurement:
    cells = dict(zip(header, fields, strict=True))
    value = float(cells["value"]) if cells["value"] else None
    return Measurement(kind=kind, cells=cells, line=line, value=value)
