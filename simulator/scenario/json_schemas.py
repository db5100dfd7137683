"""The JSON Schemas of every file that users write, for editors that complete and check while typing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from simulator.foundation.errors import UnknownName
from simulator.foundation.files import canonical_json
from simulator.foundation.schema import StrictModel
from simulator.profiles.catalogue import PART_KINDS
from simulator.scenario.root import ScenarioFile
from simulator.workload.models.files import ModelText

VERSION: Final = "v1"

#: what the YAML servers of editors understand; the schemas keep to it
DIALECT: Final = "http://json-schema.org/draft-07/schema#"


def _models() -> Mapping[str, type[StrictModel]]:
    parts: dict[str, type[StrictModel]] = {kind.part: kind.schema for kind in PART_KINDS}
    return {"scenario": ScenarioFile, "model": ModelText, **parts}


def schema_files() -> tuple[str, ...]:
    """Return the file names of all schemas, such as ``scenario.v1.json``."""
    return tuple(f"{name}.{VERSION}.json" for name in sorted(_models()))


def schema_text(name: str) -> str:
    """Return a schema as canonical JSON; raises :class:`UnknownName`.

    Args:
        name: ``scenario``, ``model`` or a kind of part, also with the ending of its file.
    """
    models = _models()
    short = name.removesuffix(f".{VERSION}.json")
    if short not in models:
        raise UnknownName("schema", name, models)
    return canonical_json(models[short].model_json_schema() | {"$schema": DIALECT, "title": f"rackcast {short}"})
