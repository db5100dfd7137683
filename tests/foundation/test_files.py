from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.foundation.errors import InputError
from simulator.foundation.files import canonical_json, write_atomic


def test_a_file_is_written_whole_and_its_folder_made(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "x.txt"
    assert write_atomic(target, "ü") == target
    assert target.read_text(encoding="utf-8") == "ü"
    assert write_atomic(target, b"\x00\x01").read_bytes() == b"\x00\x01"


def test_a_crash_while_writing_leaves_the_old_content_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = write_atomic(tmp_path / "x.txt", "old")

    def crash(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(target, "new")
    assert target.read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]


def test_a_place_that_cannot_be_written_is_the_users_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be written"):
        write_atomic(tmp_path / "file" / "below", "y")


def test_json_has_sorted_keys_and_ends_with_a_line_break() -> None:
    assert canonical_json({"b": 1, "a": [True, None, "ü"]}, indent=None) == '{"a": [true, null, "ü"], "b": 1}\n'


def test_the_order_in_which_keys_came_does_not_show() -> None:
    assert canonical_json({"a": 1, "b": {"x": 1, "y": 2}}) == canonical_json({"b": {"y": 2, "x": 1}, "a": 1})


def test_floats_are_printed_at_twelve_digits_and_nonsense_as_null() -> None:
    assert json.loads(canonical_json([0.1 + 0.2, math.nan, math.inf, 1e300])) == [0.3, None, None, 1e300]


def test_numpy_values_become_plain_ones() -> None:
    text = canonical_json({"a": np.float64(0.5), "b": np.arange(3), "c": np.bool_(True), "d": np.int64(7)})
    assert json.loads(text) == {"a": 0.5, "b": [0, 1, 2], "c": True, "d": 7}


def test_what_has_no_json_is_our_own_fault() -> None:
    with pytest.raises(AssertionError, match="no JSON for set"):
        canonical_json({1, 2})


_plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


@settings(derandomize=True, max_examples=80, deadline=None)
@given(value=_plain)
def test_canonical_json_reads_back_and_is_a_fixed_point(value: object) -> None:
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text
