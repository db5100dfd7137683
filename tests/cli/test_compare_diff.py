"""``rackcast compare`` and ``rackcast diff``."""

from __future__ import annotations

import json

import pytest

from simulator.cli import main
from simulator.foundation.shipped import shipped

FILE = str(shipped("scenarios") / "gpt3-175b-megatron.yaml")


@pytest.fixture
def bundles(tmp_path, capsys):
    paths = []
    for number, batch in enumerate((1536, 3072)):
        assert (
            main(
                ["run", FILE, "--set", "run.fidelity=estimate", "--set", f"workloads[0].batch.global={batch}", "--json"]
            )
            == 0
        )
        path = tmp_path / f"{number}.json"
        path.write_text(capsys.readouterr().out)
        paths.append(str(path))
    return paths


def test_compare_shows_both_and_the_change(bundles, capsys):
    assert main(["compare", *bundles]) == 0
    out = capsys.readouterr().out
    assert "step_time_s" in out
    assert "%" in out
    assert main(["compare", *bundles, "--json"]) == 0
    figures = {one["metric"]: one for one in json.loads(capsys.readouterr().out)["figures"]}
    assert figures["step_time_s"]["change_fraction"] > 0.5


def test_diff_names_the_cause_and_a_changed_decision_exits_with_five(bundles, capsys):
    assert main(["diff", *bundles]) == 5
    out = capsys.readouterr().out
    assert "workloads[0].batch.global" in out
    assert "micro_batches" in out
    assert main(["diff", bundles[0], bundles[0]]) == 0
    assert "are the same" in capsys.readouterr().out


def test_a_path_that_is_nothing_exits_with_two(capsys):
    assert main(["diff", "nowhere", "nowhere"]) == 2
    assert "no such file" in capsys.readouterr().err
