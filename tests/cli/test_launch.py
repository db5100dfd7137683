"""``rackcast launch``."""

from __future__ import annotations

import json

from simulator.cli import main
from simulator.foundation.shipped import shipped

FILE = str(shipped("scenarios") / "gpt3-175b-megatron.yaml")


def test_launch_prints_or_writes_the_files(capsys, tmp_path):
    assert main(["launch", FILE, "--emit", "megatron"]) == 0
    printed = capsys.readouterr().out
    assert "--tensor-model-parallel-size 8" in printed
    assert main(["launch", FILE, "--emit", "megatron,slurm", "--out", str(tmp_path), "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert sorted(files) == ["job.sbatch", "megatron.sh"]
    assert (tmp_path / "megatron.sh").read_text() == files["megatron.sh"] == printed


def test_a_refusal_exits_with_two_and_says_why(capsys):
    assert main(["launch", FILE, "--emit", "deepspeed"]) == 2
    assert "cannot run this decision" in capsys.readouterr().err


def test_plan_writes_the_files_of_its_own_decision(capsys, tmp_path):
    small = ("workloads[0].model=gpt3-6.7b", "workloads[0].batch.global=64", "cluster.nodes[0].count=2",
             "plan.choices.zero=[0, 1]", "plan.confirm=1")  # fmt: skip
    changes = [word for change in small for word in ("--set", change)]
    question = ("plan", str(shipped("scenarios") / "gpt3-175b.yaml"), *changes, "--emit", "megatron", "--json")
    assert main([*question, "--out", str(tmp_path)]) == 0
    decision = json.loads(capsys.readouterr().out)["decision"]
    assert f"--tensor-model-parallel-size {decision['tp']} " in (tmp_path / "megatron.sh").read_text()
    assert main([*question]) == 2
    assert "--out" in capsys.readouterr().err


def test_a_job_that_is_not_decided_is_planned_first(capsys):
    small = ("workloads[0].model=gpt3-6.7b", "workloads[0].batch.global=64", "cluster.nodes[0].count=2",
             "plan.choices.zero=[0, 1]")  # fmt: skip
    changes = [word for change in small for word in ("--set", change)]
    assert main(["launch", str(shipped("scenarios") / "gpt3-175b.yaml"), *changes, "--emit", "megatron"]) == 0
    assert "--nnodes 2 --nproc-per-node 8" in capsys.readouterr().out
