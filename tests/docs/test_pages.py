"""The pages name only what is there: files, verbs, keys; and their examples run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from simulator.cli import main, options, output
from simulator.cli.app import VERBS
from simulator.scenario import load_scenario

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"(?<!!)\[[^\]]*\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_on_the_pages_are_verbs(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    fenced = "".join(re.findall(r"^```\w*\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE))
    verb = r"rackcast ([a-z]+(?:-[a-z]+)*)"
    named = re.findall(rf"^\$? ?{verb}", fenced, flags=re.MULTILINE) + re.findall(f"`{verb}", text)
    unknown = set(named) - set(VERBS) - {"devices"}  # the example of docs/extending.md
    assert not unknown


def test_the_readme_opens_with_a_question_that_is_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = blocks(ROOT / "README.md", "yaml")
    file = tmp_path / "readme.yaml"
    file.write_text(example, encoding="utf-8")
    assert main(["check", str(file)]) == 0, capsys.readouterr().err
    assert load_scenario(file).devices == 1024


def test_the_verb_in_the_extending_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code = next(block for block in blocks(ROOT / "docs" / "extending.md", "python") if "def command" in block)
    room: dict[str, Any] = {"options": options, "output": output}
    exec(code, room)
    app = typer.Typer(add_completion=False)
    app.command()(room["command"])
    app(args=[str(ROOT / "scenarios" / "gpt3-175b.yaml"), "--json"], standalone_mode=False)
    assert '"devices": 1024' in capsys.readouterr().out


def test_no_page_names_a_place_on_somebodys_machine() -> None:
    for page in PAGES:
        assert not re.search(r"(?<![\w.])/(home|root|tmp|work|Users)/", page.read_text(encoding="utf-8")), page.name
