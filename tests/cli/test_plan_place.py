from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.cli.app import main
from simulator.foundation.shipped import shipped

FILE = str(shipped("scenarios") / "plan-place-jobs.yaml")
JOBS = "{name: a, devices: 16, exchange: 1 GB}, {name: b, devices: 2, per_node: 1}, {name: c, devices: 512}"
FEW = ("--set", f"workloads[0].jobs=[{JOBS}]")


def test_a_placement_is_shown_written_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", FILE, *FEW, "--json", "--out", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["status"] == "ok"
    assert set(told["rejected"]) == {"c"}
    assert len({row["leaf"] for row in told["decision"] if row["job"] == "a"}) == 1
    assert {path.name for path in tmp_path.iterdir()} == {
        "plan.json",
        "plan.csv",
        "golden.yaml",
        "report.html",
        "placement.png",
    }
    assert main(["plan", FILE, *FEW]) == 0
    out = capsys.readouterr().out
    assert "Place 2 of 3 jobs" in out
    assert "too few devices" in out


def test_run_says_which_command_plans_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", FILE]) == 2
    assert "rackcast plan" in capsys.readouterr().err


def test_a_placement_is_held_fast_and_a_lost_job_is_a_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", FILE, *FEW, "--out", str(tmp_path)]) == 0
    golden = str(tmp_path / "golden.yaml")
    assert main(["plan", FILE, *FEW, "--expect", golden]) == 0
    assert main(["plan", FILE, *FEW, "--set", "workloads[0].jobs[0].within=node", "--expect", golden]) == 5
    assert "cannot all be placed now" in capsys.readouterr().err
    assert main(["plan", FILE, *FEW, "--objective", "cost"]) == 2
