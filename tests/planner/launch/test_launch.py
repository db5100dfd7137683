from __future__ import annotations

import json
import math
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import load_scenario
from simulator.costs.serving.layers import Layout
from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.shipped import shipped
from simulator.foundation.yaml_reader import parse_yaml
from simulator.planner.launch import Order, ServeOrder, TrainOrder, engines, launch_files
from simulator.planner.launch.names import label_of, label_refusals
from simulator.planner.launch.order import order_of

GOLDEN = Path(__file__).parent / "golden"
TRAIN = order_of(load_scenario(shipped("scenarios") / "gpt3-175b-megatron.yaml"))
SERVE = order_of(load_scenario(shipped("scenarios") / "serve-70b-spot-a100.yaml"))
FILE = shipped("scenarios") / "serve-70b-spot-a100.yaml"
TRTLLM = order_of(load_scenario(FILE, ["workloads[0].engine.name=trtllm"]))
FSDP = replace(TRAIN, plan=replace(TRAIN.plan, tp=1, pp=1, vpp=1, dp=1024, zero=3, micro_batches=2, micro_batch=1))
LLAMA = order_of(
    load_scenario(
        shipped("scenarios") / "train-whole-run-405b.yaml",
        ["workloads[0].model=llama-3.1-70b",
         "workloads[0].parallelism={tp: 8, cp: 1, dp: 128, pp: 16, zero: 3, sequence_parallel: true, schedule: gpipe}",
         "workloads[0].batch={global: 16384, micro: 1}"],
    )
)  # fmt: skip
WIDE = order_of(
    load_scenario(
        shipped("scenarios") / "serve-chat-h100.yaml",
        [
            "cluster.nodes=[{profile: dgx-h100, count: 4}]",
            "workloads[0].model=llama-3.1-405b",
            "workloads[0].replicas={tp: 8, pp: 2}",
        ],
    )
)
SERVE_MIXED = replace(SERVE, devices_per_node=(4, 8))
APART = replace(SERVE, workload=replace(SERVE.workload, prefill=1))
TRTLLM_APART = replace(TRTLLM, workload=replace(TRTLLM.workload, prefill=1))
EXPERTS = replace(SERVE, workload=replace(SERVE.workload, layout=Layout(tp=2, dp_attention=4, ep=8)),
                  devices_per_node=(8,))  # fmt: skip
ORDERS = {
    "deepspeed": FSDP,
    "fsdp": FSDP,
    "jobset": TRAIN,
    "lws": WIDE,
    "maxtext": LLAMA,
    "megatron": TRAIN,
    "rayjob": TRAIN,
    "rayserve": WIDE,
    "sglang": SERVE,
    "slurm": TRAIN,
    "torchtitan": FSDP,
    "trtllm": TRTLLM,
    "vllm": SERVE,
}
#: orders with replicas for prompts apart: golden file -> engine, order
APART_ORDERS = {
    "lws-apart": ("lws", APART),
    "rayserve-apart": ("rayserve", APART),
    "sglang-apart": ("sglang", APART),
    "trtllm-apart": ("trtllm", TRTLLM_APART),
    "vllm-apart": ("vllm", APART),
}


def flags(text: str) -> dict[str, str]:
    """Return flag -> value of a script."""
    words = text.replace("\\\n", " ").split()
    return {word: after for word, after in zip(words, [*words[1:], ""], strict=True) if word.startswith("--")}


@pytest.mark.parametrize("name", list(engines))
def test_the_file_is_what_it_was(name):
    files = launch_files(ORDERS[name], [name])
    assert _together(files) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("golden", list(APART_ORDERS))
def test_replicas_for_prompts_have_files_of_their_own(golden):
    name, order = APART_ORDERS[golden]
    files = launch_files(order, [name])
    assert _together(files) == (GOLDEN / f"{golden}.txt").read_text(encoding="utf-8")
    assert all(engines[name].checked in text or "sglang-router" in text for text in files.values())


def test_the_roles_of_replicas_add_up_in_every_engine():
    (set_of_prompts, _, set_of_decoders, _) = _yaml("lws", APART)
    (ray,) = _yaml("rayserve", APART)
    (front,) = _yaml("trtllm", TRTLLM_APART, "trtllm-front.yaml")
    args = ray["applications"][0]["args"]
    for prompts, decoders in (
        (set_of_prompts["spec"]["replicas"], set_of_decoders["spec"]["replicas"]),
        tuple(args[f"{role}_config"]["deployment_config"]["num_replicas"] for role in ("prefill", "decode")),
        tuple(len(front[f"{role}_servers"]["urls"]) for role in ("context", "generation")),
    ):
        assert (prompts, decoders) == (1, APART.replicas - 1)


def test_ranks_of_attention_are_counted_as_each_engine_counts_them():
    """TP 2 in each of 4 groups and EP 8: vLLM multiplies TP and DP, SGLang counts all ranks as TP and cuts groups."""
    vllm = flags(launch_files(EXPERTS, ["vllm"])["vllm.sh"])
    assert int(vllm["--tensor-parallel-size"]) * int(vllm["--data-parallel-size"]) == 8
    assert "--enable-expert-parallel" in vllm
    sglang = flags(launch_files(EXPERTS, ["sglang"])["sglang.sh"])
    assert (sglang["--tp-size"], sglang["--attn-dp-size"], sglang["--ep-size"]) == ("8", "4", "8")


def test_a_replica_of_sglang_over_two_nodes_is_started_on_both():
    said = flags(launch_files(WIDE, ["sglang"])["sglang.sh"])
    assert (said["--tp-size"], said["--pp-size"], said["--nnodes"]) == ("8", "2", "2")


def test_a_scheduler_starts_the_script_that_is_written_beside_it():
    files = launch_files(FSDP, ["torchtitan", "jobset", "slurm", "rayjob"])
    for name in ("jobset.yaml", "job.sbatch", "rayjob.yaml"):
        assert "torchtitan.sh" in files[name]
        assert "megatron.sh" not in files[name]
    assert "megatron.sh" in launch_files(FSDP, ["jobset"])["jobset.yaml"]


@given(st.lists(st.text(st.characters(codec="ascii"), min_size=1), min_size=1, max_size=4), st.integers(0, 60))
def test_a_name_made_for_kubernetes_is_one(words, long):
    name = label_of("plan", *words, "x" * long)
    assert label_refusals(name) == []


def test_two_long_names_that_begin_alike_stay_two():
    assert label_of("a" * 60, "one") != label_of("a" * 60, "two")


def _together(files: Mapping[str, str]) -> str:
    """Return one file as it is, several with their names above them."""
    if len(files) == 1:
        return next(iter(files.values()))
    return "".join(f"==> {name} <==\n{text}" for name, text in files.items())


@pytest.mark.parametrize("name", list(engines))
def test_every_file_names_the_version_it_was_checked_against(name):
    assert engines[name].checked in launch_files(ORDERS[name], [name])[engines[name].file]


@pytest.mark.parametrize("name", [name for name in engines if engines[name].file.endswith(("sh", "sbatch"))])
def test_scripts_are_bash(name, tmp_path):
    text = launch_files(ORDERS[name], [name])[engines[name].file]
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


def _planned(order: Order) -> dict[str, str]:
    """Return what torchtitan's configuration is set to: key -> value as it is written."""
    text = launch_files(order, ["torchtitan"])["torchtitan_plan.py"]
    return dict(line.strip().removeprefix("config.").split(" = ") for line in text.splitlines() if " = " in line)


def test_torchtitan_shards_or_replicates():
    for zero, shard, reshard in ((3, 1024, "'always'"), (2, 1024, "'never'"), (0, 1, None)):
        said = _planned(replace(FSDP, plan=replace(FSDP.plan, zero=zero)))
        assert int(said["parallelism.data_parallel_shard_degree"]) == shard
        assert int(said["parallelism.data_parallel_replicate_degree"]) == 1024 // shard
        assert said.get("parallelism.fsdp_reshard_after_forward") == reshard


def test_torchtitan_cuts_the_layers_into_the_plan_s_stages():
    """Its stages count a layer more for embedding and output each, unless told otherwise."""
    said = _planned(replace(TRAIN, plan=replace(TRAIN.plan, zero=0)))
    extra = sum(int(said[f"parallelism.pipeline_parallel_{end}_stage_less_layers"]) for end in ("first", "last"))
    stages = (TRAIN.job.model.layers + extra) / int(said["parallelism.pipeline_parallel_layers_per_stage"])
    assert stages == TRAIN.plan.pp * TRAIN.plan.vpp
    batch, passes = int(said["training.local_batch_size"]), int(said["parallelism.pipeline_parallel_microbatch_size"])
    assert batch // passes == TRAIN.plan.micro_batches
    assert int(said["training.global_batch_size"]) == batch * TRAIN.plan.dp


def test_the_job_set_has_a_pod_per_node():
    job = parse_yaml(launch_files(TRAIN, ["jobset"])["jobset.yaml"], file="jobset").data
    spec = job["spec"]["replicatedJobs"][0]["template"]["spec"]
    assert spec["parallelism"] == spec["completions"] == 128
    assert spec["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 8


def _yaml(name: str, order: Order, file: str | None = None) -> list[dict[str, Any]]:
    """Return the documents of a YAML file that an engine writes."""
    text = launch_files(order, [name])[file or engines[name].file]
    return [parse_yaml(part, file=name).data for part in text.split("---\n")]


def test_deepspeed_s_batch_is_the_plan_s_on_its_ranks():
    said = json.loads(launch_files(FSDP, ["deepspeed"])["deepspeed.json"])
    passes = said["train_micro_batch_size_per_gpu"] * said["gradient_accumulation_steps"]
    assert said["train_batch_size"] == passes * FSDP.plan.ranks == FSDP.plan.global_batch
    assert said["zero_optimization"] == {"stage": 3}


def test_deepspeed_says_what_lies_in_host_memory():
    order = order_of(load_scenario(shipped("scenarios") / "train-offload.yaml"))
    assert order.offload is not None
    zero = json.loads(launch_files(order, ["deepspeed"])["deepspeed.json"])["zero_optimization"]
    assert ("offload_optimizer" in zero) == (order.offload.optimizer is not None)
    with pytest.raises(InputError, match="outside of the devices"):
        launch_files(order, ["fsdp"])


@pytest.mark.parametrize(
    ("tp", "dp", "pp", "zero"), [(8, 128, 16, 3), (4, 4096, 1, 0), (8, 256, 8, 1), (2, 512, 16, 3)]
)
def test_the_axes_of_maxtext_multiply_to_the_slice_and_to_the_cluster(tp, dp, pp, zero):
    order = replace(LLAMA, plan=replace(LLAMA.plan, tp=tp, dp=dp, pp=pp, zero=zero, micro_batches=32))
    (said,) = _yaml("maxtext", order, "maxtext.yml")
    inside = math.prod(value for key, value in said.items() if key.startswith("ici_"))
    between = math.prod(value for key, value in said.items() if key.startswith("dcn_"))
    assert inside == order.domain == 8
    assert inside * between == order.plan.ranks
    batch = said["per_device_batch_size"] * order.plan.ranks * said["gradient_accumulation_steps"]
    assert batch == pytest.approx(order.plan.global_batch)
    assert said["shard_optimizer_over_data"] == (zero == 1)


def test_maxtext_gives_experts_their_part_of_the_batch():
    order = replace(
        LLAMA, plan=replace(LLAMA.plan, tp=1, dp=16384, pp=1, ep=8, schedule="1f1b", sequence_parallel=False)
    )
    (said,) = _yaml("maxtext", order, "maxtext.yml")
    assert (said["ici_expert_parallelism"], said["dcn_fsdp_parallelism"]) == (8, 2048)


def test_python_that_is_written_is_python():
    for name, file in (("fsdp", "fsdp_plan.py"), ("rayjob", "ray_start.py"), ("torchtitan", "torchtitan_plan.py")):
        compile(launch_files(ORDERS[name], [name])[file], file, "exec")


def test_a_replica_over_two_nodes_is_a_group_of_two_pods():
    group, service = _yaml("lws", WIDE)
    template = group["spec"]["leaderWorkerTemplate"]
    pods = [template[role]["spec"]["containers"][0] for role in ("leaderTemplate", "workerTemplate")]
    assert (group["spec"]["replicas"], template["size"]) == (2, 2)
    assert all(pod["resources"]["limits"]["nvidia.com/gpu"] == 8 for pod in pods)
    assert "--tensor-parallel-size 8 --pipeline-parallel-size 2" in pods[0]["command"][2]
    assert service["spec"]["selector"]["leaderworkerset.sigs.k8s.io/name"] == group["metadata"]["name"]


def test_a_replica_within_a_node_is_one_pod_without_ray():
    narrow = replace(WIDE, workload=replace(WIDE.workload, layout=replace(WIDE.workload.layout, tp=4, pp=1)))
    group, _ = _yaml("lws", narrow)
    template = group["spec"]["leaderWorkerTemplate"]
    pod = template["workerTemplate"]["spec"]["containers"][0]
    assert (template["size"], pod["resources"]["limits"]["nvidia.com/gpu"]) == (1, 4)
    assert "leaderTemplate" not in template
    assert "ray" not in pod["command"][2]


def test_ray_serve_gives_the_engine_what_vllm_s_flags_say():
    (said,) = _yaml("rayserve", WIDE)
    config = said["applications"][0]["args"]["llm_configs"][0]
    given = {
        f"--{'no-' if value is False else ''}{name.replace('_', '-')}"
        for name, value in config["engine_kwargs"].items()
    }
    given |= {"--distributed-executor-backend"}  # Ray is there already
    assert given == set(flags(launch_files(WIDE, ["vllm"])["vllm.sh"])) - {"--port"}  # the head names it
    assert config["deployment_config"]["num_replicas"] == 2


def test_the_ray_cluster_has_the_plan_s_nodes():
    (said,) = _yaml("rayjob", TRAIN)
    (group,) = said["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert group["replicas"] == group["minReplicas"] == group["maxReplicas"] == 128
    assert group["rayStartParams"]["num-gpus"] == "8"


def test_trtllm_s_degrees_and_options_are_the_service_s():
    said = flags(launch_files(TRTLLM, ["trtllm"])["trtllm.sh"])
    assert (said["--tp_size"], said["--pp_size"]) == ("4", "1")
    (options,) = _yaml("trtllm", TRTLLM, "trtllm.yaml")
    assert options["kv_cache_config"]["enable_block_reuse"] is True


@pytest.mark.parametrize(
    ("name", "order", "told"),
    [
        ("deepspeed", TRAIN, "TP 8 "),
        ("fsdp", replace(FSDP, plan=replace(FSDP.plan, zero=1)), "ZeRO-1"),
        ("maxtext", TRAIN, "only decoders like Llama"),
        ("maxtext", replace(LLAMA, plan=replace(LLAMA.plan, schedule="1f1b")), "the schedule 1f1b"),
        ("maxtext", replace(LLAMA, plan=replace(LLAMA.plan, tp=16, dp=64)), "over several slices"),
        ("trtllm", SERVE, "engine is vllm"),
        ("lws", SERVE_MIXED, "nodes of 4, 8 devices"),
        ("rayjob", replace(TRAIN, name="GPT_3"), "lower-case letters"),
        ("megatron", FSDP, "ZeRO-3"),
        ("megatron", replace(TRAIN, plan=replace(TRAIN.plan, schedule="gpipe", vpp=1)), "schedule gpipe"),
        ("megatron", replace(TRAIN, plan=replace(TRAIN.plan, vpp=5)), "96 layers in 80 stages"),
        ("torchtitan", replace(FSDP, plan=replace(FSDP.plan, zero=1)), "ZeRO-1"),
        ("torchtitan", replace(TRAIN, plan=replace(TRAIN.plan, zero=0, ep=16)), "EP 16 over"),
        ("vllm", TRTLLM, "engine is trtllm"),
        ("sglang", replace(SERVE, workload=replace(SERVE.workload, layout=Layout(tp=4, ep=8))), "EP 8 beside 4 ranks"),
        ("vllm", replace(SERVE, workload=replace(SERVE.workload, layout=Layout(tp=4, ep=2))), "EP 2 beside TP 4"),
        ("vllm", replace(EXPERTS, devices_per_node=(4,)), "over 2 nodes"),
        ("trtllm", replace(TRTLLM, workload=replace(TRTLLM.workload, layout=Layout(tp=2, dp_attention=2))), "2 groups"),
        ("rayserve", EXPERTS, "4 ranks of attention"),
        ("vllm", replace(SERVE, workload=replace(SERVE.workload, slices=2)), "parts of a device"),
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
