"""``rackcast shard``: cut a data set, really or on paper, and say what the largest shard costs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from simulator.cli import output
from simulator.cli.options import Csv, Json
from simulator.foundation.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from simulator.cli.shard_moves import Before
    from simulator.mapping.sharding import Request, Sharding
    from simulator.mapping.sharding.source_files import ParquetRecords, TextRecords

SHOWN: Final = 20  # shards in the table for people; --json and --csv hold them all
DEFAULT_SEED: Final = 7
DEFAULT_VIRTUAL_NODES: Final = 128


def _option(flag: str, text: str, **more: Any) -> Any:
    return typer.Option(flag, help=text, show_default=False, **more)


File = Annotated[Path | None, typer.Argument(metavar="[FILE]", help="A .csv, .jsonl or .parquet file.")]
Method = Annotated[
    str | None, _option("--method", "How to cut (balanced if left out); a wrong name lists them all.", metavar="NAME")
]
Into = Annotated[int, typer.Option("--into", metavar="N", min=1, max=100_000, help="How many shards.")]
Out = Annotated[Path | None, _option("--out", "Where to write; FILE's name + '.shards' if left out.", metavar="DIR")]
Records = Annotated[
    int | None, _option("--records", "Instead of FILE: records of no content.", metavar="COUNT", min=1, max=10**9)
]
Sizes = Annotated[str | None, _option("--sizes", "With --records: as of tabular, image, text, ...", metavar="KIND")]
Key = Annotated[str | None, _option("--key", "What hash, consistent-hash and range go by.", metavar="COLUMN")]
Class = Annotated[str | None, _option("--class", "What stratified keeps the proportions of.", metavar="COLUMN")]
Speeds = Annotated[str | None, _option("--speeds", "Relative speeds of the workers.", metavar="A,B,...")]
VirtualNodes = Annotated[
    int | None,
    _option("--virtual-nodes", "Points of each worker on a hash ring (128).", metavar="V", min=1, max=100_000),
]
CutSeed = Annotated[int | None, _option("--seed", f"Of the random cuts and drawn sizes ({DEFAULT_SEED}).", min=0)]
Reshard = Annotated[
    str | None,
    _option("--reshard", "What was before: a manifest of FILE or a number of shards; says what moves.", metavar="FROM"),
]
Failed = Annotated[
    str | None, _option("--failed", "With --reshard: workers of before that are gone.", metavar="I,J,...")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say how it would be cut; write nothing.")]
Force = Annotated[bool, typer.Option("--force", help="Replace shards written before.")]


def command(
    file: File = None,
    method: Method = None,
    into: Into = 8,
    out: Out = None,
    records: Records = None,
    kind: Sizes = None,
    key: Key = None,
    label: Class = None,
    speeds: Speeds = None,
    virtual_nodes: VirtualNodes = None,
    seed: CutSeed = None,
    reshard: Reshard = None,
    failed: Failed = None,
    dry_run: DryRun = False,
    force: Force = False,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Cut FILE into shards, verify that no record is lost or doubled, and show what the largest shard costs.

    A synchronous step waits for its largest shard: imbalance 2 doubles every step. The founding article's split:

        rackcast shard --records 8 --into 3 --method seed-literal

    What moves when a ninth worker joins, or when the fourth of eight fails:

        rackcast shard --records 1000000 --reshard 8 --into 9 --method consistent-hash
        rackcast shard --records 1000000 --reshard 8 --failed 3 --into 7 --method consistent-hash
    """
    from simulator.cli.shard_moves import Before, before, failed_workers, names_after
    from simulator.mapping.sharding import shard

    if (file is None) == (records is None):
        raise InputError("give a FILE to cut, or --records COUNT to cut on paper; one of the two.")
    if failed is not None and reshard is None:
        raise InputError("--failed names workers of before; say with --reshard how many there were.")
    was = Before(shards=into) if reshard is None else before(reshard, file)
    method = method or was.method or "balanced"
    now = Cut(
        key=key or was.key, label=label or was.label, speeds=speeds, seed=_first(seed, was.seed, DEFAULT_SEED),
        virtual_nodes=_first(virtual_nodes, was.virtual_nodes, DEFAULT_VIRTUAL_NODES),
    )  # fmt: skip
    source = _open(file)
    gone = failed_workers(failed, was.shards)
    names = None if reshard is None else names_after(was, into, gone)
    request = _request(source, records, kind, now, into=into, members=names)
    sharding = shard(method, request)
    traffic: dict[str, Any] = {}
    if names is not None:
        old = shard(was.method or method, _request(source, records, kind, now.as_before(was), into=was.shards))
        traffic = _traffic(old, sharding, request, names, gone)
    written: dict[str, Any] = {}
    if file is not None and source is not None and not dry_run:
        from simulator.mapping.sharding.shard_files import write_shards

        folder = out or file.with_name(file.name + ".shards")
        written = write_shards(source, sharding, folder, method=method, seed=now.seed, force=force,
                               given=now.given()).manifest  # fmt: skip
        output.note(f"wrote {into} shards and manifest.json to {folder}")
    _show(method, request, sharding, written, traffic, json=json, csv=csv)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What a method goes by, as the options give it."""

    key: str | None
    label: str | None
    speeds: str | None
    virtual_nodes: int
    seed: int

    def as_before(self, was: Before) -> Cut:
        """What it went by before: what is known of that, else the same."""
        return Cut(key=was.key or self.key, label=was.label or self.label, speeds=was.speeds,
                   seed=_first(was.seed, self.seed),
                   virtual_nodes=_first(was.virtual_nodes, self.virtual_nodes))  # fmt: skip

    def given(self) -> dict[str, Any]:
        """What the manifest keeps beside method and seed."""
        return {"key": self.key, "label": self.label, "speeds": self.speeds, "virtual_nodes": self.virtual_nodes}


def _first(*choices: int | None) -> int:
    return next(choice for choice in choices if choice is not None)


def _traffic(
    old: Sharding, new: Sharding, request: Request, names: tuple[int, ...], gone: tuple[int, ...]
) -> dict[str, Any]:
    import numpy as np

    from simulator.cli.shard_moves import facts
    from simulator.mapping.sharding.reshard import moved

    found = moved(old, new, request.sizes, failed=gone, names=np.array(names, dtype=np.int64))
    return facts(found, old.shards, gone, sized=request.sizes is not None)


def _open(file: Path | None) -> TextRecords | ParquetRecords | None:
    if file is None:
        return None
    from simulator.mapping.sharding.source_files import open_records

    return open_records(file)


def _request(
    source: TextRecords | ParquetRecords | None, records: int | None, kind: str | None, cut: Cut, *, into: int,
    members: tuple[int, ...] | None = None,
) -> Request:  # fmt: skip
    import numpy as np

    from simulator.foundation.randomness import Streams
    from simulator.mapping.sharding import Request
    from simulator.workload.dataset import kinds

    streams = Streams(cut.seed)
    given: dict[str, Any] = {"shards": into, "virtual_nodes": cut.virtual_nodes, "rng": streams["cuts"]}
    if members is not None:
        given["members"] = members
    if cut.speeds is not None:
        given["speeds"] = _speeds(cut.speeds)
    if source is None:
        for option, value in (("--key", cut.key), ("--class", cut.label)):
            if value is not None:
                raise InputError(f"{option} names a column of FILE; records on paper have none.")
        assert records is not None
        sizes = None if kind is None else kinds[kind].draw(records, streams["sizes"])
        return Request(records=records, sizes=sizes, **given)
    if kind is not None:
        raise InputError("--sizes draws sizes for --records; the records of FILE have their own.")
    if cut.key is not None:
        given["keys"] = _keys(source.column(cut.key))
    if cut.label is not None:
        given["classes"] = np.unique(np.array(source.column(cut.label)), return_inverse=True)[1]
    return Request(records=source.count, sizes=source.sizes, **given)


def _speeds(text: str) -> np.ndarray:
    import numpy as np

    try:
        return np.array([float(part) for part in text.split(",")])
    except ValueError:
        raise InputError(f"--speeds {text!r}: write numbers with commas between, as in 1,1,0.5.") from None


def _keys(texts: list[str]) -> np.ndarray:
    """Numbers where every key is one, else the texts (which hash takes and range refuses)."""
    import numpy as np

    try:
        return np.array([float(text) for text in texts])
    except ValueError:
        return np.array(texts)


def _show(
    method: str, request: Request, sharding: Sharding, manifest: dict[str, Any], traffic: dict[str, Any], *,
    json: bool, csv: bool,
) -> None:  # fmt: skip
    from simulator.cli.shard_moves import sentence
    from simulator.mapping.sharding import imbalance
    from simulator.mapping.sharding.expectation import EXPECTED

    counts, loads = sharding.counts().tolist(), sharding.loads(request.sizes).tolist()
    found = imbalance(sharding.loads(request.sizes), request.speeds)
    expected = EXPECTED[method](request.shards) if method in EXPECTED else None
    amount = "records" if request.sizes is None else "bytes"
    rows = [(k, count, int(load), load / sum(loads)) for k, (count, load) in enumerate(zip(counts, loads, strict=True))]
    facts = {"method": method, "records": request.records, "imbalance": found, "expected_imbalance": expected,
             "imbalance_of": amount, "step_slowdown": found, "empty_shards": counts.count(0)}  # fmt: skip
    columns = ("shard", "records", "bytes" if amount == "bytes" else "size_records", "share")
    if json:
        shards = [dict(zip(columns, row, strict=True)) for row in rows]
        facts |= {"shards": shards, "manifest": manifest or None} | ({"moved": traffic} if traffic else {})
        output.json_document(facts)
        return
    if csv:
        output.csv(columns, rows)
        return
    output.table(columns, rows[:SHOWN], title=f"{method}: {request.records} records into {request.shards}")
    if len(rows) > SHOWN:
        output.note(f"{len(rows) - SHOWN} more shards: --csv shows all")
    also = "" if expected is None else f" (expected of this method: {expected:.2f}x)"
    output.line(f"largest shard {found:.2f}x its fair share{also}: a synchronous step takes {found:.2f}x as long")
    if traffic:
        output.line(sentence(traffic, request.shards))
