from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.foundation.errors import InputError
from simulator.foundation.yaml_reader import MAX_BYTES, MAX_DEPTH, MAX_SCALAR, MAX_VALUES, dotted, parse_yaml, read_yaml


def problem(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_yaml(text, file="f.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1", 1), ("a: 1e3", 1000.0), ("a: -2.5", -2.5), ("a: .5", 0.5), ("a: 007", 7), ("a: true", True),
        ("a: False", False), ("a: null", None), ("a: ~", None), ("a:", None), ("a: no", "no"), ("a: on", "on"),
        ("a: 0x10", "0x10"), ("a: 1_000", "1_000"), ("a: '1'", "1"), ('a: "true"', "true"), ("a: 12:30", "12:30"),
        ("a: 2026-11-24", "2026-11-24"),
        ("a: [1, x]", [1, "x"]), ("a: {b: 1}", {"b": 1}), ("a: |\n  x\n  y\n", "x\ny\n"),
        ("a: 3.35 TB/s", "3.35 TB/s"), ("a: !!str 5", None),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    if "!!" in text:
        assert "tags" in problem(text)
    else:
        read = parse_yaml(text).data["a"]
        assert read == value
        assert type(read) is type(value)


def test_every_key_and_item_knows_its_line_and_column() -> None:
    document = parse_yaml("cluster:\n  nodes:\n    - profile: x\n      count: 2\n", file="f.yaml")
    assert str(document.place(("cluster", "nodes", 0, "count"))) == "f.yaml:4:7 cluster.nodes[0].count"
    assert str(document.place(("cluster", "nodes", 0))) == "f.yaml:3:7 cluster.nodes[0]"


def test_a_key_that_is_missing_has_the_place_of_its_nearest_parent() -> None:
    document = parse_yaml("a:\n  b: 1\n", file="f.yaml")
    assert str(document.place(("a", "c", "d"))) == "f.yaml:1:1 a.c.d"


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "~"])
def test_an_empty_file_says_so(text: str) -> None:
    assert "the file is empty" in problem(text)


def test_a_key_that_stands_twice_is_refused_with_its_place() -> None:
    assert problem("a: 1\nb: 2\na: 3\n") == "f.yaml:3:1: the key 'a' stands here twice."


def test_the_same_key_in_two_blocks_is_no_duplicate() -> None:
    assert parse_yaml("x: {a: 1}\ny: {a: 2}\n").data == {"x": {"a": 1}, "y": {"a": 2}}


def test_anchors_and_aliases_are_refused_so_that_no_file_can_grow() -> None:
    bomb = "a: &a [x, x, x]\n" + "".join(f"b{i}: &b{i} [*a, *a, *a]\n" for i in range(9))
    assert "anchors (&a) are refused" in problem(bomb)
    assert "aliases (*a) are refused" in problem("b: [*a]\n")


def test_merge_keys_need_an_alias_and_so_are_refused() -> None:
    assert "aliases" in problem("a:\n  <<: *base\n")


@pytest.mark.parametrize(
    "text", ["a: !!python/object/apply:os.system ['true']", "a: !x 1", "!!map {a: 1}", "a: !!binary AA=="]
)
def test_tags_are_refused(text: str) -> None:
    assert "tags" in problem(text)


def test_the_depth_is_bounded() -> None:
    assert parse_yaml("a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)).data
    assert f"nested deeper than {MAX_DEPTH}" in problem("a: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH)


def test_depth_is_refused_before_it_can_exhaust_the_stack() -> None:
    assert "nested deeper" in problem("[" * 100_000)


def test_the_number_of_values_is_bounded() -> None:
    assert f"more than {MAX_VALUES} values" in problem("a: [" + "1," * (MAX_VALUES + 1) + "]")


def test_the_length_of_a_value_is_bounded() -> None:
    assert "at most" in problem("a: " + "x" * (MAX_SCALAR + 1))


def test_the_size_of_a_file_is_bounded_before_it_is_read(tmp_path: Path) -> None:
    big = tmp_path / "big.yaml"
    big.write_bytes(b"a: 1\n" + b"#" * MAX_BYTES)
    with pytest.raises(InputError, match="bytes; at most"):
        read_yaml(big)


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf", ".NaN", "1e999", "9" * 400, str(2**53 + 1)])
def test_numbers_that_are_not_finite_or_too_large_are_refused(number: str) -> None:
    assert "finite" in problem(f"a: {number}") or "out of range" in problem(f"a: {number}")


def test_a_second_document_is_refused() -> None:
    assert "one per file" in problem("a: 1\n---\nb: 2\n")


@pytest.mark.parametrize(
    "text",
    ["a: [1, 2", "a: {b: 1", "a:\n\tb: 1", "a: b: c", "a: 'x", "\x00", "a: \x07", "- a\nb: 1", "%", "? [a]\n: b"],
)
def test_broken_syntax_is_told_on_one_line(text: str) -> None:
    assert "\n" not in problem(text)
    assert problem(text).startswith("f.yaml")


def test_a_file_in_another_encoding_is_refused_with_the_mend(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes("name: Zürich\n".encode("latin-1"))
    with pytest.raises(InputError, match="save the file as UTF-8"):
        read_yaml(file)


def test_a_folder_a_missing_file_and_an_unreadable_name_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this is a directory"):
        read_yaml(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(InputError):
        read_yaml(tmp_path / ("x" * 5000))


@settings(derandomize=True, max_examples=150, deadline=None)
@given(text=st.text(max_size=80))
def test_any_text_is_data_or_one_input_error(text: str) -> None:
    try:
        parse_yaml(text)
    except InputError as error:
        told = str(error)
    else:
        return
    assert len(told.splitlines()) == 1


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**50), 2**50) | st.text("abcxyz ", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abcdef", min_size=1, max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(derandomize=True, max_examples=80, deadline=None)
@given(data=st.dictionaries(st.text("abcdef", min_size=1, max_size=5), _values, min_size=1, max_size=3))
def test_json_is_read_as_it_was_written(data: dict[str, object]) -> None:
    import json

    assert parse_yaml(json.dumps(data)).data == data


def test_a_path_is_written_as_users_write_it() -> None:
    assert dotted(("cluster", "nodes", 0, "count")) == "cluster.nodes[0].count"
    assert dotted((0, "a")) == "[0].a"
