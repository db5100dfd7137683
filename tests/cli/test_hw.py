"""``rackcast hw``: what is printed, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.cli.app import main


def _printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["hw", *arguments]) == 0
    return capsys.readouterr().out


def test_the_list_is_filtered_by_kind_and_vendor(capsys: pytest.CaptureFixture[str]) -> None:
    parts = json.loads(_printed(capsys, "list", "--kind", "tpu", "--vendor", "Google", "--json"))["parts"]
    assert {part["kind"] for part in parts} == {"tpu"}
    assert {part["name"] for part in parts} >= {"google-tpu-v4", "google-tpu-v5p"}


def test_announced_parts_are_listed_only_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert "nvidia-rubin" not in _printed(capsys, "list", "--csv")
    assert "nvidia-rubin" in _printed(capsys, "list", "--all", "--csv")


@pytest.mark.parametrize("shelf", ["devices", "links", "nodes", "storage", "prices"])
def test_every_shelf_has_a_list_with_units_in_its_columns(capsys: pytest.CaptureFixture[str], shelf: str) -> None:
    lines = _printed(capsys, "list", "--shelf", shelf, "--csv").splitlines()
    assert lines[0].startswith("name,kind,")
    assert len(lines) > 50


def test_show_gives_each_figure_with_unit_source_and_confidence(capsys: pytest.CaptureFixture[str]) -> None:
    text = _printed(capsys, "show", "h100-sxm")
    row = next(line for line in text.splitlines() if "peak.bf16" in line)
    assert row.split()[:4] == ["peak.bf16", "989.4", "TFLOP/s", "datasheet"]
    assert "[1] " in text
    figures = json.loads(_printed(capsys, "show", "h100-sxm", "--json"))["figures"]
    assert all(figure["source"]["ref"] for figure in figures)


def test_show_finds_parts_of_every_shelf(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("dgx-a100", "ib-ndr", "aws-s3-standard", "pue-gcp"):
        assert _printed(capsys, "show", name)


def test_compare_gives_ratios_to_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(_printed(capsys, "compare", "a100-sxm4-80gb", "h100-sxm", "--json"))
    assert found["names"] == ["nvidia-a100-sxm4-80gb", "nvidia-h100-sxm5-80gb"]
    assert found["ratios"]["scaleup.bandwidth"] == [1.5]
    assert found["figures"]["peak.fp8"][0] is None


def test_compare_in_csv_is_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    lines = _printed(capsys, "compare", "a100-sxm4-80gb", "h100-sxm", "--csv").splitlines()
    assert float(next(line for line in lines if line.startswith("peak.bf16,")).split(",")[2]) == 989.4e12


def test_the_table_has_units_in_its_headings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    text = _printed(capsys, "list", "--kind", "gpu", "--vendor", "amd")
    assert "memory (GB/s)" in " ".join(text.split())
    assert "gb_per_s" not in text


def test_a_misspelt_alias_is_proposed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hw", "show", "H100-sxmm"]) == 2
    assert "Did you mean 'h100-sxm'" in capsys.readouterr().err


def test_lint_of_the_catalogue_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(_printed(capsys, "lint", "--json"))["problems"] == []


def test_lint_of_a_file_without_a_source_ends_with_exit_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "acme.yaml"
    path.write_text("part: device\nkind: gpu\nvendor: acme\npower: {tdp: 300 W}\n", encoding="utf-8")
    assert main(["hw", "lint", str(path)]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ")
    assert "power.tdp: has no source" in printed.err
    assert main(["hw", "lint", str(path), "--json"]) == 2


def test_own_parts_are_listed_beside_the_shipped_ones(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text("part: device\nkind: gpu\nvendor: acme\n", encoding="utf-8")
    assert "acme" in _printed(capsys, "list", "--vendor", "acme", "--parts", str(tmp_path), "--csv")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "h1000"], "no part 'h1000'"),
        (["list", "--kind", "gup"], "no kind 'gup'. Did you mean 'gpu'"),
        (["list", "--vendor", "nvidea"], "no vendor 'nvidea'. Did you mean 'nvidia'"),
        (["list", "--shelf", "divices"], "no shelf 'divices'. Did you mean 'devices'"),
        (["compare", "h100"], "nothing to compare"),
        (["lint", "nowhere.yaml"], "cannot be read"),
        (["list", "--parts", "nowhere"], "no such file or folder"),
    ],
)
def test_a_wrong_question_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["hw", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
