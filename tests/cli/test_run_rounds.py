"""``rackcast run`` on federated rounds and reinforcement learning."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.cli import main
from simulator.foundation.shipped import shipped

PHONES = str(shipped("scenarios") / "federated-phones.yaml")
POOLS = str(shipped("scenarios") / "rl-rollout-learner.yaml")
QUICK = ["--set", "workloads[0].steps=4"]


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, float]:
    assert main(["run", *words, "--json"]) == 0
    figures: dict[str, float] = json.loads(capsys.readouterr().out)["metrics"]
    return figures


def test_phones_answer_in_rounds(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = ask(capsys, PHONES, "--out", str(tmp_path))
    assert found["answers_per_round"] == 100
    assert found["round_time_s"] == pytest.approx(found["round_time_closed_form_s"], rel=0.03)
    assert found["sent_up_bytes"] == pytest.approx(100 * 5.6e6)
    assert (tmp_path / "rounds.png").stat().st_size > 0
    assert len((tmp_path / "rounds.csv").read_text().splitlines()) == 401


def test_a_compressed_update_is_a_quarter_on_its_way_up(capsys: pytest.CaptureFixture[str]) -> None:
    plain = ask(capsys, PHONES)
    packed = ask(capsys, PHONES, "--set", "workloads[0].compress={kind: 8-bit}")
    assert packed["sent_up_bytes"] == pytest.approx(plain["sent_up_bytes"] / 4, rel=0.01)
    assert packed["sent_down_bytes"] == plain["sent_down_bytes"]


def test_pools_are_divided(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = ask(capsys, POOLS, *QUICK, "--out", str(tmp_path))
    assert found["best_step_time_s"] <= found["step_time_s"]
    assert (tmp_path / "divisions.png").stat().st_size > 0
    turns = ask(capsys, POOLS, *QUICK, "--set", "workloads[0].ahead=0")
    assert turns["step_time_s"] == pytest.approx(turns["write_s"] + turns["learn_s"], rel=0.1)
    assert turns["step_time_s"] > found["step_time_s"]


@pytest.mark.parametrize(
    ("file", "override", "told"),
    [
        (PHONES, "workloads[0].round={sampled: 10, dropout: 0.1}", "waits for all"),
        (PHONES, "workloads[0].round={sampled: 10, needed: 11}", "at most the next"),
        (PHONES, "workloads[0].compress={kind: power-sgd}", "name the model"),
        (POOLS, "workloads[0].rollout.nodes=8", "at least 1 must learn"),
        (POOLS, "workloads[0].learner.tp=16", "does not divide"),
    ],
)
def test_what_cannot_be_is_refused(file: str, override: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", file, "--set", override]) == 2
    assert told in capsys.readouterr().err
