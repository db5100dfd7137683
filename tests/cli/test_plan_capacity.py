from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.cli.app import main
from simulator.foundation.shipped import shipped

FILE = str(shipped("scenarios") / "plan-capacity-regions.yaml")


def test_capacity_is_shown_written_drawn_and_held_fast(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", FILE, "--json", "--out", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["decision"]) >= {"chat-europe", "chat-america", "pipeline"}
    for row in told["by_period"]:
        held = row["owned"] + row["reserved-3y"] + row["reserved-1y"] + row["on-demand"] + row["spot"]
        assert held >= row["asked_nodes"]
    assert all(one is None or one["cost_usd"] >= told["cost_usd"] - 1.0 for one in told["others"].values())
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "plan.json",
        "plan.csv",
        "golden.yaml",
        "report.html",
        "nodes-by-period.png",
        "cost-against-carbon.png",
    }
    golden = str(tmp_path / "golden.yaml")
    assert main(["plan", FILE, "--expect", golden]) == 0
    out = capsys.readouterr().out
    assert "Binding: it would cost less without" in out
    assert "busy hours" in out
    moved = ["--set", "workloads[0].demands[2].allowed=[eemshaven]"]
    assert main(["plan", FILE, *moved, "--expect", golden]) == 5
    assert main(["plan", FILE, "--objective", "time"]) == 2
