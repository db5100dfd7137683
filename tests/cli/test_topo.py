"""``rackcast topo``: what each verb prints, on which stream, with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.cli.app import main
from simulator.topology.importers import IMPORTERS

SAMPLES = Path(__file__).parents[1] / "topology" / "samples"
BOXES = ["--nodes", "dgx-h100:16"]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["topo", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_show_lists_the_tiers_and_the_parts(capsys):
    code, out, _ = run(capsys, "show", *BOXES, "--oversubscription", "2")
    assert code == 0
    assert "nvlink" in out
    assert "128 devices in 16 nodes" in out


def test_json_carries_units_in_its_keys_and_is_the_same_every_time(capsys):
    _, once, _ = run(capsys, "show", *BOXES, "--json")
    _, again, _ = run(capsys, "show", *BOXES, "--json")
    assert once == again
    tiers = json.loads(once)["tiers"]
    assert tiers[0]["span_devices"] == 8
    assert tiers[0]["bandwidth_bytes_per_s"] == pytest.approx(450e9)


def test_bisection_of_an_oversubscribed_network_is_its_share(capsys):
    _, out, _ = run(capsys, "bisection", *BOXES, "--oversubscription", "4", "--radix", "32", "--json")
    network = json.loads(out)["bisections"][-1]
    assert network["share"] == pytest.approx(0.25)


def test_a_path_names_every_link(capsys):
    code, out, _ = run(capsys, "path", *BOXES, "--from", "0", "--to", "127", "--json")
    steps = json.loads(out)["steps"]
    assert code == 0
    assert (steps[0]["source"], steps[-1]["target"]) == ("device:0", "device:127")


def test_two_sites_are_drawn_and_exported(capsys, tmp_path):
    far = ["--nodes", "dgx-h100:2@north", "--nodes", "dgx-h100:2@south", "--wan", "north-south: 30 ms, 10 Gb/s"]
    code, out, _ = run(capsys, "draw", *far, "--out", str(tmp_path), "--formats", "png,graphml,dot")
    assert code == 0
    assert [Path(line).name for line in out.split()] == ["topology.png", "topology.graphml", "topology.dot"]
    assert (tmp_path / "topology.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("sample", sorted(path.name for path in SAMPLES.iterdir()))
def test_import_reads_every_sample(capsys, tmp_path, sample):
    code, out, _ = run(capsys, "import", str(SAMPLES / sample), "--out", str(tmp_path), "--json")
    assert code == 0
    assert json.loads(out)["format"] in IMPORTERS
    assert len(list(tmp_path.iterdir())) == 2


def test_shapes_are_listed_with_a_word_about_each(capsys):
    _, out, _ = run(capsys, "shapes", "--json")
    assert "dragonfly" in json.loads(out)["shapes"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["show"], 2, "--nodes"),
        (["show", "--nodes", "dgx-h100:x"], 2, "NAME:COUNT"),
        (["show", "--nodes", "dgx-h1000"], 2, "dgx-h100"),
        (["show", *BOXES, "--fabric", "fattree"], 2, "fat-tree"),
        (["show", *BOXES, "--dims", "4x"], 2, "4x4x8"),
        (["show", "--nodes", "dgx-h100:2@a", "--nodes", "dgx-h100:2@b"], 2, "WAN link"),
        (["show", *BOXES, "--wan", "fast"], 2, "30 ms"),
        (["show", "--nodes", "dgx-h100:9000", "--levels", "2"], 3, "does not hold"),
        (["path", *BOXES, "--from", "0", "--to", "128"], 2, "0 to 127"),
        (["draw", *BOXES], 2, "--out"),
        (["draw", *BOXES, "--out", "x", "--formats", "gif"], 2, "graphml"),
        (["import", "no-such-file"], 2, "no such file"),
    ],
)
def test_what_cannot_be_done_says_why(capsys, arguments, code, words):
    found, out, err = run(capsys, *arguments)
    assert (found, out) == (code, "")
    assert words in err
