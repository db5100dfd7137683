"""Reads what nccl-tests (and rccl-tests) print: one line per message size, with times and bandwidths."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simulator.foundation.errors import InputError, Place
from simulator.foundation.units import MEBI, MICRO

_RANK: Final = re.compile(
    r"#\s+Rank\s+\d+\s+(?:Group\s+\d+\s+)?Pid\s+\d+\s+on\s+(\S+)\s+device\s+\d+\s+\[[^\]]*\]\s+(.+)"
)
_STARTED: Final = re.compile(r"(all_reduce|all_gather|reduce_scatter|alltoall|broadcast|reduce|sendrecv)_perf")
_OPERATIONS: Final = {
    "all_reduce": "all-reduce",
    "all_gather": "all-gather",
    "reduce_scatter": "reduce-scatter",
    "alltoall": "all-to-all",
    "broadcast": "broadcast",
    "reduce": "reduce",
    "sendrecv": "send-recv",
}
_TIME_COLUMN: Final = 5  # size count type redop root TIME algbw busbw #wrong
_MOST_BYTES: Final = 64 * MEBI


@dataclass(frozen=True, slots=True, kw_only=True)
class NcclLog:
    """One run of nccl-tests.

    Attributes:
        operation: a collective by its name in ``costs.collectives``; empty if the log does not say.
        ranks, nodes: as its list of ranks says; 0 without one.
        device: as the driver spells it.
        sizes: bytes, as nccl-tests counts them.
        seconds: of one call out of place, per size.
    """

    operation: str
    ranks: int
    nodes: int
    device: str
    sizes: tuple[float, ...]
    seconds: tuple[float, ...]


def read_nccl_log(path: str | Path) -> NcclLog:
    """Read a log.

    Raises:
        InputError: not a readable text, or no line of sizes and times in it.
    """
    place = Place(file=str(path))
    try:
        if Path(path).stat().st_size > _MOST_BYTES:
            raise InputError("the log is larger than 64 MiB; give the output of one run.", place=place)
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}.", place=place) from None
    hosts, devices, points = [], [], {}
    for number, line in enumerate(text.splitlines(), start=1):
        rank = _RANK.search(line)
        if rank:
            hosts.append(rank[1])
            devices.append(rank[2].strip())
        elif not line.lstrip().startswith("#"):
            point = _point(line, Place(file=str(path), line=number))
            if point is not None:
                points[point[0]] = point[1]
    if not points:
        raise InputError(
            "no line of nccl-tests in it: 'size count type redop root time algbw busbw' is needed.", place=place
        )
    started = _STARTED.search(text)
    return NcclLog(
        operation=_OPERATIONS[started[1]] if started else "",
        ranks=len(hosts),
        nodes=len(set(hosts)),
        device=devices[0] if devices else "",
        sizes=tuple(sorted(points)),
        seconds=tuple(points[size] for size in sorted(points)),
    )


def _point(line: str, place: Place) -> tuple[float, float] | None:
    """Return (bytes, s) of a line of results; None for any other line."""
    cells = line.split()
    if len(cells) <= _TIME_COLUMN or not (cells[0].isdecimal() and cells[1].isdecimal()):
        return None
    try:
        size, time = float(cells[0]), float(cells[_TIME_COLUMN])
    except ValueError:
        return None
    if time <= 0:
        raise InputError(f"a time of {time:g} us for {size:.0f} B; run with more iterations (-n).", place=place)
    return (size, time * MICRO) if size > 0 else None
