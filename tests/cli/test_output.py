from __future__ import annotations

import json

import pytest

from simulator import __version__
from simulator.cli import output


def test_every_json_carries_its_versions_status_and_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    output.json_document({"step_s": 1.5}, warnings=["doubt"])
    assert json.loads(capsys.readouterr().out) == {
        "schema_version": output.SCHEMA_VERSION,
        "tool_version": __version__,
        "status": "ok",
        "warnings": ["doubt"],
        "step_s": 1.5,
    }


def test_the_keys_of_the_envelope_cannot_be_overwritten() -> None:
    with pytest.raises(AssertionError):
        output.envelope({"status": "fine"})


def test_there_is_a_status_for_every_exit_code() -> None:
    assert sorted(output.STATUS) == [0, 1, 2, 3, 4, 5, 6]
    assert len(set(output.STATUS.values())) == len(output.STATUS)


def test_csv_quotes_what_needs_it_and_leaves_nothing_empty_but_none(capsys: pytest.CaptureFixture[str]) -> None:
    output.csv(["name", "time_s"], [["a, b", 0.5], ['say "x"', None]])
    assert capsys.readouterr().out == 'name,time_s\n"a, b",0.5\n"say ""x""",\n'


def test_a_table_shows_headings_and_cells_without_colour_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(["name", "time [s]"], [["ring", 1.23456], ["tree", None], ["[bold]x", True]], title="Times")
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    for text in ("Times", "name", "time [s]", "ring", "1.235", "-", "[bold]x", "yes"):
        assert text in shown


def test_a_wide_table_is_not_cut_in_a_pipe(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    output.table([f"column {i}" for i in range(12)], [[f"value {i}" for i in range(12)]])
    shown = capsys.readouterr().out
    assert "column 11" in shown
    assert "value 11" in shown


def test_no_bar_is_drawn_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(output.progress(range(3), label="work")) == [0, 1, 2]
    assert capsys.readouterr().err == ""
