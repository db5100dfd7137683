from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.cli import main
from simulator.foundation.shipped import shipped

QUESTION = shipped("scenarios") / "gpt3-175b.yaml"


def test_a_scenario_in_order_is_summed_up_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(QUESTION)]) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1
    assert "1024 devices (128 x dgx-a100-640gb)" in captured.out
    assert captured.err == ""


def test_profiles_and_models_are_checked_by_the_same_verb(capsys: pytest.CaptureFixture[str]) -> None:
    device = next((shipped("hardware_profiles") / "devices").rglob("*a100-sxm4-80gb.yaml"))
    model = shipped("scenarios") / "models" / "gpt3-175b.yaml"
    assert main(["check", str(device), str(model), "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert [(entry["kind"], entry["name"]) for entry in files] == [("profile", device.stem), ("model", "gpt3-175b")]


def test_an_override_is_checked_with_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(QUESTION), "--set", "cluster.nodes[0].count=3"]) == 0
    assert "24 devices" in capsys.readouterr().out
    assert main(["check", str(QUESTION), "--set", "cluster.nodes[0].count=none"]) == 2
    assert capsys.readouterr().err == (
        "error: --set cluster.nodes[0].count=none: found 'none'; write a whole number, without quotes.\n"
    )


def test_json_names_the_digest_of_the_question(capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", str(QUESTION), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == "ok"
    assert len(found["files"][0]["scenario_sha256"]) == 64


def test_one_broken_file_among_good_ones_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("schema_version: 1\n", encoding="utf-8")
    assert main(["check", str(QUESTION), str(broken)]) == 2
    assert all(str(broken) in line for line in capsys.readouterr().err.splitlines())


def test_the_smallest_device_of_a_mixed_cluster_decides_what_fits(capsys: pytest.CaptureFixture[str]) -> None:
    nodes = "cluster.nodes=[{profile: dgx-a100-640gb, count: 8}, {profile: dgx-a100-320gb, count: 8}]"
    layout = ["--set", "workloads[0].parallelism={tp: 8, pp: 8, zero: 1}", "--set", "workloads[0].batch.micro=1"]
    assert main(["check", str(QUESTION), "--set", nodes, *layout]) == 3
    assert "nvidia-a100-sxm4-40gb has" in capsys.readouterr().err


def test_what_does_not_fit_is_data_with_its_account(capsys: pytest.CaptureFixture[str]) -> None:
    layout = ["--set", "workloads[0].parallelism={tp: 8, pp: 2}", "--set", "workloads[0].batch.micro=1"]
    assert main(["check", str(QUESTION), *layout, "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert (found["status"], found["binding"]) == ("infeasible", "memory of a device")
    assert found["account"]["needed"] > found["account"]["limit"]
    assert found["relaxation"]
