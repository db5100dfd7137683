from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.foundation.errors import InputError
from simulator.foundation.yaml_reader import parse_yaml
from simulator.scenario.overrides import apply_overrides, parse_override

TEXT = "cluster:\n  nodes:\n    - {profile: a, count: 2}\n    - {profile: b}\nname: x\nempty:\n"


def changed(*texts: str) -> Any:
    return apply_overrides(parse_yaml(TEXT, file="f.yaml"), [parse_override(text) for text in texts]).data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=32", 32), ("a=0.5", 0.5), ("a=true", True), ("a=fat-tree", "fat-tree"), ("a='32'", "32"), ("a=", None),
        ("a=null", None), ("a=[1, 2]", [1, 2]), ("a={tp: 8, pp: 4}", {"tp": 8, "pp": 4}), ("a=400 Gb/s", "400 Gb/s"),
        ("a=b=c", "b=c"), ("a= 5", 5),
    ],
)  # fmt: skip
def test_values_are_yaml(text: str, value: object) -> None:
    assert parse_override(text).value == value


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a=1", ("a",)),
        ("a.b=1", ("a", "b")),
        ("cluster.nodes[0].count=1", ("cluster", "nodes", 0, "count")),
        ("a[1][2]=1", ("a", 1, 2)),
    ],
)
def test_keys_are_paths(text: str, path: tuple[str | int, ...]) -> None:
    assert parse_override(text).path == path


@pytest.mark.parametrize(
    "text", ["a", "", "=1", "a..b=1", "a[=1", "a[x]=1", "[0]=1", "a.[0]=1", "a b=1", "a[-1]=1", "a.=1", "1a=2"]
)
def test_what_is_no_assignment_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match=r"as in cluster\.nodes\[0\]\.count=32") as caught:
        parse_override(text)
    assert str(caught.value).startswith(f"--set {text}")


@pytest.mark.parametrize("text", ["a=[1", "a=*x", "a=!!python/none 1", "a=.nan"])
def test_a_value_that_is_not_plain_yaml_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--set a="):
        parse_override(text)


def test_one_key_changes_and_the_rest_stays() -> None:
    assert changed("cluster.nodes[0].count=32") == {
        "cluster": {"nodes": [{"profile": "a", "count": 32}, {"profile": "b"}]}, "name": "x", "empty": None,
    }  # fmt: skip


def test_the_last_assignment_wins() -> None:
    assert changed("name=y", "name=z")["name"] == "z"


def test_blocks_that_are_missing_on_the_way_are_made() -> None:
    assert changed("plan.choices.tp=[1, 2]")["plan"] == {"choices": {"tp": [1, 2]}}
    assert changed("empty.key=1")["empty"] == {"key": 1}


def test_the_document_that_was_given_is_left_as_it_is() -> None:
    document = parse_yaml(TEXT)
    before = str(document.data)
    apply_overrides(document, [parse_override("cluster.nodes[1].count=9")])
    assert str(document.data) == before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cluster.nodes[2].count=1", "cluster.nodes has no [2]; its last is [1]"),
        ("cluster.nodes.count=1", "cluster.nodes is a list; say which, as in cluster.nodes[0].count"),
        ("cluster[0]=1", "cluster is no list, so it has no [0]"),
        ("name.first=1", "name is 'x', not a block. Set it whole, as in 'name={first: ...}'"),
        ("fresh[0]=1", "fresh has no [0]; it is empty"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused_with_the_mend(text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        changed(text)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"--set {text}: ")


_keys = st.text("abcdefgh", min_size=1, max_size=6)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(path=st.lists(_keys, min_size=1, max_size=5), value=st.integers(-1000, 1000))
def test_what_was_set_is_found_there(path: list[str], value: int) -> None:
    data = apply_overrides(parse_yaml("x: 1"), [parse_override(f"{'.'.join(['top', *path])}={value}")]).data
    for key in ["top", *path]:
        data = data[key]
    assert data == value


@settings(derandomize=True, max_examples=100, deadline=None)
@given(text=st.text(max_size=40))
def test_any_text_is_an_assignment_or_an_input_error(text: str) -> None:
    try:
        parsed = parse_override(text)
    except InputError:
        return
    assert "=" in text
    assert parsed.path
