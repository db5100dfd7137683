"""``rackcast comm``: sizes, measurements beside, shared fabrics, calibration from a log."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from simulator.cli import main
from simulator.cli.comm import COLLECTIVES, parse_sizes
from simulator.costs.collectives.algorithms import OPERATIONS
from simulator.foundation.errors import InputError
from simulator.foundation.shipped import shipped

SCENARIOS = shipped("scenarios")

LINE = "{:12d} {:13d}     float     sum      -1   {:8.2f}    1.00    1.00      0\n"


def run(capsys, *arguments):
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_every_collective_has_a_verb():
    assert sorted(COLLECTIVES) == sorted(OPERATIONS)


def test_published_measurements_stand_beside_the_prediction(capsys):
    code, out, _ = run(capsys, "comm", "all-reduce", "--on", "dgx-a100-640gb:1", "--sizes", "64MiB", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert {row["source"] for row in rows} >= {"aiconfigurator", "vidur"}
    assert all(float(row["predicted_over_measured"]) == pytest.approx(1, abs=0.25) for row in rows)


def test_json_holds_the_same_and_says_what_is_assumed(capsys):
    code, out, _ = run(capsys, "comm", "all-gather", "--on", "dgx-h100:16", "--sizes", "1KiB..1GiB", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["ranks"] == 128
    assert len(found["rows"]) == 21
    assert any("infiniband" in warning for warning in found["warnings"])


def test_an_algorithm_may_be_chosen(capsys):
    asked = ("comm", "all-reduce", "--on", "dgx-h100:4", "--sizes", "1MiB", "--algorithm", "ring", "--json")
    _, out, _ = run(capsys, *asked)
    assert {row["algorithm"] for row in json.loads(out)["rows"]} == {"ring"}


def test_pictures_and_tables_are_written(capsys, tmp_path):
    code, _, _ = run(
        capsys, "comm", "all-reduce", "--on", "dgx-h100:1", "--sizes", "1KiB..64MiB", "--out", str(tmp_path)
    )
    assert code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"all-reduce.png", "all-reduce.csv"}


def test_a_shipped_scenario_tells_who_slows_whom(capsys, tmp_path):
    scenario = str(SCENARIOS / "two-jobs-fat-tree.yaml")
    code, out, _ = run(capsys, "comm", "share", scenario, "--json", "--out", str(tmp_path))
    found = json.loads(out)
    assert code == 0
    assert found["jobs"]["first"]["factor"] > 1.1
    assert {one["job"] for one in found["slowdowns"]} == {"first", "second"}
    _, better, _ = run(capsys, "comm", "share", scenario, "--routing", "adaptive", "--json")
    assert json.loads(better)["jobs"]["first"]["factor"] < found["jobs"]["first"]["factor"]


def test_a_wan_adds_its_round_trip_and_its_bill(capsys):
    _, out, _ = run(capsys, "comm", "share", str(SCENARIOS / "wan-two-regions.yaml"), "--json")
    jobs = json.loads(out)["jobs"]
    assert jobs["across"]["step_s"] > jobs["at-home"]["step_s"] + 0.03
    assert jobs["across"]["wan_usd_per_step"] == pytest.approx(4 * 0.02)
    assert jobs["at-home"]["wan_bytes_per_step"] == 0


def test_a_log_is_turned_into_constants(capsys, tmp_path):
    log = tmp_path / "all_reduce.log"
    sizes = [2**power for power in range(10, 31)]
    log.write_text("# all_reduce_perf\n" + "".join(LINE.format(n, n // 4, 20 + n / 250e3) for n in sizes))
    code, out, _ = run(capsys, "comm", "fit", str(log), "--on", "dgx-h100:1", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["class"] == "nvlink4"
    assert found["median_error"] < 0.1
    assert set(found["constants"]) >= {"launch", "link_fraction"}
    code, out, _ = run(capsys, "comm", "fit", str(log), "--on", "dgx-h100:1")
    assert "inherits: nvlink4" in out


def test_calibrate_is_the_same_fit_under_its_own_name(capsys, tmp_path):
    log = tmp_path / "all_reduce.log"
    sizes = [2**power for power in range(10, 31)]
    log.write_text("# all_reduce_perf\n" + "".join(LINE.format(n, n // 4, 20 + n / 250e3) for n in sizes))
    rest = (str(log), "--on", "dgx-h100:1", "--json")
    answers = [run(capsys, "calibrate", *rest), run(capsys, "comm", "fit", *rest)]
    assert answers[0] == answers[1]
    assert answers[0][0] == 0


def test_calibrate_tells_a_log_that_is_none(capsys, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("hello\n")
    code, out, err = run(capsys, "calibrate", str(path), "--on", "dgx-h100:1")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "notes.txt" in err


def test_an_assumed_class_is_doubted_once(capsys):
    _, _, err = run(capsys, "comm", "all-reduce", "--on", "dgx-a100:128", "--sizes", "1MiB")
    assert err.count("the constants of infiniband are assumed") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("all-reduce", "--on", "dgx-h100:1", "--ranks", "9"), "has 8 devices"),
        (("all-reduce", "--on", "dgx-h100:1", "--sizes", "1 GiB..1 KiB"), "backwards"),
        (("all-reduce", "--on", "dgx-h100:1", "--sizes", "12"), "no unit|is no bytes"),
        (("all-reduce", "--on", "dgx-h100:1", "--algorithm", "rings"), "Did you mean 'ring'"),
        (("all-reduce", "--on", "dgx-h100:2", "--ranks", "12"), "do not fill"),
        (("all-reduce", "--on", "dgx-h100:1", "--ranks", "1"), "nobody to talk to"),
        (("all-reduce", "--on", "dgx-h1000:1"), "no node 'dgx-h1000'"),
        (("share", str(SCENARIOS / "two-jobs-fat-tree.yaml"), "--routing", "adaptiv"), "Did you mean 'adaptive'"),
        (("share", str(SCENARIOS / "gpt3-175b.yaml")), "no workload of kind shared-fabric"),
    ],
)
def test_what_cannot_be_says_how_to_mend_it(capsys, arguments, message):
    code, _, err = run(capsys, "comm", *arguments)
    assert code == 2
    assert re.search(message, err), err


@pytest.mark.parametrize("text", ["0 B", "1KiB..1MiB..2MiB", "big"])
def test_sizes_are_read_strictly(text):
    with pytest.raises(InputError):
        parse_sizes(text)
