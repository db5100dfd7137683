"""``rackcast plan``."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from simulator.cli import main
from simulator.foundation.shipped import shipped

FILE = str(shipped("scenarios") / "gpt3-175b.yaml")
CHANGES = ("workloads[0].model=gpt3-6.7b", "workloads[0].batch.global=64", "cluster.nodes[0].count=2")
SMALL = tuple(word for change in CHANGES for word in ("--set", change))
PICTURES = ("layout", "memory", "memory-of-plans", "time-against-memory", "timeline", "waterfall")


def run(capsys, *arguments):
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_plan_prints_the_decision_the_reasons_and_the_runner_ups(capsys):
    code, out, err = run(capsys, "plan", FILE, *SMALL)
    assert (code, err) == (0, "")
    assert out.startswith("Take tp ")
    for word in ("MFU", "Binding constraint", "Rejected", "chosen", "worse by"):
        assert word in out


def test_json_holds_the_decision_in_full(capsys):
    code, out, _ = run(capsys, "plan", FILE, *SMALL, "--confirm", "1", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["status"] == "ok"
    assert found["decision"]["tp"] * found["decision"]["dp"] * found["decision"]["pp"] == 16
    assert found["explanation"][0].startswith("Take tp ")


def test_csv_has_a_row_per_layout(capsys):
    code, out, _ = run(capsys, "plan", FILE, *SMALL, "--confirm", "0", "--top", "3", "--csv")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith("rank,tp,cp,dp,pp")
    assert len(lines) == 5


def test_out_writes_tables_pictures_and_a_golden_file_that_holds(capsys, tmp_path):
    code, _, err = run(capsys, "plan", FILE, *SMALL, "--confirm", "1", "--out", str(tmp_path))
    assert code == 0
    assert "plan.json" in err
    for name in PICTURES:
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG"), name
    code, _, err = run(capsys, "plan", FILE, *SMALL, "--confirm", "1", "--expect", str(tmp_path / "golden.yaml"))
    assert (code, err) == (0, "")


def test_the_page_is_written_where_it_is_asked_for_and_into_the_bundle(capsys, tmp_path):
    folder, page = tmp_path / "out", tmp_path / "plan.html"
    code, _, err = run(capsys, "plan", FILE, *SMALL, "--confirm", "1", "--html", str(page), "--out", str(folder))
    assert code == 0
    assert "plan.html" in err
    assert page.read_bytes() == (folder / "report.html").read_bytes()
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_another_decision_than_expected_ends_with_code_5_and_one_line(capsys, tmp_path):
    golden = tmp_path / "golden.yaml"
    golden.write_text("scenario: gpt3-175b\nobjective: time\ndecision: {pp: 16}\n", encoding="utf-8")
    code, _, err = run(capsys, "plan", FILE, *SMALL, "--confirm", "0", "--expect", str(golden))
    assert code == 5
    assert err.count("\n") == 1
    assert "pp 16 -> " in err


def test_infeasible_ends_with_code_3_unless_it_was_expected(capsys, tmp_path):
    large = ("--set", "cluster.nodes[0].count=2")
    code, out, err = run(capsys, "plan", FILE, *large, "--json")
    assert code == 3
    assert json.loads(out)["status"] == "infeasible"
    assert "Smallest relaxation: take " in err
    golden = tmp_path / "golden.yaml"
    golden.write_text("scenario: gpt3-175b\nobjective: time\ndecision: {tp: 8}\n", encoding="utf-8")
    assert run(capsys, "plan", FILE, *large, "--expect", str(golden))[0] == 5


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (("--objective", "speed"), "no objective 'speed'"),
        (("--objective", "cost"), "cluster.nodes[0].price.rate"),
        (("--workload", "nothing"), "no workload 'nothing'"),
        (("--set", "plan.choices={pp: [7]}"), "widen plan.choices"),
        (("--expect", "missing.yaml"), "missing.yaml"),
    ],
)
def test_input_that_needs_mending_ends_with_code_2_and_one_line(capsys, arguments, needed):
    code, out, err = run(capsys, "plan", FILE, *SMALL, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert needed in err


@pytest.mark.slow
def test_the_json_is_the_same_under_another_hash_seed():
    texts = {
        subprocess.run(
            [sys.executable, "-m", "simulator", "plan", FILE, *SMALL, "--json"],
            capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(texts) == 1
