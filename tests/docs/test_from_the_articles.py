"""Every scenario, command and test that the page on the articles names is there, and every idea has both."""

from __future__ import annotations

import re

import pytest

from simulator.cli.app import VERBS
from tests.docs.test_pages import ROOT

PAGE = ROOT / "docs" / "from-the-articles.md"
TABLE = PAGE.read_text(encoding="utf-8").partition("## Where each idea can be seen")[2].partition("Not built")[0]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TABLE.splitlines()
        if line.startswith("| ") and not line.startswith(("| **", "| idea"))]  # fmt: skip


def test_the_table_has_a_row_for_every_idea() -> None:
    assert len(ROWS) >= 50
    assert len({idea for idea, _, _ in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("idea", "seen", "held"), ROWS, ids=[row[0] for row in ROWS])
def test_what_an_idea_names_is_there(idea: str, seen: str, held: str) -> None:
    scenarios = re.findall(r"`(scenarios/[^`]+)`", seen)
    verbs = re.findall(r"`rackcast (\w+)", seen)
    assert scenarios or verbs or "any " in seen, idea
    assert all((ROOT / path).is_file() for path in scenarios), scenarios
    assert all(verb in VERBS for verb in verbs), verbs
    tests = re.findall(r"`(tests/[^`]+)`", held)
    assert tests, idea
    for path, _, name in (test.partition("::") for test in tests):
        text = (ROOT / path).read_text(encoding="utf-8")
        assert f"def {name or 'test_'}" in text, f"{path}::{name}"
