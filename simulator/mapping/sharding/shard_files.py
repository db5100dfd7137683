"""Shards on disk: written to a folder that appears whole or not at all, read back, and held against the source."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from simulator.foundation.errors import InputError, Place
from simulator.foundation.files import canonical_json
from simulator.mapping.sharding.shards import Sharding, imbalance
from simulator.mapping.sharding.source_files import ParquetRecords, TextRecords, index_text, parquet_module

MANIFEST: Final = "manifest.json"
_CHUNK: Final = 1 << 20
_MODULUS: Final = 1 << 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written: the folder and the content of its manifest."""

    folder: Path
    manifest: dict[str, Any]


Records = TextRecords | ParquetRecords


def write_shards(
    records: Records, sharding: Sharding, folder: Path, *, method: str, seed: int, force: bool = False,
    given: Mapping[str, Any] | None = None,
) -> Written:  # fmt: skip
    """Write one file per shard and a manifest with hashes, verify them, then let the folder appear.

    Args:
        given: what else the method went by (columns, speeds, virtual nodes), kept so that a resharding can repeat it.

    Raises:
        InputError: the folder exists (and ``force`` is not given, or it holds no manifest of ours).
        AssertionError: a record was lost, doubled or changed: our own fault; nothing is left behind.
    """
    assert sharding.records == records.count, "the sharding is not of these records"
    _refuse_overwriting(folder, force=force)
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        files = _write_all(records, sharding, building)
        _verify(records, sharding, files)
        manifest = _manifest(records, sharding, files, method=method, seed=seed, given=given or {})
        (building / MANIFEST).write_text(canonical_json(manifest), encoding="utf-8")
        building.chmod(0o755)
        _put_in_place(building, folder)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return Written(folder=folder, manifest=manifest)


def _refuse_overwriting(folder: Path, *, force: bool) -> None:
    if not folder.exists():
        return
    here = Place(file=str(folder))
    if not force:
        raise InputError("already exists. Write elsewhere, or use --force to replace it.", place=here)
    if not (folder / MANIFEST).is_file():
        raise InputError(f"holds no {MANIFEST}, so it was not written by this command; remove it yourself.", place=here)


def _put_in_place(building: Path, folder: Path) -> None:
    """Rename the finished folder to its name; an older one steps aside first and is removed last."""
    aside = building.with_name(building.name + ".old")
    if folder.exists():
        folder.rename(aside)
    try:
        building.rename(folder)
    except OSError:
        if aside.exists():
            aside.rename(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _write_all(records: Records, sharding: Sharding, folder: Path) -> list[Path]:
    width = max(5, len(str(sharding.shards - 1)))
    files = []
    for shard in range(sharding.shards):
        path = folder / f"{records.path.stem}-{shard:0{width}d}-of-{sharding.shards:0{width}d}{records.path.suffix}"
        members = sharding.members(shard)
        if isinstance(records, ParquetRecords):
            parquet_module().write_table(records.table.take(members), path)
        else:
            with path.open("wb") as stream:
                stream.write(records.header)
                stream.writelines(record + records.line_end for record in records.read(members))
        files.append(path)
    return files


def _verify(records: Records, sharding: Sharding, files: list[Path]) -> None:
    """Read every shard back: its records are those it was given, in order, and all together are the source's."""
    if isinstance(records, ParquetRecords):
        for shard, path in enumerate(files):
            back = parquet_module().read_table(path)
            assert back.equals(records.table.take(sharding.members(shard))), f"{path.name} differs from its rows"
    else:
        total = 0
        for shard, path in enumerate(files):
            found = _records_of(path, records)
            assert found == [_digest(record) for record in records.read(sharding.members(shard))], path.name
            total = (total + sum(found)) % _MODULUS
        source = sum(_digest(record) for record in records.read(range(records.count))) % _MODULUS
        assert total == source, "the shards together are not the source"
    owners = np.sort(np.concatenate([sharding.members(shard) for shard in range(sharding.shards)]))
    assert np.array_equal(owners, np.arange(records.count)), "a record was lost or doubled"


def _records_of(path: Path, records: TextRecords) -> list[int]:
    """Digests of a written shard's records, in order, found by reading it as a file of its own."""
    if path.stat().st_size == len(records.header):
        assert path.read_bytes() == records.header, f"{path.name}: the header differs"
        return []
    back = index_text(path, records.format)
    assert back.header == records.header, f"{path.name}: the header differs"
    return [_digest(record) for record in back.read(range(back.count))]


def _digest(record: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(record, digest_size=16).digest(), "little")


def manifest_of(path: Path) -> dict[str, Any]:
    """Return a manifest that :func:`write_shards` wrote, from its file or its folder; raises :class:`InputError`."""
    file = path / MANIFEST if path.is_dir() else path
    here = Place(file=str(file))
    if not file.is_file():
        raise InputError("no such file; name the manifest.json of shards written before.", place=here)
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"not JSON: {error}.", place=here) from None
    needed = ("method", "seed", "given", "source", "shards")
    lacking = [key for key in needed if not isinstance(found, dict) or key not in found]
    if lacking:
        raise InputError(f"no manifest of `rackcast shard`: it lacks {', '.join(lacking)}.", place=here)
    return dict(found)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, read piece by piece."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for chunk in iter(lambda: stream.read(_CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def _manifest(
    records: Records, sharding: Sharding, files: Iterable[Path], *, method: str, seed: int, given: Mapping[str, Any]
) -> dict[str, Any]:
    counts = sharding.counts()
    shards = [
        {"file": path.name, "records": int(count), "bytes": path.stat().st_size, "sha256": sha256_of(path)}
        for path, count in zip(files, counts, strict=True)
    ]
    loads = sharding.loads(records.sizes)
    source = {"file": records.path.name, "bytes": records.path.stat().st_size, "sha256": sha256_of(records.path)}
    return {"method": method, "seed": seed, "given": dict(given),
            "source": source | {"records": records.count}, "shards": shards,
            "verified": "every record is in exactly one shard, unchanged and in order",
            "imbalance": imbalance(loads), "imbalance_of": "records" if records.sizes is None else "bytes"}  # fmt: skip
