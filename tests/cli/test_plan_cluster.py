"""``rackcast plan`` of a training run whose machines are open."""

from __future__ import annotations

import json

from simulator.cli import main
from simulator.foundation.shipped import shipped

FILE = str(shipped("scenarios") / "plan-train-7b-deadline.yaml")
SMALL = ("--set", "plan.choices.nodes=[aws-p5.48xlarge]", "--set", "plan.choices.count=[2, 4, 8]", "--confirm", "1")


def test_it_prints_the_cluster_its_layout_and_the_front(capsys):
    assert main(["plan", FILE, *SMALL]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Take 4 x aws-p5.48xlarge: ")
    for word in ("Take tp", "Binding constraint", "none beats in both"):
        assert word in out


def test_files_hold_the_decision_every_cluster_and_the_picture(capsys, tmp_path):
    assert main(["plan", FILE, *SMALL, "--json", "--out", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cluster"]["nodes"] == 4
    assert json.loads((tmp_path / "plan.json").read_text())["cluster"] == found["cluster"]
    assert len((tmp_path / "clusters.csv").read_text().splitlines()) == 4
    assert (tmp_path / "cost-against-time.png").read_bytes().startswith(b"\x89PNG")


def test_a_deadline_too_short_ends_with_3(capsys):
    assert main(["plan", FILE, *SMALL, "--set", "slo.finish=1 h"]) == 3
    assert "slo.finish" in capsys.readouterr().err
