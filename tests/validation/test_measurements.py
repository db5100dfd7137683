"""The measurements that ship: whole, sourced, and only what may be shipped."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from simulator.foundation.errors import InputError
from simulator.foundation.shipped import shipped
from simulator.validation.measurements import keep_kind, read_tables, shipped_tables

TABLES = read_tables([])
ROWS = [row for table in TABLES for row in table.rows]
README = (shipped("measurements") / "README.md").read_text(encoding="utf-8")


def test_all_kinds_of_tables_ship():
    assert [path.name.split(".")[0] for path in shipped_tables()] == ["inference", "network", "serving", "training"]
    assert {table.kind for table in TABLES} == {"training", "inference", "network"}


def test_every_row_says_where_it_was_published():
    assert all(row.text("source") for row in ROWS)


def test_ids_are_unique_over_all_tables():
    assert len({row.text("id") for row in ROWS}) == len(ROWS)


def test_every_row_can_be_judged():
    assert all(row.usable != "no" or row.ran_out_of_memory for row in ROWS)


def test_the_readme_names_licence_and_attribution_of_every_source_with_its_rows():
    listed = {}
    for line in README.splitlines():
        parts = [part.strip() for part in line.strip("|").split("|")]
        if len(parts) == 6 and parts[2].isdigit():
            table, group, rows, usable, licence, attribution = parts
            assert licence
            assert attribution
            listed[table, group] = (int(rows), int(usable))
    counted = Counter()
    usable = Counter()
    for path, table in zip(shipped_tables(), TABLES, strict=True):
        for row in table.rows:
            key = (path.name.split(".")[0], row.text("source_group"))
            counted[key] += 1
            usable[key] += row.usable == "yes"
    assert listed == {key: (counted[key], usable[key]) for key in counted}


def test_mlperf_rows_are_labelled_as_not_verified():
    rounds = {row.text("source_group") for row in ROWS if row.text("source_group").startswith("mlperf")}
    assert rounds
    for name in rounds:
        line = next(line for line in README.splitlines() if f"| {name} |" in line)
        assert re.search(r"MLPerf (Training|Inference) v\d\.\d", line)
        assert "taken from the logs, not verified by MLCommons" in line


def test_notes_hold_settings_and_no_sentences():
    settings = re.compile(r"\w+=[\w.+-]+")
    for row in ROWS:
        assert all(settings.fullmatch(part) for part in row.text("notes").split("; ") if part)


def test_a_kind_is_chosen_by_regular_expression():
    kept = keep_kind(ROWS, "^llm-pretrain")
    assert {row.text("kind_of_work") for row in kept} == {"llm-pretrain"}
    assert keep_kind(ROWS, None) == tuple(ROWS)


@pytest.mark.parametrize(("pattern", "said"), [("(", "no regular expression"), ("^nothing$", "no row has a kind")])
def test_a_kind_that_chooses_nothing_is_refused(pattern, said):
    with pytest.raises(InputError, match=said):
        keep_kind(ROWS[:50], pattern)
