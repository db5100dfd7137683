"""Shards on disk: whole or not at all, and never a record lost, doubled or changed."""

from __future__ import annotations

import csv
import hashlib
import io
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.foundation.errors import InputError, UnknownName
from simulator.mapping.sharding import Request, shard, shard_files, source_files
from simulator.mapping.sharding.shard_files import MANIFEST, write_shards
from simulator.mapping.sharding.source_files import open_records

CELLS = st.text(alphabet='ab,"\n é', max_size=6)


def csv_text(rows) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "text"])
    writer.writerows(rows)
    return text.getvalue()


def cut(path, method="balanced", into=3, folder=None, seed=0, **more):
    records = open_records(path)
    request = Request(records=records.count, shards=into, sizes=records.sizes, rng=np.random.default_rng(seed))
    folder = folder or path.with_suffix(".shards")
    return write_shards(records, shard(method, request), folder, method=method, seed=seed, **more)


def rows_of(folder):
    rows = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.reader(stream)
            assert next(reader) == ["id", "text"]
            rows += list(reader)
    return rows


@settings(derandomize=True, max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cells=st.lists(CELLS, min_size=1, max_size=12),
    into=st.integers(1, 5),
    method=st.sampled_from(["hash", "balanced", "seed-literal"]),
)
def test_any_csv_comes_back_row_for_row(tmp_path_factory, cells, into, method):
    folder = tmp_path_factory.mktemp("csv")
    path = folder / "data.csv"
    rows = [[str(number), cell] for number, cell in enumerate(cells)]
    path.write_text(csv_text(rows), encoding="utf-8", newline="")
    cut(path, method, into)
    found = rows_of(folder / "data.shards")
    assert sorted(found) == sorted(rows)
    if method != "hash":
        assert found == rows  # cuts keep the order


def test_the_manifest_names_every_shard_with_its_hash(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps({"n": n}) + "\n" for n in range(10)))
    written = cut(path, into=4)
    manifest = json.loads((written.folder / MANIFEST).read_text())
    assert sum(item["records"] for item in manifest["shards"]) == 10
    assert sum(item["bytes"] for item in manifest["shards"]) == path.stat().st_size
    for item in manifest["shards"]:
        assert hashlib.sha256((written.folder / item["file"]).read_bytes()).hexdigest() == item["sha256"]
    assert manifest["source"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_missing_last_line_end_is_no_lost_record(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text('{"n": 1}\n{"n": 2}')
    folder = cut(path, into=2).folder
    assert [p.read_text() for p in sorted(folder.glob("*.jsonl"))] == ['{"n": 1}\n', '{"n": 2}\n']


def test_windows_line_ends_stay(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b"id,text\r\n1,a\r\n2,b\r\n")
    folder = cut(path, into=2).folder
    assert [p.read_bytes() for p in sorted(folder.glob("*.csv"))] == [b"id,text\r\n1,a\r\n", b"id,text\r\n2,b\r\n"]


def test_the_same_cut_writes_the_same_bytes(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(csv_text([[n, "x"] for n in range(50)]))
    first, second = (cut(path, "seed-literal", 5, tmp_path / name) for name in ("a", "b"))
    assert first.manifest == second.manifest


def test_what_exists_is_not_overwritten_unless_asked(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(csv_text([[n, "x"] for n in range(5)]))
    cut(path, into=2)
    with pytest.raises(InputError, match="--force"):
        cut(path, into=3)
    assert len(cut(path, into=3, force=True).manifest["shards"]) == 3


def test_force_never_removes_a_folder_that_is_not_ours(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(csv_text([[1, "x"]]))
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="not written by this command"):
        cut(path, folder=theirs, force=True)
    assert (theirs / "thesis.txt").read_text() == "precious"


def test_a_crash_in_the_middle_leaves_nothing_behind(tmp_path, monkeypatch):
    path = tmp_path / "data.csv"
    path.write_text(csv_text([[n, "x"] for n in range(5)]))

    def crash(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(shard_files, "_verify", crash)
    with pytest.raises(KeyboardInterrupt):
        cut(path)
    assert [p.name for p in tmp_path.iterdir()] == ["data.csv"]


def test_a_shard_that_differs_from_its_records_is_never_shown(tmp_path, monkeypatch):
    path = tmp_path / "data.csv"
    path.write_text(csv_text([[n, "x"] for n in range(5)]))
    written = shard_files._write_all

    def corrupt(*args):
        files = written(*args)
        files[0].write_text(files[0].read_text().replace("0,x", "0,y"))
        return files

    monkeypatch.setattr(shard_files, "_write_all", corrupt)
    with pytest.raises(AssertionError):
        cut(path)
    assert not (tmp_path / "data.shards").exists()


@pytest.mark.parametrize(("name", "text", "message"), [
    ("data.jsonl", '{"n": 1}\n{"n": \n', r"data\.jsonl:2: not JSON"),
    ("data.jsonl", '{"n": 1}\n\n', r":2: a blank line"),
    ("data.csv", 'id\n"open\n', r":2: a quote opens"),
    ("data.csv", "id\n", "no records"),
    ("data.txt", "x\n", "no format known"),
])  # fmt: skip
def test_broken_files_are_refused_with_their_line(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        open_records(path)


def test_a_missing_column_is_met_with_the_nearest(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(csv_text([[1, "x"]]))
    with pytest.raises(UnknownName, match="Did you mean 'text'"):
        open_records(path).column("txt")


def test_columns_read_quoted_cells_and_json_keys(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(csv_text([[1, 'a "b"\nc'], [2, "d"]]))
    assert open_records(path).column("text") == ['a "b"\nc', "d"]
    lines = tmp_path / "data.jsonl"
    lines.write_text('{"k": 3}\n{"k": "x"}\n')
    assert open_records(lines).column("k") == ["3", "x"]


def test_parquet_comes_back_row_for_row(tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "data.parquet"
    parquet.write_table(pa.table({"n": list(range(20)), "t": ["é"] * 20}), path)
    folder = cut(path, "hash", 3).folder
    found = [n for part in sorted(folder.glob("*.parquet")) for n in parquet.read_table(part).column("n").to_pylist()]
    assert sorted(found) == list(range(20))
    assert open_records(path).column("n")[:2] == ["0", "1"]


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    path = tmp_path / "data.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(InputError, match=r"rackcast\[parquet\]"):
        source_files.open_records(path)
