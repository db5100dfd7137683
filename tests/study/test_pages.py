"""Pages of runs and comparisons: self-contained, the same each time, and with the figures of the answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.cli import main
from simulator.foundation.shipped import shipped
from tests.results.test_report import loads_nothing, parsed

SCENARIOS = shipped("scenarios")
#: scenario -> a small change of it, words that its page must have, drawings at least
KINDS = {
    "train-zero-bubble": ([],
                          ("a step", "Bottleneck", "What would help", "How sure", "The step over time",
                           "What fills the memory", "What was asked"), 4),
    "serve-chat-h100": (["workloads[0].traffic.seconds=5 s"],
                        ("TTFT, 95th percentile", "What bounds it", "How requests fare", "Over time"), 2),
    "serve-image-line-10ms": (["workloads[0].traffic.seconds=2 s"], ("requests per s", "Pictures", "Metrics"), 1),
    "federated-phones": ([], ("round time", "Rounds", "The first 40 of"), 1),
    "data-imagenet-stalls": ([], ("Epochs", "Stages of the feed"), 2),
}  # fmt: skip


def html_of(scenario: str, changes: list[str], folder: Path, *words: str) -> str:
    """Return the page that ``rackcast run`` writes."""
    file = folder / "page.html"
    sets = [word for change in changes for word in ("--set", change)]
    assert main(["run", str(SCENARIOS / f"{scenario}.yaml"), *sets, "--html", str(file), *words]) == 0
    return file.read_text(encoding="utf-8")


@pytest.mark.parametrize("scenario", KINDS)
def test_a_run_of_every_kind_has_a_page(scenario: str, tmp_path: Path, capsys) -> None:
    changes, words, drawings = KINDS[scenario]
    html = html_of(scenario, changes, tmp_path)
    loads_nothing(html)
    text = parsed(html).text
    assert all(word in text for word in words)
    assert html.count("<svg") >= drawings
    assert html_of(scenario, changes, tmp_path) == html


def test_the_page_of_a_step_has_its_figures_and_a_ledger_that_adds_up(tmp_path: Path, capsys) -> None:
    scenario, changes = "train-whole-run-405b", ["run.fidelity=estimate"]
    text = parsed(html_of(scenario, changes, tmp_path, "--json")).text
    found = json.loads(capsys.readouterr().out)
    assert f"{found['metrics']['mfu']:.1%}" in text
    assert f"{found['metrics']['run_cost_usd']:,.0f} USD" in text
    assert "Where the run's time and money go" in text
    assert f"{found['error_band']['median']:.0%} median" in text


def test_limits_and_intervals_are_told(tmp_path: Path, capsys) -> None:
    missed = ["workloads[0].traffic.seconds=5 s", "workloads[0].limits={ttft: 1 ms}"]
    text = parsed(html_of("serve-chat-h100", missed, tmp_path, "--seeds", "2")).text
    assert "of the requests kept the limits" in text
    assert "Over several seeds" in text


def test_a_comparison_names_the_change_its_cause_and_both_parts(tmp_path: Path, capsys) -> None:
    changes = KINDS["train-zero-bubble"][0]
    for name, further in (("before", []), ("after", ["workloads[0].batch.global=256"])):
        _ = html_of("train-zero-bubble", [*changes, *further], tmp_path, "--out", str(tmp_path / name))
    sides = [str(tmp_path / name) for name in ("before", "after")]
    for _ in range(2):
        assert main(["compare", *sides, "--html", str(tmp_path / "page.html"), "--json"]) == 0
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    loads_nothing(html)
    text = parsed(html).text
    assert "workloads[0].batch.global" in text
    assert "A step: " in text
    assert html.count("<svg") == 3  # a waterfall each, and the memory of both
    assert "against seeds" not in text


def test_a_comparison_of_services_does_without_steps(tmp_path: Path, capsys) -> None:
    for name, rate in (("a", "10 /s"), ("b", "20 /s")):
        few = ["workloads[0].traffic.seconds=5 s", f"workloads[0].traffic.groups[0].rate={rate}"]
        _ = html_of("serve-chat-h100", few, tmp_path, "--out", str(tmp_path / name), "--seeds", "2")
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--html", str(tmp_path / "page.html")]) == 0
    text = parsed((tmp_path / "page.html").read_text(encoding="utf-8")).text
    assert "TTFT p95 (ms)" in text
    assert "against seeds" in text
    assert "Where a step" not in text
