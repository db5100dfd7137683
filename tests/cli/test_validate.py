from __future__ import annotations

import csv
import io
import json

import pytest

from simulator.cli import main
from simulator.foundation.errors import UnknownName
from simulator.validation import cross, report
from simulator.validation.prediction import Prediction
from simulator.validation.predictors import Predictor
from tests.validation.by_hand import cells, csv_of

BLOCKS = {
    "rows", "usable", "predicted", "coverage", "headline", "partial", "memory", "oom", "baseline", "groups",
}  # fmt: skip
ENVELOPE = {"schema_version", "tool_version", "status", "warnings"}
GROUP = {
    "source_group", "kind_of_work", "metric", "rows", "predicted", "median_ape", "mape", "p90_ape", "within_20pct",
    "bias",
}  # fmt: skip


def ten(row, catalogue):
    """Predict 10 for every row; a device that the test calls unknown is one."""
    if row["device_id"] == "nvidia-h900":
        raise UnknownName("device", "nvidia-h900", ["nvidia-h100"])
    if row["outcome"] == "oom":
        return Prediction.missing("does not fit", fits=False)
    return Prediction(10.0, "modelled", "", fits=True)


@pytest.fixture(autouse=True)
def predicts_ten(monkeypatch):
    def predictor(field):
        return Predictor(field=field, predict=ten, refit=None)

    monkeypatch.setattr(report, "predictor_of", predictor)
    monkeypatch.setattr(cross.cross_validate, "__kwdefaults__", {"predictor": predictor})


ROWS = [
    cells(id="a1", source_group="a", value=8),
    cells(id="a2", source_group="a", value=10),
    cells(id="b1", source_group="b", value=12.5),
    cells(id="b2", source_group="b", value=12.5, device_id="nvidia-h900"),
    cells(id="c1", source_group="c", value=5, usable="partial"),
    cells(id="d1", source_group="d", value=20, metric="memory_gb"),
    cells(id="e1", source_group="e", value="", usable="no", metric="memory_gb", outcome="oom", why_not="seq-missing"),
    cells(id="e2", source_group="e", value=3, usable="no", why_not="noise-only"),
    cells(id="f1", source_group="f", value=10, kind_of_work="cnn-train", model_id="resnet50-v1.5"),
]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(csv_of(*ROWS))
    return str(path)


def run(capsys, *arguments):
    code = main(["validate", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_json_has_the_keys_of_the_contract_and_hand_computed_figures(capsys, table):
    code, out, _ = run(capsys, table, "--json")
    found = json.loads(out)
    assert code == 0
    assert set(found) - ENVELOPE == BLOCKS | {"scaling", "layouts"}
    assert found["status"] == "ok"
    assert (found["rows"], found["usable"], found["predicted"]) == (9, 6, 5)
    assert found["coverage"] == pytest.approx(5 / 6)
    # medians of a, b, f: (0.25 + 0) / 2, 0.2, 0; b lies on the edge of 20 %
    assert found["headline"]["median_ape"] == pytest.approx((0.125 + 0.2 + 0.0) / 3)
    assert found["headline"]["p90_ape"] == pytest.approx((0.225 + 0.2 + 0.0) / 3)
    assert set(found["headline"]) == {"median_ape", "p90_ape", "within_20pct"}
    assert found["partial"] == {"rows": 1, "predicted": 1, "median_ape": 1.0, "p90_ape": 1.0, "within_20pct": 0.0}
    assert found["memory"] == {"rows": 1, "predicted": 1, "median_ape": 0.5}
    assert found["oom"] == {"fits": 7, "fits_called_oom": 0, "oom": 1, "oom_called_fits": 0}
    assert set(found["baseline"]) == {"median_ape"}
    assert all(set(group) == GROUP for group in found["groups"])
    assert [group["source_group"] for group in found["groups"]] == ["a", "b", "d", "f"]
    assert set(found["scaling"]) == {"series", "median_points"}
    assert set(found["layouts"]) == {"sets", "mean_spearman", "mean_regret"}


def test_a_network_table_has_no_training_blocks(capsys, tmp_path):
    path = tmp_path / "net.csv"
    path.write_text(csv_of(cells("network", value=10) | {"outcome": ""}))
    _, out, _ = run(capsys, str(path), "--json")
    assert set(json.loads(out)) - ENVELOPE == BLOCKS


def test_the_filter_keeps_kinds_of_work(capsys, table):
    _, out, _ = run(capsys, table, "--kind", "^cnn", "--json")
    found = json.loads(out)
    assert (found["rows"], found["headline"]["median_ape"]) == (1, 0.0)


@pytest.mark.parametrize(
    ("budget", "code", "status"), [("0.2", 0, "ok"), ("0.1", 6, "over_budget"), ("0", 6, "over_budget")]
)
def test_a_headline_above_the_budget_ends_with_6(capsys, table, budget, code, status):
    found, out, err = run(capsys, table, "--max-median", budget, "--json")
    assert found == code
    assert json.loads(out)["status"] == status
    assert ("allowed is" in err) is bool(code)


@pytest.mark.parametrize("budget", ["-0.1", "nan", "inf", "ten"])
def test_a_budget_is_a_fraction(capsys, table, budget):
    code, out, err = run(capsys, table, "--max-median", budget)
    assert code == 2
    assert out == ""
    assert "--max-median" in err


def test_a_broken_table_ends_with_2_and_names_line_and_column(capsys, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(csv_of(cells(), cells(id="u", value="slow")))
    code, out, err = run(capsys, str(path))
    assert (code, out) == (2, "")
    column = list(cells()).index("value") + 1
    assert err == f"error: {path}:3:{column} value: 'slow' is no number.\n"


def test_an_unknown_device_is_a_reason_and_no_error(capsys, table):
    code, out, _ = run(capsys, table, "--csv")
    lines = {line["id"]: line for line in csv.DictReader(io.StringIO(out))}
    assert code == 0
    assert list(lines) == [row["id"] for row in ROWS]
    assert lines["b2"]["predicted"] == lines["b2"]["ape"] == lines["b2"]["label"] == ""
    assert lines["b2"]["reason"].startswith("no device 'nvidia-h900'.")
    assert (lines["a1"]["measured"], lines["a1"]["predicted"], lines["a1"]["ape"]) == ("8.0", "10.0", "0.25")
    assert (lines["a1"]["label"], lines["a1"]["reason"]) == ("modelled", "")
    assert lines["e2"]["reason"] == "usable = no: noise-only"


def test_the_csv_has_the_columns_of_the_contract(capsys, table):
    _, out, _ = run(capsys, table, "--csv")
    assert out.splitlines()[0] == "id,source_group,kind_of_work,metric,measured,predicted,ape,label,reason"


def test_the_text_shows_headline_control_coverage_and_reasons(capsys, table):
    code, out, _ = run(capsys, table)
    assert code == 0
    for said in [
        "headline",
        "no-model control",
        "partial",
        "memory",
        "83.3% of the usable ones",
        "no device 'nvidia-h900'",
    ]:
        assert said in out


def test_out_writes_lines_report_document_and_a_picture(capsys, table, tmp_path):
    folder = tmp_path / "out"
    code, _, err = run(capsys, table, "--out", str(folder))
    assert code == 0
    written = sorted(path.name for path in folder.iterdir())
    assert written == ["predictions.csv", "report.json", "scatter.png", "validation.md"]
    assert len((folder / "predictions.csv").read_text().splitlines()) == len(ROWS) + 1
    document = (folder / "validation.md").read_text()
    assert "| headline | 6 | 5 | 0.108 | 0.142 | 0.833 |" in document
    assert "| a | llm-pretrain | iteration_time_s | 2 | 2 | 0.125 |" in document
    assert "| 1 | no device 'nvidia-h900'." in document
    assert (folder / "scatter.png").read_bytes().startswith(b"\x89PNG")
    assert "scatter.png" in err


def test_several_tables_are_one_question(capsys, table, tmp_path):
    net = tmp_path / "net.csv"
    net.write_text(csv_of(cells("network", value=10) | {"outcome": ""}))
    _, out, _ = run(capsys, table, str(net), "--json")
    assert json.loads(out)["rows"] == len(ROWS) + 1


def test_cross_says_when_there_is_nothing_to_refit(capsys, table):
    code, out, _ = run(capsys, table, "--cross", "--json")
    found = json.loads(out)["cross"]
    assert code == 0
    assert found["without_refit"] == ["training"]
    assert found["median_ape"] is None
    _, out, _ = run(capsys, table, "--cross")
    assert "No constants to refit for training" in out


def test_the_same_table_gives_the_same_bytes(capsys, table):
    assert run(capsys, table, "--json") == run(capsys, table, "--json")
