"""``rackcast run``, ``explain`` and ``fit``."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from simulator.cli import main
from simulator.foundation.shipped import shipped

FILE = str(shipped("scenarios") / "gpt3-175b-megatron.yaml")
QUICK = ("--set", "workloads[0].batch.global=128")


def run(capsys, *arguments):
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_run_prints_the_answer_and_where_the_time_goes(capsys):
    code, out, err = run(capsys, "run", FILE, *QUICK)
    assert (code, err) == (0, "")
    assert "per step" in out
    assert "MFU" in out
    assert "bubble" in out


def test_json_is_one_document_with_definitions(capsys):
    code, out, _ = run(capsys, "run", FILE, *QUICK, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["status"] == "ok"
    assert found["metrics"].keys() == found["metric_definitions"].keys()
    assert sum(found["parts_s"].values()) == pytest.approx(found["metrics"]["step_time_s"])


def test_csv_has_a_header_and_a_row_per_figure(capsys):
    code, out, _ = run(capsys, "run", FILE, *QUICK, "--csv")
    assert code == 0
    assert out.splitlines()[0] == "metric,value,meaning"
    assert any(line.startswith("mfu,0.") for line in out.splitlines())


@pytest.mark.slow
def test_out_holds_the_answer_its_tables_pictures_and_a_trace(capsys, tmp_path):
    code, _, err = run(capsys, "run", FILE, *QUICK, "--out", str(tmp_path))
    assert code == 0
    assert "wrote result.json" in err
    pictures = {"timeline.png", "memory.png", "layout.png", "waterfall.png", "run.png"}
    tables = {"metrics.csv", "parts.csv", "memory.csv", "timeline.csv", "run.csv"}
    assert {path.name for path in tmp_path.iterdir()} == pictures | tables | {"result.json", "trace.json"}
    trace = json.loads((tmp_path / "trace.json").read_text())
    assert {event["ph"] for event in trace["traceEvents"]} == {"M", "X"}


def test_an_undecided_scenario_is_sent_to_plan(capsys):
    code, _, err = run(capsys, "run", str(shipped("scenarios") / "gpt3-175b.yaml"))
    assert code == 2
    assert "rackcast plan" in err


def test_what_does_not_fit_ends_with_three_and_the_way_out(capsys):
    code, out, err = run(
        capsys, "run", FILE, "--set", "workloads[0].parallelism={tp: 8, pp: 2, recompute: full}", "--json"
    )
    found = json.loads(out)
    assert (code, found["status"]) == (3, "infeasible")
    assert found["account"]["needed"] > found["account"]["limit"]
    assert "Smallest relaxation" in err


def test_a_missed_limit_warns_and_fails_only_if_asked(capsys):
    limit = ("--set", "slo.mfu=0.9")
    assert run(capsys, "run", FILE, *QUICK, *limit)[0] == 0
    code, _, err = run(capsys, "run", FILE, *QUICK, *limit, "--fail-on", "slo")
    assert code == 4
    assert "slo.mfu" in err
    assert run(capsys, "run", FILE, "--fail-on", "moon")[0] == 2


def test_explain_speaks_in_sentences(capsys):
    code, out, _ = run(capsys, "explain", FILE, *QUICK)
    assert code == 0
    assert "The largest part" in out  # less than half of it
    assert "What bounds it" in out
    assert "The fullest device holds" in out


def test_fit_accounts_for_the_memory(capsys):
    arguments = ("fit", "llama-3.1-8b", "--on", "h100-sxm:8", "--tp", "8", "--seq-len", "4096", "--sequence-parallel")
    code, out, _ = run(capsys, *arguments, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["needed_bytes"] == pytest.approx(sum(found["memory_bytes"].values()))
    assert run(capsys, *arguments)[0] == 0
    assert run(capsys, *arguments, "--csv")[1].startswith("part,memory_bytes")


def test_fit_says_what_would_fit(capsys):
    code, _, err = run(capsys, "fit", "llama-3.1-8b", "--on", "dgx-h100", "--seq-len", "8192")
    assert code == 3
    assert "Smallest relaxation: " in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("llama-3.1-8b", "--on", "h100-sxm:x"), "h100-sxm:8"),
        (("llama-3.1-8b", "--on", "h100-sxm:8", "--tp", "3"), "does not divide"),
        (("llama-3.1-8b", "--on", "h999"), "no device"),
        (("resnet50-v1.5", "--on", "h100-sxm:2", "--tp", "2"), "resnet50"),
    ],
)
def test_fit_refuses_what_makes_no_sense(capsys, arguments, told):
    code, _, err = run(capsys, "fit", *arguments)
    assert code == 2
    assert told in err


@pytest.mark.slow
def test_the_same_question_gives_the_same_bytes_under_another_hash_seed():
    command = [sys.executable, "-c", "import sys; from simulator.cli import main; sys.exit(main(sys.argv[1:]))"]
    answers = {
        subprocess.run(
            [*command, "run", FILE, *QUICK, "--json"], capture_output=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "4242")
    }  # fmt: skip
    assert len(answers) == 1


@pytest.mark.parametrize(
    ("name", "bound", "buys"),
    [("rl-rollout-learner", "the writers bound most", "One node more for the writers"),
     ("federated-phones", "slowest answer that is needed bounds it", "By order statistics")],
)  # fmt: skip
def test_rounds_and_rollouts_are_explained_with_what_bounds_them_and_how_sure_that_is(capsys, name, bound, buys):
    code, out, _ = run(capsys, "explain", str(shipped("scenarios") / f"{name}.yaml"))
    assert code == 0
    assert bound in out
    assert buys in out
    assert "measured" in out
