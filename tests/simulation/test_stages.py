"""Stages of a run that differ in image size, tokens or batch: each takes the time of a job of its own."""

from __future__ import annotations

import pytest

from simulator.foundation.errors import Infeasible, InputError, InvalidFile
from simulator.foundation.shipped import shipped
from simulator.results.result import Result
from simulator.scenario import load_scenario
from simulator.simulation import simulate

FOLDER = shipped("scenarios")


def played(stages: str, *overrides: str, name: str = "train-resnet50-ddp") -> Result:
    found = simulate(load_scenario(FOLDER / f"{name}.yaml", [
        "run.fidelity=estimate", "workloads[0].samples=null", "workloads[0].tokens=null",
        "workloads[0].epochs=null", "workloads[0].data=null", "workloads[0].evaluate=null",
        "workloads[0].checkpoint=null",
        f"workloads[0].stages={stages}", *overrides,
    ]))  # fmt: skip
    assert isinstance(found, Result)
    return found


def of_size(size: int) -> float:
    return played("[{name: a, samples: 204800}]", f"workloads[0].sample_size={size}").step_time


def test_growing_images_take_the_sum_of_what_each_size_takes() -> None:
    """Progressive resizing: 100 steps of 160 pixels, 50 of 224, 20 of 288."""
    found = played(
        "[{name: a, samples: 204800, sample_size: 160}, {name: b, samples: 102400, sample_size: 224},"
        " {name: c, samples: 40960, sample_size: 288}]"
    )
    expected = 100 * of_size(160) + 50 * of_size(224) + 20 * of_size(288)
    assert found.metrics["steps"] == pytest.approx(170)
    assert found.metrics["time_to_train_s"] == pytest.approx(expected)
    assert found.run is not None
    assert found.run.time_s == pytest.approx(expected)
    assert found.run.stages[0].end_s == pytest.approx(100 * of_size(160))


def test_a_growing_batch_has_fewer_steps_for_the_same_samples() -> None:
    same = played("[{name: a, samples: 409600}, {name: b, samples: 409600}]")
    grown = played("[{name: a, samples: 409600}, {name: b, samples: 409600, batch: 8192}]")
    assert same.metrics["steps"] == pytest.approx(400)
    assert grown.metrics["steps"] == pytest.approx(200 + 50)
    assert grown.metrics["time_to_train_s"] < same.metrics["time_to_train_s"]


def test_stages_alike_leave_the_run_as_it_is() -> None:
    plain = played("[{name: a, samples: 409600}]").metrics
    said = played("[{name: a, samples: 204800, sample_size: 224}, {name: b, samples: 204800, batch: 2048}]").metrics
    assert said["time_to_train_s"] == pytest.approx(plain["time_to_train_s"])


def test_a_longer_context_at_the_end_costs_more_per_token() -> None:
    plain = "[{name: a, tokens: 1e9}, {name: b, tokens: 1e8}]"
    longer = "[{name: a, tokens: 1e9}, {name: b, tokens: 1e8, seq_len: 16384, batch: 64}]"
    alone = "workloads[0].compress=null"
    steps = [played(stages, alone, "workloads[0].batch.micro=1", name="train-distill-llama").metrics["time_to_train_s"]
             for stages in (plain, longer)]  # fmt: skip
    assert steps[0] < steps[1]


def test_what_does_not_divide_or_fit_is_told() -> None:
    with pytest.raises(InputError, match="multiple of dp"):
        played("[{name: a, samples: 409600, batch: 3000}]")
    with pytest.raises((InvalidFile, InputError), match="length once"):
        played("[{name: a}]")
    with pytest.raises(Infeasible):
        played("[{name: a, samples: 409600}, {name: b, samples: 409600, sample_size: 2400}]")
