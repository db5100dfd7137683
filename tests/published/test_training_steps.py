"""Measured step times of published runs, read from the tables that ship."""

from __future__ import annotations

import statistics

import pytest

from simulator.profiles.catalogue import load_catalogue
from simulator.validation.measurements import shipped_tables
from simulator.validation.predictors import answer, predictor_of
from simulator.validation.tables import read_table

CATALOGUE = load_catalogue()


def errors(source: str) -> list[float]:
    (path,) = [path for path in shipped_tables() if "training" in path.name]
    rows = [row for row in read_table(path).rows if row.usable == "yes" and row.text("source_group") == source
            and row.text("kind_of_work") == "llm-pretrain" and row.text("metric") != "memory_gb"]  # fmt: skip
    found = [answer(predictor_of("training").predict, row, CATALOGUE).value for row in rows]
    assert rows
    assert all(found)
    return [abs(value / row.value - 1) for value, row in zip(found, rows, strict=True) if value and row.value]


@pytest.mark.parametrize(("source", "mean"), [("korthikanti22", 0.045), ("megatron-sc21", 0.055)])
def test_runs_of_megatron_on_a100_are_met(source, mean):
    assert statistics.mean(errors(source)) <= mean


@pytest.mark.parametrize(("source", "median"), [("llm-foundry", 0.06), ("simumax-b200", 0.06), ("maxtext", 0.08)])
def test_runs_on_hopper_blackwell_and_tpu_are_met(source, median):
    assert statistics.median(errors(source)) <= median


@pytest.mark.slow
def test_small_models_on_one_node_are_met():
    assert statistics.mean(errors("vtrain-single")) <= 0.083
