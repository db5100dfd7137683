"""The JSON Schemas of part files: in sync with the code, and true of every shipped file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from simulator.foundation.shipped import shipped
from simulator.foundation.yaml_reader import read_yaml
from simulator.profiles.catalogue import PART_KINDS, PartKind, load_catalogue
from simulator.scenario.json_schemas import schema_text


@pytest.mark.parametrize("kind", PART_KINDS, ids=lambda kind: kind.part)
def test_the_committed_schema_is_the_one_in_the_code(kind: PartKind) -> None:
    committed = shipped("schemas") / f"{kind.part}.v1.json"
    assert committed.read_text(encoding="utf-8") == schema_text(kind.part), "run: rackcast schema --out schemas"


@pytest.mark.parametrize("kind", PART_KINDS, ids=lambda kind: kind.part)
def test_the_schema_knows_every_key_of_every_shipped_file(kind: PartKind) -> None:
    schema = json.loads(schema_text(kind.part))
    shelf = next(shelf for shelf in load_catalogue().shelves() if shelf.kind is kind)
    for path in shelf.paths.values():
        _holds(schema, schema, read_yaml(path).data, path)


def _holds(root: dict[str, Any], schema: dict[str, Any], data: Any, path: Path) -> None:
    """Check what an editor checks first: keys, needed keys, and the text of quantities."""
    schema = _resolved(root, schema, data)
    if isinstance(data, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        assert others is not False or data.keys() <= properties.keys(), (path, data.keys() - properties.keys())
        assert set(schema.get("required", ())) <= data.keys(), path
        for key, value in data.items():
            inner = properties.get(key, others if isinstance(others, dict) else {})
            _holds(root, inner, value, path)
    elif isinstance(data, list):
        for item in data:
            _holds(root, schema.get("items", {}), item, path)
    elif isinstance(data, str) and "pattern" in schema:
        assert re.search(schema["pattern"], data), (path, data)


def _resolved(root: dict[str, Any], schema: dict[str, Any], data: Any) -> dict[str, Any]:
    if "$ref" in schema:
        return _resolved(root, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], data)
    for choice in schema.get("anyOf", ()):
        chosen = _resolved(root, choice, data)
        names = {dict: "object", list: "array", str: "string", int: "integer", float: "number"}
        if chosen.get("type") in (names[type(data)], "number" if isinstance(data, int) else None):
            return chosen
    return schema
