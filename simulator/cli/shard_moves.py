"""``rackcast shard --reshard``: what moves from the shards of before to those of now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.foundation.errors import InputError, Place

if TYPE_CHECKING:
    from simulator.mapping.sharding.reshard import Moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """How the records were cut before.

    Attributes:
        shards: that there were.
        method, seed: None where only the number of shards is known: then those of now.
        key, label: columns that the cut went by.
        virtual_nodes, speeds: of the workers then.
    """

    shards: int
    method: str | None = None
    seed: int | None = None
    key: str | None = None
    label: str | None = None
    virtual_nodes: int | None = None
    speeds: str | None = None


def before(text: str, file: Path | None) -> Before:
    """Read what ``--reshard`` was given: a manifest of FILE, or a number of shards; raises :class:`InputError`."""
    if text.isdecimal():
        if int(text) < 1:
            raise InputError("--reshard 0: there was at least one shard before.")
        return Before(shards=int(text))
    if file is None:
        raise InputError(f"--reshard {text!r}: records on paper have no manifest; give the number of shards before.")
    return _from_manifest(Path(text), file)


def _from_manifest(path: Path, file: Path) -> Before:
    from simulator.mapping.sharding.shard_files import manifest_of, sha256_of

    found = manifest_of(path)
    if found["source"]["sha256"] != sha256_of(file):
        raise InputError(f"is of another {found['source']['file']} than {file}.", place=Place(file=str(path)))
    return Before(shards=len(found["shards"]), method=found["method"], seed=found["seed"], **found["given"])


def failed_workers(text: str | None, count: int) -> tuple[int, ...]:
    """Read ``--failed 2,5``; raises :class:`InputError` for numbers that no worker had."""
    if text is None:
        return ()
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) < count for part in parts):
        raise InputError(f"--failed {text!r}: write numbers from 0 to {count - 1} with commas between, as in 2,5.")
    gone = tuple(sorted({int(part) for part in parts}))
    if len(gone) == count:
        raise InputError(f"--failed {text!r}: all {count} workers are gone and none is left to keep anything.")
    return gone


def names_after(was: Before, into: int, failed: tuple[int, ...]) -> tuple[int, ...]:
    """The worker of each shard of now: survivors keep their numbers and take the first, new workers take the rest."""
    left = [worker for worker in range(was.shards) if worker not in failed]
    newcomers = range(was.shards, was.shards + max(0, into - len(left)))
    return tuple([*left, *newcomers][:into])


def facts(found: Moved, count: int, failed: tuple[int, ...], *, sized: bool) -> dict[str, Any]:
    """The traffic as plain data; bytes only where records have sizes."""
    known = {"from": count, "failed": list(failed), "records": found.records, "fraction": found.fraction,
             "lost_records": found.lost_records}  # fmt: skip
    if not sized:
        return known
    return known | {"bytes": found.bytes, "lost_bytes": found.lost_bytes, "total_bytes": found.total_bytes,
                    "most_received_bytes": max(found.received_bytes)}  # fmt: skip


def sentence(traffic: Mapping[str, Any], into: int) -> str:
    """The traffic in a line."""
    from simulator.foundation.units import show

    def amount(records: str, size: str) -> str:
        return show(traffic[size], "bytes") if size in traffic else f"{traffic[records]} records"

    moving = amount("records", "bytes")
    text = f"from {traffic['from']} to {into} shards {moving} move ({traffic['fraction']:.1%} of all)"
    if not traffic["lost_records"]:
        return text
    return f"{text}; of them {amount('lost_records', 'lost_bytes')} were on failed workers: read from storage again"
