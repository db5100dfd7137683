"""``rackcast sweep``."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from simulator.cli import main
from simulator.foundation.shipped import shipped

FILE = str(shipped("scenarios") / "gpt3-175b-megatron.yaml")
BASE = ("sweep", FILE, "--set", "workloads[0].parallelism.vpp=1", "--set", "run.fidelity=estimate",
        "--vary", "workloads[0].parallelism.pp=3,8,16")  # fmt: skip


def test_sweep_shows_every_point_and_why_one_does_not_fit(capsys):
    assert main([*BASE]) == 0
    out = capsys.readouterr().out
    assert "3 points" in out
    assert "point 0: " in out
    assert "does not divide" in out


def test_sweep_writes_one_table_in_every_form(capsys, tmp_path):
    assert main([*BASE, "--out", str(tmp_path), "--store", str(tmp_path / "s.db"), "--json"]) == 0
    points = json.loads(capsys.readouterr().out)["points"]
    table = pd.read_csv(tmp_path / "sweep.csv")
    assert [point["status"] for point in points] == list(table["status"]) == ["invalid", "ok", "ok"]
    assert points[2]["step_time_s"] == pytest.approx(table["step_time_s"][2])
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")
    pytest.importorskip("pyarrow")
    assert list(pd.read_parquet(tmp_path / "sweep.parquet").columns) == list(table.columns)


def test_a_key_given_twice_is_refused(capsys):
    assert main([*BASE, "--vary", "workloads[0].parallelism.pp=4"]) == 2
    assert "varies already" in capsys.readouterr().err
