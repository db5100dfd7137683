from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from simulator.cli import main
from simulator.foundation.shipped import shipped
from simulator.foundation.yaml_reader import read_yaml
from simulator.scenario.json_schemas import DIALECT, schema_files, schema_text

TEMPLATES = sorted(path.stem for path in (shipped("scenarios") / "templates").glob("*.yaml"))
SCENARIOS = sorted(shipped("scenarios").glob("*.yaml")) + sorted((shipped("scenarios") / "templates").glob("*.yaml"))


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_init_writes_is_in_order(template: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "my.yaml"
    assert main(["init", str(file), "--template", template]) == 0
    assert main(["check", str(file)]) == 0
    assert "in order" in capsys.readouterr().out


def test_init_names_a_schema_that_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert Path(first.partition("=")[2]).is_file()


def test_init_overwrites_only_when_told_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "my.yaml"
    file.write_text("precious", encoding="utf-8")
    assert main(["init", str(file)]) == 2
    assert "there already" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == "precious"
    assert main(["init", str(file), "--force"]) == 0
    assert file.read_text(encoding="utf-8") != "precious"


def test_an_unknown_template_or_schema_gets_near_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--template", "trian"]) == 2
    assert main(["schema", "scenrio"]) == 2
    told = capsys.readouterr().err
    assert "Did you mean 'train'" in told
    assert "Did you mean 'scenario'" in told


@pytest.mark.parametrize("file", schema_files())
def test_the_committed_schemas_are_those_of_the_program(file: str) -> None:
    committed = (shipped("schemas") / file).read_text(encoding="utf-8")
    assert committed == schema_text(file), "run: make schemas"


def test_no_schema_is_committed_that_the_program_does_not_know() -> None:
    assert sorted(path.name for path in shipped("schemas").glob("*.json")) == sorted(schema_files())


@pytest.mark.parametrize("file", schema_files())
def test_every_schema_keeps_to_what_editors_understand(file: str) -> None:
    schema = json.loads(schema_text(file))
    assert schema["$schema"] == DIALECT
    jsonschema.Draft7Validator.check_schema(schema)
    assert "prefixItems" not in schema_text(file)
    assert "unevaluatedProperties" not in schema_text(file)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_every_shipped_scenario_is_in_order_for_the_program_and_for_editors(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(path)]) == 0, capsys.readouterr().err
    schema = json.loads(schema_text("scenario"))
    jsonschema.Draft7Validator(schema).validate(read_yaml(path).data)
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=")


def test_schemas_are_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "scenario"]) == 0
    assert capsys.readouterr().out == schema_text("scenario")
    assert main(["schema", "--out", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(schema_files())


def test_doctor_finds_everything_in_order_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert all(check["ok"] for check in found["checks"])
    assert {"packages", "hardware profiles", "models", "schemas"} <= {check["check"] for check in found["checks"]}
    assert main(["doctor"]) == 0
    assert "hardware profiles" in capsys.readouterr().out


def test_doctor_tells_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "schemas").mkdir()
    monkeypatch.setattr("simulator.foundation.shipped.shipped", lambda name: tmp_path / name)
    assert main(["doctor"]) == 2
    assert "schemas. Install rackcast again" in capsys.readouterr().err
