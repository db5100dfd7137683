"""``rackcast run`` on services: several seeds, and runs that are stopped and go on."""

from __future__ import annotations

import json
import signal

import pytest

from simulator.cli import main
from simulator.cli.keeping import keeping
from simulator.foundation.shipped import shipped
from simulator.scenario import load_scenario
from simulator.simulation.serving import simulate_serving

CHAT = str(shipped("scenarios") / "serve-rollouts.yaml")
SHORT = ("workloads[0].traffic.seconds=60 s", "workloads[0].traffic.groups[0].rate=3 /s")
QUICK = tuple(part for change in SHORT for part in ("--set", change))


def run(capsys, *arguments):
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def interrupted(scenario, state):
    """Play the scenario's service and press Ctrl-C at its beginning."""
    with keeping(state, scenario, scenario.workloads[0]) as kept:
        signal.raise_signal(signal.SIGINT)
        simulate_serving(scenario, scenario.workloads[0], kept=kept)


def test_several_seeds_give_intervals_around_their_mean(capsys):
    code, out, _ = run(capsys, "run", CHAT, *QUICK, "--seeds", "3", "--json")
    found = json.loads(out)["intervals"]["ttft_p99_ms"]
    assert code == 0
    assert found["runs"] == 3
    assert found["least"] < found["mean"] < found["most"]
    assert found["half"] > 0


def test_several_seeds_cannot_be_kept(capsys, tmp_path):
    code, _, err = run(capsys, "run", CHAT, *QUICK, "--seeds", "2", "--resume", str(tmp_path / "state"))
    assert code == 2
    assert "leave one of them out" in err


def test_only_services_are_kept(capsys, tmp_path):
    file = str(shipped("scenarios") / "gpt3-175b-megatron.yaml")
    code, _, err = run(capsys, "run", file, "--resume", str(tmp_path / "state"))
    assert code == 2
    assert "--resume keeps the state of a service" in err


def test_an_interrupted_run_keeps_its_state_and_the_same_command_ends_it(capsys, tmp_path):
    state = tmp_path / "kept" / "state"
    _, whole, _ = run(capsys, "run", CHAT, *QUICK, "--json")
    scenario = load_scenario(CHAT, SHORT)
    with pytest.raises(KeyboardInterrupt):
        interrupted(scenario, state)
    assert state.exists()
    code, resumed, err = run(capsys, "run", CHAT, *QUICK, "--json", "--resume", str(state))
    assert code == 0
    assert "going on from" in err
    assert resumed == whole
    assert not state.exists()


def test_a_state_of_another_scenario_is_refused(capsys, tmp_path):
    state = tmp_path / "state"
    scenario = load_scenario(CHAT, SHORT)
    with pytest.raises(KeyboardInterrupt):
        interrupted(scenario, state)
    code, _, err = run(capsys, "run", CHAT, *QUICK, "--set", "run.seed=1", "--resume", str(state))
    assert code == 2
    assert "another run" in err
    assert state.exists()


WINDOWED = ("--set", "run.window=17")


def test_windows_give_the_figures_of_the_whole(capsys):
    _, whole, _ = run(capsys, "run", CHAT, *QUICK, "--json")
    _, cut, _ = run(capsys, "run", CHAT, *QUICK, *WINDOWED, "--json")
    whole, cut = json.loads(whole), json.loads(cut)
    assert cut["outcomes"] == whole["outcomes"]
    for name, value in whole["metrics"].items():
        sketched = "_p" in name and not name.startswith("itl")
        error = cut["quantile_error"] if sketched else 1e-11
        assert cut["metrics"][name] == (pytest.approx(value, rel=error) if value is not None else None), name


def test_a_row_for_each_request_is_kept_window_by_window(capsys, tmp_path):
    import pandas as pd

    code, out, _ = run(capsys, "run", CHAT, *QUICK, *WINDOWED, "--json", "--records", str(tmp_path / "rows"))
    assert code == 0
    files = sorted((tmp_path / "rows").iterdir())
    rows = sum(len(pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)) for file in files)
    assert len(files) > 2
    assert rows == json.loads(out)["metrics"]["requests"]


def test_a_run_in_windows_is_interrupted_and_goes_on(capsys, tmp_path):
    state = tmp_path / "state"
    _, whole, _ = run(capsys, "run", CHAT, *QUICK, *WINDOWED, "--json")
    with pytest.raises(KeyboardInterrupt):
        interrupted(load_scenario(CHAT, (*SHORT, "run.window=17")), state)
    code, resumed, _ = run(capsys, "run", CHAT, *QUICK, *WINDOWED, "--json", "--resume", str(state))
    assert code == 0
    assert resumed == whole


def test_only_services_that_generate_are_cut_in_windows(capsys):
    file = str(shipped("scenarios") / "serve-recommender.yaml")
    code, _, err = run(capsys, "run", file, *WINDOWED)
    assert code == 2
    assert "run.window cuts the traffic" in err
