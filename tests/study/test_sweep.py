from __future__ import annotations

import importlib
import os

import pandas as pd
import pytest

from simulator import load_scenario, simulate, sweep
from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.shipped import shipped
from simulator.study.store import Store
from simulator.study.sweep_plot import plot_sweep
from simulator.study.workers import spread

swept = importlib.import_module("simulator.study.sweep")  # the package gives the function under this name

FILE = shipped("scenarios") / "gpt3-175b-megatron.yaml"
SMALL = ("workloads[0].parallelism.vpp=1", "run.fidelity=estimate")
PP, TP = "workloads[0].parallelism.pp", "workloads[0].parallelism.tp"
OVER = {PP: [8, 16], TP: [4, 8]}


@pytest.fixture(scope="module")
def scenario():
    return load_scenario(FILE, SMALL)


@pytest.fixture(scope="module")
def frame(scenario):
    return sweep(scenario, OVER)


def test_each_point_is_what_simulate_says_alone(frame):
    for row in frame[frame["status"] == "ok"].to_dict("records"):
        alone = simulate(load_scenario(FILE, [*SMALL, f"{PP}={row[PP]}", f"{TP}={row[TP]}"]))
        assert row["step_time_s"] == pytest.approx(alone.step_time, rel=1e-11)
        assert row["memory_bytes"] == pytest.approx(sum(alone.memory.values()), rel=1e-11)


def test_what_does_not_fit_is_a_row_with_its_reason(frame, scenario):
    (row,) = frame[frame["status"] == "infeasible"].to_dict("records")
    assert (row[PP], row[TP]) == (8, 4)
    assert "GB" in row["reason"]
    assert pd.isna(row["step_time_s"])
    wrong = sweep(scenario, {PP: [3, 16]})
    assert list(wrong["status"]) == ["invalid", "ok"]
    assert "does not divide" in wrong["reason"][0]


def test_two_processes_give_the_same_bytes_as_one(frame, scenario):
    assert sweep(scenario, OVER, jobs=2).to_csv() == frame.to_csv()


def test_a_stopped_sweep_goes_on_with_what_is_missing(frame, scenario, tmp_path, monkeypatch):
    file, asked, honest = tmp_path / "s.db", [], swept.answer_point

    def answer(file, overrides, point, workload):
        if len(asked) == 3:
            raise KeyboardInterrupt
        asked.append(point.number)
        return honest(file, overrides, point, workload)

    monkeypatch.setattr(swept, "answer_point", answer)
    with pytest.raises(KeyboardInterrupt):
        sweep(scenario, OVER, store=file)
    assert asked == [0, 1, 2]
    asked[:] = ["later"]
    again = sweep(scenario, OVER, store=file)
    assert asked == ["later", 3]
    assert again.to_csv() == frame.to_csv()


def test_another_question_is_not_answered_from_the_store(scenario, tmp_path):
    file = tmp_path / "s.db"
    first = sweep(scenario, {PP: [16]}, store=file)
    other = sweep(load_scenario(FILE, [*SMALL, "workloads[0].seq_len=1024"]), {PP: [16]}, store=file)
    assert other["step_time_s"][0] < first["step_time_s"][0]


def test_a_file_that_is_no_store_is_named(tmp_path):
    (tmp_path / "text.db").write_text("no database" * 100)
    with pytest.raises(InputError, match="cannot be used as a store"):
        Store(tmp_path / "text.db")


def test_a_key_that_fits_nowhere_is_an_error_and_no_table(scenario):
    with pytest.raises(InputError, match="paralellism"):
        sweep(scenario, {"workloads[0].paralellism": [1, 2]})


def test_a_job_that_is_not_decided_is_planned_at_each_point():
    small = ["workloads[0].model=gpt3-6.7b", "workloads[0].batch.global=64", "plan.confirm=1"]
    scenario = load_scenario(shipped("scenarios") / "gpt3-175b.yaml", small)
    frame = sweep(scenario, {"cluster.nodes[0].count": [1, 2]})
    assert list(frame["status"]) == ["ok", "ok"]
    assert list(frame["tp"] * frame["cp"] * frame["dp"] * frame["pp"]) == [8, 16]
    assert frame["step_time_s"][1] < frame["step_time_s"][0]


@pytest.mark.parametrize("backend", ["spark://host:1", "dask", "dask://"])
def test_an_unknown_backend_is_refused(backend):
    with pytest.raises(InputError, match="write dask://HOST:PORT or ray://HOST:PORT"):
        list(spread([(abs, (1,)), (abs, (2,))], backend=backend))


def test_a_ray_cluster_gives_the_same_bytes(frame, scenario):
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False)
    try:
        address = ray.get_runtime_context().gcs_address
        os.environ["RAY_ADDRESS"] = address
        assert sweep(scenario, OVER, backend="ray://auto").to_csv() == frame.to_csv()
    finally:
        os.environ.pop("RAY_ADDRESS", None)
        ray.shutdown()


def test_a_dask_cluster_gives_the_same_bytes(frame, scenario):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address.removeprefix("tcp://")
        assert sweep(scenario, OVER, backend=f"dask://{address}").to_csv() == frame.to_csv()


def test_the_picture_has_a_line_per_combination_of_the_other_keys(frame):
    _, axes = plot_sweep(frame, [PP, TP], "step_time_s")
    assert [line.get_label() for line in axes.get_lines()] == ["tp 4", "tp 8"]
    assert list(axes.get_lines()[1].get_xdata()) == [8, 16]
    with pytest.raises(UnknownName, match="step_time"):
        plot_sweep(frame, [PP, TP], "step_tim")
