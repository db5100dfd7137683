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
    mixed = str(shipped("scenarios") / "train-heterogeneous.yaml")
    assert main(["whatif", mixed, "--set", "workloads[0].parallelism.shares=equal", "by-speed=shares"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("What if micro-batches are dealt out in proportion to speed?")
    assert "-37." in out
