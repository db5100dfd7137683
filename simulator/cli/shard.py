"""``rackcast shard``: cut a data set, really or on paper, and say what the largest shard costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from simulator.cli import output
from simulator.cli.options import Csv, Json
from simulator.foundation.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from simulator.mapping.sharding import Request, Sharding
    from simulator.mapping.sharding.source_files import ParquetRecords, TextRecords

SHOWN: Final = 20  # shards in the table for people; --json and --csv hold them all
DEFAULT_SEED: Final = 7


def _option(flag: str, text: str, **more: Any) -> Any:
    return typer.Option(flag, help=text, show_default=False, **more)


File = Annotated[Path | None, typer.Argument(metavar="[FILE]", help="A .csv, .jsonl or .parquet file.")]
Method = Annotated[str, typer.Option("--method", metavar="NAME", help="How to cut; a wrong name lists them all.")]
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
    int, typer.Option("--virtual-nodes", metavar="V", min=1, max=100_000, help="Points of each worker on a hash ring.")
]
CutSeed = Annotated[int, typer.Option("--seed", min=0, help="Of the random cuts and drawn sizes.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say how it would be cut; write nothing.")]
Force = Annotated[bool, typer.Option("--force", help="Replace shards written before.")]


def command(
    file: File = None,
    method: Method = "balanced",
    into: Into = 8,
    out: Out = None,
    records: Records = None,
    kind: Sizes = None,
    key: Key = None,
    label: Class = None,
    speeds: Speeds = None,
    virtual_nodes: VirtualNodes = 128,
    seed: CutSeed = DEFAULT_SEED,
    dry_run: DryRun = False,
    force: Force = False,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Cut FILE into shards, verify that no record is lost or doubled, and show what the largest shard costs.

    A synchronous step waits for its largest shard: imbalance 2 doubles every step. The founding article's split:

        rackcast shard --records 8 --into 3 --method seed-literal
    """
    from simulator.mapping.sharding import shard

    if (file is None) == (records is None):
        raise InputError("give a FILE to cut, or --records COUNT to cut on paper; one of the two.")
    source = _open(file)
    request = _request(
        source, records, kind, key, label, into=into, speeds=speeds, virtual_nodes=virtual_nodes, seed=seed
    )
    sharding = shard(method, request)
    written: dict[str, Any] = {}
    if file is not None and source is not None and not dry_run:
        from simulator.mapping.sharding.shard_files import write_shards

        folder = out or file.with_name(file.name + ".shards")
        written = write_shards(source, sharding, folder, method=method, seed=seed, force=force).manifest
        output.note(f"wrote {into} shards and manifest.json to {folder}")
    _show(method, request, sharding, written, json=json, csv=csv)


def _open(file: Path | None) -> TextRecords | ParquetRecords | None:
    if file is None:
        return None
    from simulator.mapping.sharding.source_files import open_records

    return open_records(file)


def _request(
    source: TextRecords | ParquetRecords | None, records: int | None, kind: str | None, key: str | None,
    label: str | None, *, into: int, speeds: str | None, virtual_nodes: int, seed: int,
) -> Request:  # fmt: skip
    import numpy as np

    from simulator.foundation.randomness import Streams
    from simulator.mapping.sharding import Request
    from simulator.workload.dataset import kinds

    streams = Streams(seed)
    given: dict[str, Any] = {"shards": into, "virtual_nodes": virtual_nodes, "rng": streams["cuts"]}
    if speeds is not None:
        given["speeds"] = _speeds(speeds)
    if source is None:
        for option, value in (("--key", key), ("--class", label)):
            if value is not None:
                raise InputError(f"{option} names a column of FILE; records on paper have none.")
        assert records is not None
        sizes = None if kind is None else kinds[kind].draw(records, streams["sizes"])
        return Request(records=records, sizes=sizes, **given)
    if kind is not None:
        raise InputError("--sizes draws sizes for --records; the records of FILE have their own.")
    if key is not None:
        given["keys"] = _keys(source.column(key))
    if label is not None:
        given["classes"] = np.unique(np.array(source.column(label)), return_inverse=True)[1]
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
    method: str, request: Request, sharding: Sharding, manifest: dict[str, Any], *, json: bool, csv: bool
) -> None:
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
        output.json_document(facts | {"shards": shards, "manifest": manifest or None})
        return
    if csv:
        output.csv(columns, rows)
        return
    output.table(columns, rows[:SHOWN], title=f"{method}: {request.records} records into {request.shards}")
    if len(rows) > SHOWN:
        output.note(f"{len(rows) - SHOWN} more shards: --csv shows all")
    also = "" if expected is None else f" (expected of this method: {expected:.2f}x)"
    output.line(f"largest shard {found:.2f}x its fair share{also}: a synchronous step takes {found:.2f}x as long")
