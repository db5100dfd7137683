"""Every broken file gets one line per problem, with place, cause and mend, and exit code 2 or 3; never a traceback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from simulator.cli import main
from tests.bad_input.corpus import CASES, HERE, expected, told

PLACED = re.compile(r"(error: )?FILE(:\d+:\d+)?( [^ ]+)?: ")


def test_the_corpus_is_large_and_fails_in_both_ways() -> None:
    assert len(CASES) >= 60
    assert {expected(case)[0] for case in CASES} == {2, 3}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_broken_file_is_answered_with_place_cause_and_mend(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = expected(case)
    assert main(["check", str(case)]) == code
    captured = capsys.readouterr()
    assert told(captured.err, case) == lines
    assert captured.out == ""
    assert all(PLACED.match(line) for line in lines), "each line begins with its place"


def _empty(folder: Path) -> Path:
    path = folder / "empty.yaml"
    path.touch()
    return path


def _folder(folder: Path) -> Path:
    return folder


def _missing(folder: Path) -> Path:
    return folder / "missing.yaml"


def _latin(folder: Path) -> Path:
    path = folder / "latin.yaml"
    path.write_bytes("name: Zürich\n".encode("latin-1"))
    return path


def _wide(folder: Path) -> Path:
    path = folder / "utf16.yaml"
    path.write_bytes("schema_version: 1\n".encode("utf-16"))
    return path


def _binary(folder: Path) -> Path:
    path = folder / "binary.yaml"
    path.write_bytes(bytes(range(128)) * 20)
    return path


def _large(folder: Path) -> Path:
    path = folder / "large.yaml"
    path.write_bytes(b"#" * 5_000_000)
    return path


def _many_values(folder: Path) -> Path:
    path = folder / "many.yaml"
    path.write_text("a: [" + "1, " * 250_000 + "]", encoding="utf-8")
    return path


def _link_to_itself(folder: Path) -> Path:
    path = folder / "loop.yaml"
    path.symlink_to(path)
    return path


def _model_behind_a_link(folder: Path) -> Path:
    (folder / "outside.yaml").write_text("name: secret\n", encoding="utf-8")
    inside = folder / "inside"
    inside.mkdir()
    (inside / "mine.yaml").symlink_to(folder / "outside.yaml")
    path = inside / "scenario.yaml"
    text = (HERE / "model-path-missing.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("models/nowhere.yaml", "mine.yaml"), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_empty, "the file is empty"),
        (_folder, "this is a directory; name a YAML file in it"),
        (_missing, "no such file"),
        (_latin, "not UTF-8 text (byte 7); save the file as UTF-8"),
        (_wide, "not UTF-8 text"),
        (_binary, "not YAML"),
        (_large, "the file has 5000000 bytes; at most"),
        (_many_values, "more than 200000 values"),
        (_link_to_itself, "cannot be read"),
        (_model_behind_a_link, "'mine.yaml' is a link out of the scenario's folder"),
    ],
)
def test_what_cannot_be_kept_as_text_is_answered_as_well(
    make: Callable[[Path], Path], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make(tmp_path)
    assert main(["check", str(path)]) == 2
    captured = capsys.readouterr()
    assert len(captured.err.splitlines()) == 1
    assert captured.err.startswith(f"error: {path}")
    assert says in captured.err


@pytest.mark.parametrize(
    "name", ["yaml-alias-bomb", "fabric-too-small", "layout-tp-does-not-divide-heads", "profile-peak-in-tflops"]
)
def test_a_process_of_its_own_answers_alike(name: str) -> None:
    case = HERE / f"{name}.yaml"
    code, lines = expected(case)
    environment = {**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(HERE.parents[1])}
    done = subprocess.run(
        [sys.executable, "-m", "simulator", "check", str(case)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert (done.returncode, told(done.stderr, case), done.stdout) == (code, lines, "")


def test_problems_of_several_files_are_told_together(capsys: pytest.CaptureFixture[str]) -> None:
    cases = [HERE / "cluster-count-zero.yaml", HERE / "shape-without-layers.yaml"]
    assert main(["check", *map(str, cases)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [str(case) in line for case, line in zip(cases, lines, strict=True)] == [True, True]
