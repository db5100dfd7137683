"""Units beside numbers for people; JSON and CSV keep SI."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.cli.app import main
from simulator.cli.output import Styled
from simulator.cli.readable import cell, readable

SCENARIOS = Path(__file__).parents[2] / "scenarios"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("step_time_s", 29.11, "29.11 s"),
        ("memory_bytes", 3.3e10, "33 GB"),
        ("storage_read_bytes_per_s", 5.273e8, "527.3 MB/s"),
        ("flop_per_s_per_device", 1.121e14, "112.1 TFLOP/s"),
        ("power_w", 832e3, "832 kW"),
        ("stall_fraction", 0.4658, "46.58%"),
        ("data_stall_s", 0.0, "0"),
    ],
)
def test_a_figure_gets_the_unit_of_its_name(name, value, shown):
    assert cell(name, value) == Styled(text=shown, style="")


@pytest.mark.parametrize(("name", "value"), [("tokens_per_s", 9e4), ("devices", 8), ("limit", "disk"), ("x_s", None)])
def test_what_has_no_unit_stays(name, value):
    assert cell(name, value) == value


def test_headings_lose_the_unit_that_cells_carry():
    columns, rows = readable(["part", "memory_bytes", "share_of_limit"], [["weights", 2e9, 0.5]])
    assert columns == ["part", "memory", "share_of_limit"]
    assert [getattr(value, "text", value) for value in rows[0]] == ["weights", "2 GB", "50.00%"]


def test_a_shared_fabric_is_sent_to_the_verb_that_plays_it(capsys):
    assert main(["run", str(SCENARIOS / "two-jobs-fat-tree.yaml")]) == 2
    assert "rackcast comm share" in capsys.readouterr().err


def test_json_keeps_seconds(capsys):
    assert main(["run", str(SCENARIOS / "data-imagenet-stalls.yaml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["epoch_time_s"] > 60
