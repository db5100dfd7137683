from __future__ import annotations

import json

import pytest

from simulator.cli import main


def run(capsys, *arguments):
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_article_s_example_is_one_command(capsys):
    code, out, _ = run(capsys, "shard", "--records", "8", "--into", "3", "--method", "seed-literal", "--json")
    found = json.loads(out)
    assert code == 0
    assert sum(item["records"] for item in found["shards"]) == 8
    assert found["expected_imbalance"] == pytest.approx(1.988, abs=1e-3)
    assert found["step_slowdown"] == found["imbalance"] == max(i["records"] for i in found["shards"]) * 3 / 8


def test_a_file_is_really_cut_and_the_table_tells_the_price(capsys, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("id,cls\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(40)))
    code, out, err = run(capsys, "shard", str(path), "--method", "stratified", "--class", "cls", "--into", "4")
    assert code == 0
    assert "a synchronous step takes 1.0" in out
    assert "manifest.json" in err
    assert len(list((tmp_path / "data.csv.shards").iterdir())) == 5


def test_a_dry_run_writes_nothing(capsys, tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text('{"k": "x"}\n{"k": "y"}\n')
    hashed = ("--method", "hash", "--key", "k", "--into", "2")
    code, out, _ = run(capsys, "shard", str(path), *hashed, "--dry-run", "--csv")
    assert code == 0
    assert out.splitlines()[0] == "shard,records,bytes,share"
    assert [p.name for p in tmp_path.iterdir()] == ["data.jsonl"]


@pytest.mark.parametrize(("arguments", "message"), [
    (("--into", "2"), "give a FILE to cut, or --records"),
    (("--records", "5", "--method", "balancd"), "Did you mean 'balanced'"),
    (("--records", "5", "--key", "k"), "names a column of FILE"),
    (("--records", "5", "--speeds", "fast"), "numbers with commas"),
    (("--records", "5", "--into", "2", "--speeds", "1"), "1 speeds for 2"),
    (("--records", "5", "--method", "stratified"), "--class"),
    (("--records", "5", "--sizes", "imag"), "Did you mean 'image'"),
    (("nowhere.csv",), "no such file"),
])  # fmt: skip
def test_wrong_input_is_told_in_one_line(capsys, arguments, message):
    code, _, err = run(capsys, "shard", *arguments)
    assert code == 2
    assert message in err


def moved(capsys, *arguments):
    code, out, err = run(capsys, "shard", *arguments, "--json")
    assert code == 0, err
    return json.loads(out)["moved"]


PAPER = ("--records", "60000", "--sizes", "tabular")


@pytest.mark.parametrize(("method", "share"), [("consistent-hash", 1 / 9), ("hash", 8 / 9), ("balanced", 0.5)])
def test_a_worker_that_joins_moves_what_its_method_says(capsys, method, share):
    found = moved(capsys, *PAPER, "--reshard", "8", "--into", "9", "--method", method)
    assert found["fraction"] == pytest.approx(share, rel=0.15)
    assert found["bytes"] == pytest.approx(found["records"] * 512)
    assert found["lost_records"] == 0


def test_a_failed_worker_s_records_are_read_again_and_a_ring_moves_no_others(capsys):
    ring = (*PAPER, "--reshard", "8", "--failed", "3", "--into", "7", "--method", "consistent-hash")
    found = moved(capsys, *ring)
    assert found["lost_bytes"] == found["bytes"]
    assert found["fraction"] == pytest.approx(1 / 8, rel=0.25)
    code, out, _ = run(capsys, "shard", *ring)
    assert code == 0
    assert "were on failed workers" in out


def test_shards_on_disk_are_compared_by_their_manifest(capsys, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("id,cls\n" + "".join(f"{n},{n % 7}\n" for n in range(200)))
    assert run(capsys, "shard", str(path), "--method", "hash", "--key", "cls", "--seed", "3", "--into", "4")[0] == 0
    again = (str(path), "--reshard", str(tmp_path / "data.csv.shards"), "--dry-run")
    assert moved(capsys, *again, "--into", "4")["records"] == 0
    found = moved(capsys, *again, "--into", "5")
    assert 0 < found["bytes"] < found["total_bytes"] == path.stat().st_size - len("id,cls\n")
    path.write_text("id,cls\n1,2\n")
    code, _, err = run(capsys, "shard", *again, "--into", "5")
    assert code == 2
    assert "another data.csv" in err


@pytest.mark.parametrize(("arguments", "message"), [
    (("--failed", "1"), "say with --reshard"),
    (("--reshard", "0"), "at least one"),
    (("--reshard", "m.json"), "no manifest"),
    (("--reshard", "4", "--failed", "4"), "from 0 to 3"),
    (("--reshard", "1", "--failed", "0"), "none is left"),
])  # fmt: skip
def test_a_resharding_that_is_none_is_told(capsys, arguments, message):
    code, _, err = run(capsys, "shard", "--records", "5", *arguments)
    assert code == 2
    assert message in err
