"""``rackcast whatif``."""

from __future__ import annotations

import json

from simulator.cli import main
from simulator.foundation.shipped import shipped

FILE = str(shipped("scenarios") / "gpt3-175b-megatron.yaml")


def test_whatif_says_the_cause_and_the_change(capsys):
    assert main(["whatif", FILE, "slow-node=3:0.7"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("What if node 3 computes at 0.7 of its speed?")
    assert "before" in out
    assert "step_time_s" in out


def test_json_holds_the_assignments_that_make_the_change(capsys):
    assert main(["whatif", FILE, "link=node3:0.5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["overrides"][0].startswith("events=[")
    assert {"metric", "before", "after", "change"} <= found["figures"][0].keys()


def test_a_word_that_the_kind_cannot_express_exits_with_two(capsys):
    assert main(["whatif", FILE, "surge=5x@1h:10m"]) == 2
    assert "cannot express surge" in capsys.readouterr().err


def test_unequal_machines_may_share_by_speed(capsys):
    """Equal shares wait for the A100; others take 2 / (1 + r) of that, r being 2 to 3.2, the ratio of the peaks."""
    mixed = str(shipped("scenarios") / "train-heterogeneous.yaml")
    equal = ["whatif", mixed, "--set", "workloads[0].parallelism.shares=equal", "by-speed=shares"]
    assert main(equal) == 0
    assert capsys.readouterr().out.startswith("What if micro-batches are dealt out in proportion to speed?")
    assert main([*equal, "--json"]) == 0
    step = next(row for row in json.loads(capsys.readouterr().out)["figures"] if row["metric"] == "step_time_s")
    assert 2 / (1 + 3.2) < step["after"] / step["before"] < 2 / (1 + 2)
