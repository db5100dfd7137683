"""``rackcast run --seeds``: every kind of workload is played under several seeds, or says that nothing is chance."""

from __future__ import annotations

import json
import math

import pytest

from simulator.cli import main
from simulator.foundation.shipped import shipped
from simulator.scenario import load_scenario
from simulator.study.figures import figures_of

SCENARIOS = shipped("scenarios")
DRAWN = {
    "serve-recommender": ("latency_p99_ms", ("workloads[0].traffic.seconds=2 s",)),
    "serve-vision-graph": ("latency_p99_ms", ("workloads[0].traffic.seconds=2 s",)),
    "data-imagenet-stalls": ("epoch_time_s", ()),
    "federated-phones": ("round_time_s", ()),
    "rl-rollout-learner": ("step_time_s", ()),
}


def answered(capsys, name, *arguments, changes=()):
    sets = [part for change in changes for part in ("--set", change)]
    code = main(["run", str(SCENARIOS / f"{name}.yaml"), *sets, *arguments, "--json"])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return json.loads(captured.out), captured.err


@pytest.mark.parametrize("name", DRAWN)
def test_the_interval_is_that_of_the_runs_of_each_seed_alone(capsys, name):
    figure, changes = DRAWN[name]
    several, _ = answered(capsys, name, "--seeds", "3", changes=changes)
    alone = [answered(capsys, name, changes=(*changes, f"run.seed={seed}"))[0]["metrics"][figure] for seed in range(3)]
    found = several["intervals"][figure]
    assert several["chance"]
    assert found["runs"] == 3
    assert found["mean"] == pytest.approx(math.fsum(alone) / 3, rel=1e-9)
    assert (found["least"], found["most"]) == (min(alone), max(alone))
    assert found["least"] < found["most"]
    assert several["metrics"][figure] == alone[0]


def test_what_draws_nothing_says_so(capsys):
    found, said = answered(capsys, "gpt3-175b-megatron", "--seeds", "2")
    assert not found["chance"]
    assert "nothing in this workload is drawn" in said


def test_studies_show_means_over_the_seeds():
    file, changes = SCENARIOS / "serve-recommender.yaml", DRAWN["serve-recommender"][1]
    each = [figures_of(load_scenario(file, [*changes, f"run.seed={seed}"]))["latency_mean_ms"] for seed in (0, 1)]
    both = figures_of(load_scenario(file, [*changes, "run.seeds=2"]))["latency_mean_ms"]
    assert both == pytest.approx(sum(each) / 2)
