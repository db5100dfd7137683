"""Trace readers: what they read, and how they refuse what is bad. The files are look-alikes made here."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from simulator.foundation.errors import InputError
from simulator.workload.request_traces import read_trace

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:17:03.9799600,4808,10
2023-11-16 18:17:04.0319569,3180,8
2023-11-16 18:18:04.0319569,110,27
"""


def test_azures_wall_clock_becomes_seconds_from_the_first_request(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(AZURE)
    requests = read_trace("azure", path)
    np.testing.assert_allclose(requests.arrival_s, [0, 0.0519969, 60.0519969], atol=1e-7)
    assert requests.prompt.tolist() == [4808, 3180, 110]
    assert requests.output.tolist() == [10, 8, 27]


def test_compressed_files_read_like_plain_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(AZURE.encode()))
    assert len(read_trace("azure", path)) == 3
    assert len(read_trace("azure", path, limit=2)) == 2


def test_mooncakes_equal_hash_ids_become_equal_blocks(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    rows = [
        {"timestamp": 0, "input_length": 1100, "output_length": 5, "hash_ids": [7, 8, 9]},
        {"timestamp": 3000, "input_length": 1024, "output_length": 5, "hash_ids": [7, 11]},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    requests = read_trace("mooncake", path)
    assert requests.arrival_s.tolist() == [0, 3]
    assert requests.chains is not None
    assert requests.chains.start.tolist() == [0, 2, 4]
    assert requests.chains.blocks.tolist() == [0, 1, 0, 2]


def test_any_csv_is_read_with_a_column_map(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("ms,in,out\n0,5,6\n250,7,8\n")
    columns = {"arrival_s": "ms", "prompt": "in", "output": "out"}
    assert read_trace("csv", path, columns=columns, time_unit=1e-3).arrival_s.tolist() == [0, 0.25]


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("azure", "TIME,ContextTokens,GeneratedTokens\n", r":1: no column 'TIMESTAMP'. Found: TIME"),
        ("azure", AZURE.replace("3180", "many"), r":3 ContextTokens: 'many' is no number"),
        ("azure", AZURE.replace("2023-11-16 18:17:04", "2022-11-16 18:17:04"), r":3: arrival .* is before"),
        ("azure", AZURE.replace("18:18", "18-18"), r":4 TIMESTAMP: .* is no date and time"),
        ("csv", "arrival_s,input_tokens,output_tokens\n0,1.5,2\n", r":2: prompt of 1.5 tokens"),
        ("csv", "arrival_s,input_tokens,output_tokens\nnan,1,2\n", r":2: arrival nan is not finite"),
        ("csv", "arrival_s,input_tokens,output_tokens\n", r"holds no request"),
        ("mooncake", "{\n", r":1: this line is no JSON object"),
        (
            "mooncake",
            '{"timestamp": 0, "input_length": "x", "output_length": 1}',
            r":1 input_length: .* a number is needed",
        ),
    ],
)
def test_a_bad_row_is_named_with_its_line(tmp_path: Path, kind: str, text: str, message: str) -> None:
    path = tmp_path / "bad.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_trace(kind, path)
