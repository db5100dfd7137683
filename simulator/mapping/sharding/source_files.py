"""Files of records: CSV and JSONL cut at the bytes of their records, Parquet by rows. Nothing is parsed and rewritten.

A CSV record may span lines inside quotes; its header is repeated in every shard. JSONL has one JSON value per line.
"""

from __future__ import annotations

import csv
import io
import json
import mmap
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from simulator.foundation.errors import InputError, Place, UnknownName

Format = Literal["csv", "jsonl", "parquet"]
SUFFIXES: Final[dict[str, Format]] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


def format_of(path: Path) -> Format:
    """Return the format by the file's suffix; raises :class:`InputError` for another one or a missing file."""
    if path.is_dir():
        raise InputError("this is a directory; name a file in it.", place=Place(file=str(path)))
    if not path.is_file():
        raise InputError("no such file.", place=Place(file=str(path)))
    if path.suffix.lower() not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise InputError(f"{path.suffix!r} is no format known here; use {known}.", place=Place(file=str(path)))
    return SUFFIXES[path.suffix.lower()]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextRecords:
    """The records of a CSV or JSONL file, as places in it.

    Attributes:
        starts, stops: bytes of each record, its line end left out; shape (records,).
        header: the bytes that every shard begins with, its line end included; empty for JSONL.
        line_end: what the file ends its records with.
    """

    path: Path
    format: Format
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    header: bytes
    line_end: bytes

    @property
    def count(self) -> int:
        """Number of records."""
        return len(self.starts)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Bytes of each record with its line end, shape (records,)."""
        return self.stops - self.starts + len(self.line_end)

    def read(self, members: Sequence[int] | NDArray[np.int64]) -> Iterator[bytes]:
        """Yield the bytes of the records asked for, in that order."""
        with self.path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
            for member in members:
                yield view[self.starts[member] : self.stops[member]]

    def column(self, name: str) -> list[str]:
        """Return one column (a key, for JSONL) of all records as text.

        Raises:
            UnknownName: the file has no such column.
        """
        if self.format == "csv":
            return self._csv_column(name)
        values = [json.loads(record) for record in self.read(range(self.count))]
        for number, value in enumerate(values):
            if not isinstance(value, dict) or name not in value:
                known = value if isinstance(value, dict) else ()
                raise UnknownName("key", name, known, place=Place(file=str(self.path), line=number + 1))
        return [_text(value[name]) for value in values]

    def _csv_column(self, name: str) -> list[str]:
        titles = next(csv.reader(io.StringIO(self.header.decode("utf-8"))))
        if name not in titles:
            raise UnknownName("column", name, titles, place=Place(file=str(self.path), line=1))
        place = titles.index(name)
        found = []
        for record in self.read(range(self.count)):
            row = next(csv.reader(io.StringIO(record.decode("utf-8"), newline="")))
            if len(row) <= place:
                raise InputError(f"a record of {len(row)} cells has none for column {name!r}: {record[:60]!r}.",
                                 place=Place(file=str(self.path)))  # fmt: skip
            found.append(row[place])
        return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def index_text(path: Path, kind: Format) -> TextRecords:
    """Find every record of a CSV or JSONL file in one pass that holds one line at a time.

    Raises:
        InputError: no record, an unclosed quote, a blank line, or a JSONL line that is not JSON; with its line.
    """
    starts, stops = array("q"), array("q")
    header, line_end = b"", b"\n"
    with path.open("rb") as stream:
        for number, start, record in _records(path, stream, quoted=kind == "csv"):
            body = record.rstrip(b"\r\n")
            if number == 1 and record.endswith(b"\r\n"):
                line_end = b"\r\n"
            if not body.strip():
                raise InputError("a blank line is no record; remove it.", place=Place(file=str(path), line=number))
            if kind == "csv" and start == 0:
                header = body + line_end
                continue
            if kind == "jsonl":
                _check_json(path, number, body)
            starts.append(start)
            stops.append(start + len(body))
    if not starts:
        raise InputError("the file holds no records.", place=Place(file=str(path)))
    return TextRecords(path=path, format=kind, starts=np.array(starts, dtype=np.int64),
                       stops=np.array(stops, dtype=np.int64), header=header, line_end=line_end)  # fmt: skip


def _records(path: Path, stream: Any, *, quoted: bool) -> Iterator[tuple[int, int, bytes]]:
    """Yield (first line, byte offset, raw record with its line end); a quoted record goes on over line ends."""
    offset, pending, first = 0, b"", 1
    for number, line in enumerate(stream, start=1):
        first = first if pending else number
        pending += line
        if quoted and pending.count(b'"') % 2:
            continue
        yield first, offset, pending
        offset += len(pending)
        pending = b""
    if pending:
        raise InputError("a quote opens here and never closes.", place=Place(file=str(path), line=first))


def _check_json(path: Path, number: int, body: bytes) -> None:
    try:
        json.loads(body)
    except ValueError as error:
        raise InputError(f"not JSON: {error}.", place=Place(file=str(path), line=number)) from None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParquetRecords:
    """The rows of a Parquet file, held as one Arrow table; sizes are not known row by row, so rows count alike."""

    path: Path
    table: Any
    format: Format = "parquet"

    @property
    def count(self) -> int:
        """Number of rows."""
        return int(self.table.num_rows)

    @property
    def sizes(self) -> None:
        """None: rows count alike."""
        return

    def column(self, name: str) -> list[str]:
        """Return one column as text; raises :class:`UnknownName` if there is none."""
        if name not in self.table.column_names:
            raise UnknownName("column", name, self.table.column_names, place=Place(file=str(self.path)))
        return [str(value) for value in self.table.column(name).to_pylist()]


def open_records(path: Path) -> TextRecords | ParquetRecords:
    """Return the records of a file; raises :class:`InputError` for what cannot be read."""
    kind = format_of(path)
    if kind != "parquet":
        return index_text(path, kind)
    parquet = parquet_module()
    import pyarrow as pa

    try:
        table = parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"not a Parquet file: {str(error).splitlines()[0]}.", place=Place(file=str(path))) from None
    if not table.num_rows:
        raise InputError("the file holds no records.", place=Place(file=str(path)))
    return ParquetRecords(path=path, table=table)


def parquet_module() -> Any:
    """Return ``pyarrow.parquet``; raises :class:`InputError` that names the extra if it is not installed."""
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise InputError("Parquet needs pyarrow. Install it with: pip install 'rackcast[parquet]'.") from None
    return parquet
