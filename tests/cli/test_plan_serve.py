"""``rackcast plan`` of a service."""

from __future__ import annotations

import json

from simulator.cli import main
from simulator.foundation.shipped import shipped

FILE = str(shipped("scenarios") / "plan-serve-70b.yaml")
CHANGES = (
    "workloads[0].model=llama-3.1-8b",
    "workloads[0].traffic.seconds=10 s",
    "workloads[0].traffic.groups[0].rate=6 /s",
    "plan.choices.nodes=[aws-g6e.xlarge, aws-p5.4xlarge]",
    "plan.choices.count=[1, 2]",
    "plan.choices.max_num_seqs=[64]",
    "plan.choices.max_num_batched_tokens=[2048]",
)
SMALL = tuple(word for change in CHANGES for word in ("--set", change))


def run(capsys, *arguments):
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_plan_of_a_service_prints_the_decision_the_reasons_and_the_runner_ups(capsys):
    code, out, err = run(capsys, "plan", FILE, *SMALL)
    assert (code, err) == (0, "")
    assert out.startswith("Take ")
    for word in ("USD/h", "Binding constraint", "chosen", "worse by", "fresh draw"):
        assert word in out


def test_json_and_files_hold_the_decision(capsys, tmp_path):
    code, out, err = run(capsys, "plan", FILE, *SMALL, "--json", "--out", str(tmp_path))
    found = json.loads(out)
    assert code == 0
    assert found["decision"]["node"] in ("aws-g6e.xlarge", "aws-p5.4xlarge")
    assert json.loads((tmp_path / "plan.json").read_text())["decision"] == found["decision"]
    assert len((tmp_path / "plan.csv").read_text().splitlines()) == len(found["runner_ups"]) + 2
    assert "plan.csv" in err


def test_a_service_holds_its_golden_file_and_exits_5_when_the_decision_moved(capsys, tmp_path):
    assert run(capsys, "plan", FILE, *SMALL, "--out", str(tmp_path))[0] == 0
    golden = tmp_path / "golden.yaml"
    assert run(capsys, "plan", FILE, *SMALL, "--expect", str(golden))[::2] == (0, "")
    code, _, err = run(capsys, "plan", FILE, *SMALL, "--set", "workloads[0].traffic.groups[0].rate=30 /s",
                       "--expect", str(golden))  # fmt: skip
    assert (code, err.count("\n")) == (5, 1)
    assert "changed: " in err
    assert "->" in err
    code, _, err = run(capsys, "plan", FILE, *SMALL, "--set", "workloads[0].limits.tpot=2 ms", "--expect", str(golden))
    assert code == 5
    assert "now-infeasible" in err


def test_a_drift_is_told_and_exits_5_only_where_that_is_asked(capsys, tmp_path):
    golden = tmp_path / "golden.yaml"
    assert run(capsys, "plan", FILE, *SMALL, "--out", str(tmp_path))[0] == 0
    golden.write_text(golden.read_text().replace("ttft_p95_ms: {value: ", "ttft_p95_ms: {value: 9"))
    code, out, err = run(capsys, "plan", FILE, *SMALL, "--expect", str(golden))
    assert code == 0
    assert out.startswith("Take ")
    assert "drift: ttft_p95_ms drifted from 9" in err
    assert run(capsys, "plan", FILE, *SMALL, "--expect", str(golden), "--fail-on", "drift")[0] == 5
    code, _, err = run(capsys, "plan", FILE, *SMALL, "--expect", str(golden), "--fail-on", "drifts")
    assert code == 2
    assert "Did you mean 'drift'" in err


def test_a_service_that_nothing_can_serve_ends_with_3(capsys):
    code, _, err = run(capsys, "plan", FILE, *SMALL, "--set", "workloads[0].limits.tpot=2 ms")
    assert code == 3
    assert "TPOT" in err


def test_options_of_training_plans_are_refused(capsys):
    code, _, err = run(capsys, "plan", FILE, *SMALL, "--confirm", "1")
    assert code == 2
    assert "plan.simulations" in err


def test_a_mix_of_machines_is_told_with_what_each_kind_alone_would_cost(capsys, tmp_path):
    mixed = str(shipped("scenarios") / "plan-serve-mix.yaml")
    small = (
        "--set",
        "workloads[0].traffic.seconds=20 s",
        "--set",
        "plan.choices.nodes=[aws-g6e.xlarge, aws-p5.4xlarge]",
    )
    assert main(["plan", mixed, *small, "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Take ")
    assert "each kind alone would cost: aws-g6e.xlarge" in out
    assert json.loads((tmp_path / "plan.json").read_text())["decision"]
