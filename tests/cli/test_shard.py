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
