from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from simulator import load_scenario
from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.shipped import shipped
from simulator.foundation.yaml_reader import parse_yaml
from simulator.planner.launch import ServeOrder, TrainOrder, engines, launch_files
from simulator.planner.launch.order import order_of

GOLDEN = Path(__file__).parent / "golden"
TRAIN = order_of(load_scenario(shipped("scenarios") / "gpt3-175b-megatron.yaml"))
SERVE = order_of(load_scenario(shipped("scenarios") / "serve-70b-spot-a100.yaml"))
FILE = shipped("scenarios") / "serve-70b-spot-a100.yaml"
TRTLLM = order_of(load_scenario(FILE, ["workloads[0].engine.name=trtllm"]))
PIPELINED = order_of(load_scenario(FILE, ["workloads[0].replicas={tp: 2, pp: 2}"]))
FSDP = replace(TRAIN, plan=replace(TRAIN.plan, tp=1, pp=1, vpp=1, dp=1024, zero=3, micro_batches=2, micro_batch=1))
ORDERS = {"megatron": TRAIN, "slurm": TRAIN, "jobset": TRAIN, "torchtitan": FSDP, "vllm": SERVE, "sglang": SERVE}


def flags(text: str) -> dict[str, str]:
    """Return flag -> value of a script."""
    words = text.replace("\\\n", " ").split()
    return {word: after for word, after in zip(words, [*words[1:], ""], strict=True) if word.startswith("--")}


@pytest.mark.parametrize("name", list(engines))
def test_the_file_is_what_it_was(name):
    (text,) = launch_files(ORDERS[name], [name]).values()
    assert text == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", list(engines))
def test_every_file_names_the_version_it_was_checked_against(name):
    (text,) = launch_files(ORDERS[name], [name]).values()
    assert engines[name].checked in text


@pytest.mark.parametrize("name", [name for name in engines if engines[name].file.endswith(("sh", "sbatch"))])
def test_scripts_are_bash(name, tmp_path):
    (text,) = launch_files(ORDERS[name], [name]).values()
    (tmp_path / "script").write_text(text)
    bash = shutil.which("bash")
    assert bash is not None
    subprocess.run([bash, "-n", str(tmp_path / "script")], check=True)


@pytest.mark.parametrize(("tp", "pp", "cp"), [(1, 1, 1), (8, 16, 1), (4, 8, 4), (2, 96, 1)])
def test_the_degrees_of_megatron_multiply_to_the_devices(tp, pp, cp):
    dp = 1024 // (tp * pp * cp) or 1
    plan = replace(TRAIN.plan, tp=tp, pp=pp, cp=cp, dp=dp, vpp=1)
    said = flags(launch_files(replace(TRAIN, plan=plan), ["megatron"])["megatron.sh"])
    assert int(said["--tensor-model-parallel-size"]) * int(said["--pipeline-model-parallel-size"]) == tp * pp
    assert int(said["--global-batch-size"]) == plan.micro_batch * plan.micro_batches * dp
    assert int(said["--nnodes"]) * int(said["--nproc-per-node"]) == 1024


def test_torchtitan_shards_or_replicates():
    said = flags(launch_files(FSDP, ["torchtitan"])["torchtitan.sh"])
    assert said["--parallelism.data_parallel_shard_degree"] == "1024"
    assert said["--parallelism.data_parallel_replicate_degree"] == "1"
    plain = replace(FSDP, plan=replace(FSDP.plan, zero=0))
    said = flags(launch_files(plain, ["torchtitan"])["torchtitan.sh"])
    assert said["--parallelism.data_parallel_shard_degree"] == "1"
    assert said["--parallelism.data_parallel_replicate_degree"] == "1024"


def test_the_job_set_has_a_pod_per_node():
    job = parse_yaml(launch_files(TRAIN, ["jobset"])["jobset.yaml"], file="jobset").data
    spec = job["spec"]["replicatedJobs"][0]["template"]["spec"]
    assert spec["parallelism"] == spec["completions"] == 128
    assert spec["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 8


@pytest.mark.parametrize(
    ("name", "order", "told"),
    [
        ("megatron", FSDP, "ZeRO-3"),
        ("megatron", replace(TRAIN, plan=replace(TRAIN.plan, schedule="gpipe", vpp=1)), "schedule gpipe"),
        ("megatron", replace(TRAIN, plan=replace(TRAIN.plan, vpp=5)), "96 layers in 80 stages"),
        ("torchtitan", replace(FSDP, plan=replace(FSDP.plan, zero=1)), "ZeRO-1"),
        ("torchtitan", TRAIN, "TP without sequence parallelism"),
        ("vllm", TRTLLM, "engine is trtllm"),
        ("sglang", PIPELINED, "only TP is written"),
        ("vllm", replace(SERVE, workload=replace(SERVE.workload, prefill=1)), "separate replicas"),
        ("vllm", TRAIN, "vllm serves"),
        ("jobset", replace(TRAIN, name="GPT_3"), "lower-case letters"),
        ("megatron", SERVE, "megatron trains"),
    ],
)
def test_what_an_engine_cannot_do_is_refused_with_the_reason(name, order, told):
    with pytest.raises(InputError, match=told):
        launch_files(order, [name])


def test_an_engine_that_is_none_is_told_with_those_that_are():
    with pytest.raises(UnknownName, match="megatron"):
        launch_files(TRAIN, ["megatronn"])


def test_a_scenario_that_decides_nothing_has_nothing_to_start():
    with pytest.raises(InputError, match="nothing is decided"):
        order_of(load_scenario(shipped("scenarios") / "gpt3-175b.yaml"))
    with pytest.raises(InputError, match="neither trained nor served"):
        order_of(load_scenario(shipped("scenarios") / "data-seed-sharding.yaml"))


def test_orders_are_of_two_kinds():
    assert isinstance(TRAIN, TrainOrder)
    assert isinstance(SERVE, ServeOrder)
