from __future__ import annotations

import json

import pytest

from simulator.cli import main
from simulator.foundation.shipped import shipped

FEWER = ("--set", "workloads[0].dataset.samples=200000")


CASES = [("data-imagenet-stalls", "stall_fraction"), ("batch-infer-mixed", "efficiency")]


@pytest.mark.parametrize(("name", "key"), CASES)
def test_a_data_scenario_is_run_and_written(name, key, capsys, tmp_path):
    code = main(["run", str(shipped("scenarios") / f"{name}.yaml"), *FEWER, "--json", "--out", str(tmp_path)])
    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert 0 < found["metrics"][key] <= 1
    assert (tmp_path / "stages.png").stat().st_size > 1000
    assert (tmp_path / "metrics.csv").read_text().startswith("metric,value")


def test_the_summary_names_the_bottleneck(capsys):
    assert main(["run", str(shipped("scenarios") / "data-imagenet-stalls.yaml")]) == 0
    assert "bottleneck: storage" in capsys.readouterr().out
