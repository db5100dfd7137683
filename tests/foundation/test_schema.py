from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import jsonschema
import pytest
from pydantic import Field

from simulator.foundation.errors import InputError, InvalidFile
from simulator.foundation.schema import Bandwidth, Bytes, Count, Fraction, Name, Seconds, StrictModel, load, validate
from simulator.foundation.yaml_reader import parse_yaml


class Disk(StrictModel):
    kind: Literal["disk"]
    size: Bytes  # type: ignore[valid-type]


class Tape(StrictModel):
    kind: Literal["tape"]
    reels: Count


class Store(StrictModel):
    name: Name
    parts: Annotated[list[Annotated[Disk | Tape, Field(discriminator="kind")]], Field(min_length=1)]
    share: Fraction = 1.0
    delay: Seconds = 0.0  # type: ignore[valid-type]
    read: Bandwidth | None = None  # type: ignore[valid-type]


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidFile) as caught:
        validate(Store, parse_yaml(text, file="s.yaml"))
    return str(caught.value).splitlines()


def test_a_valid_file_becomes_numbers_in_base_units() -> None:
    store = validate(Store, parse_yaml("name: a\nparts: [{kind: disk, size: 2 kB}]\ndelay: 3 ms\nshare: 1\n"))
    assert isinstance(store.parts[0], Disk)
    assert (store.parts[0].size, store.delay, store.share) == (2000.0, pytest.approx(0.003), 1.0)


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    text = "name: '-bad'\nparts:\n  - {kind: disk, size: 80}\n  - {kind: tape, reels: -1}\nshaer: 0.5\nread: 4 Gbps\n"
    found = problems(text)
    assert [line.split(": ")[0] for line in found] == [
        "s.yaml:1:1 name",
        "s.yaml:3:18 parts[0].size",
        "s.yaml:4:18 parts[1].reels",
        "s.yaml:5:1 shaer",
        "s.yaml:6:1 read",
    ]


def test_an_unknown_key_gets_near_names() -> None:
    assert any(
        "unknown key. Did you mean 'share'?" in line
        for line in problems("name: a\nparts: [{kind: tape, reels: 1}]\nshaer: 1\n")
    )


def test_an_unknown_key_inside_a_kind_gets_the_keys_of_that_kind() -> None:
    (line,) = problems("name: a\nparts: [{kind: tape, reels: 1, reel: 2}]\n")
    assert "s.yaml:1" not in line
    assert "parts[0].reel" in line
    assert "'reels'" in line


def test_a_missing_key_is_named() -> None:
    assert problems("parts: [{kind: tape, reels: 1}]\n") == ["s.yaml:1:1 name: this key is needed."]


def test_a_quantity_without_its_unit_gets_the_mend() -> None:
    (line,) = problems("name: a\nparts: [{kind: disk, size: 80}]\n")
    assert line.endswith("80 has no unit. Write a number, a space and a unit, as in '80 GiB'.")


def test_an_unknown_kind_lists_the_kinds() -> None:
    (line,) = problems("name: a\nparts: [{kind: dusk, size: 8 B}]\n")
    assert "disk" in line
    assert "tape" in line


@pytest.mark.parametrize("value", ["'3'", "3.5", "true", "0", "-1", "1000000001", "[1]", "{a: 1}", "~"])
def test_nothing_is_coerced_or_clamped_to_a_count(value: str) -> None:
    assert len(problems(f"name: a\nparts: [{{kind: tape, reels: {value}}}]\n")) == 1


@pytest.mark.parametrize("text", ["- a\n- b\n", "just text\n", "5\n"])
def test_a_file_that_holds_no_keys_says_so(text: str) -> None:
    assert "the file must hold keys and values" in problems(text)[0]


def test_every_problem_stands_on_one_line() -> None:
    text = "name: [1]\nparts: {}\nshare: x\ndelay: -1 s\nread: [1, 2]\nmore: {a: [1]}\n"
    assert len(problems(text)) == 6


def test_a_file_is_loaded_with_its_path_as_place(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("name: a\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"s\.yaml:1:1 parts: this key is needed"):
        load(Store, file)


@pytest.mark.parametrize(
    ("size", "valid"),
    [("80 GiB", True), ("1.5e3 B", True), ("80", False), ("80 Gib", False), ("80GiB", False), ("GiB", False)],
)
def test_the_json_schema_draws_the_same_line_as_the_parser(size: str, *, valid: bool) -> None:
    schema = Store.model_json_schema()
    document = {"name": "a", "parts": [{"kind": "disk", "size": size}]}
    assert jsonschema.Draft7Validator(schema).is_valid(document) is valid
