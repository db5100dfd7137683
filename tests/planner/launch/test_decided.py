"""Launch files of plans of every kind: what is started is what was decided."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from simulator.foundation.errors import InputError
from simulator.foundation.shipped import shipped
from simulator.foundation.yaml_reader import parse_yaml
from simulator.planner.decide import Answer, decide
from simulator.planner.held import held_of
from simulator.planner.launch.decided import can_start, decided_files
from simulator.planner.serving.scaling_plan import ScalingPlan
from simulator.planner.serving.service_mix import FleetMix
from simulator.planner.serving.service_plan import ServicePlan
from simulator.planner.serving.service_pool import ServicePool
from simulator.planner.training_cluster import ClusterPlan
from simulator.scenario import load_scenario
from tests.planner.launch.test_launch import flags
from tests.planner.serving.small_services import scenario as service
from tests.planner.serving.test_scaling_plan import _asked
from tests.planner.serving.test_service_pool import FILE, SMALL
from tests.planner.test_held import KINDS

GOLDEN = Path(__file__).parent / "golden"


@cache
def _apart() -> Answer:
    """Return a service whose choices leave one deployment, with prompts on one replica of each node."""
    one = ("plan.choices.prefill=[1]", "plan.choices.nodes=[aws-g6.12xlarge]", "plan.choices.tp=[1]",
           "plan.choices.count=[2]", "plan.choices.max_num_seqs=[64]")  # fmt: skip
    return decide(service(*one))


@cache
def _cluster() -> Answer:
    """Return a training run whose choices leave one cluster and one layout."""
    layout = {"tp": 2, "pp": 1, "cp": 1, "micro": 1, "zero": 1, "sequence_parallel": "true", "recompute": "full"}
    one = ["plan.choices.nodes=[aws-p5.48xlarge]", "plan.choices.count=[2]", "slo.finish=9000 d",
           *(f"plan.choices.{name}=[{value}]" for name, value in layout.items())]  # fmt: skip
    return decide(load_scenario(shipped("scenarios") / "plan-train-7b-deadline.yaml", one), confirm=0)


@cache
def _scaling() -> Answer:
    return decide(_asked())


@cache
def _pool() -> Answer:
    return decide(load_scenario(FILE, SMALL))


#: golden file -> a plan whose choices leave one answer, the engines
PLANS = {
    "plan-cluster": (_cluster, ("megatron", "jobset", "slurm")),
    "plan-service-apart": (_apart, ("vllm", "sglang", "lws")),
}


def written(golden: str) -> str:
    """Return the files of a plan one after another, each below its name."""
    found, names = PLANS[golden]
    return "".join(f"==> {name} <==\n{text}" for name, text in decided_files(found(), names).items())


@pytest.mark.parametrize("golden", PLANS)
def test_the_files_of_a_plan_are_what_they_were(golden: str) -> None:
    assert written(golden) == (GOLDEN / f"{golden}.txt").read_text(encoding="utf-8")


def test_a_cluster_s_files_have_its_nodes_and_its_layout() -> None:
    found = KINDS["cluster"]()
    assert isinstance(found, ClusterPlan)
    said = flags(decided_files(found, ["megatron", "slurm"])["megatron.sh"])
    assert int(said["--nnodes"]) == found.chosen.nodes
    assert int(said["--tensor-model-parallel-size"]) == found.plan.plan.tp
    assert int(said["--global-batch-size"]) == found.plan.plan.global_batch


def test_a_service_s_files_have_its_replicas_and_limits() -> None:
    for kind in (KINDS["service"], _apart):
        found = kind()
        assert isinstance(found, ServicePlan)
        decided, files = held_of(found).decision, decided_files(found, ["lws", "vllm"])
        documents = [parse_yaml(part, file="lws").data for part in files["lws.yaml"].split("---\n")]
        assert sum(one["spec"].get("replicas", 0) for one in documents) == decided["replicas"]
        scripts = [flags(text) for name, text in files.items() if name.startswith("vllm")]
        assert len(scripts) == (2 if decided["prefill"] else 1)
        for said in scripts:
            assert int(said["--tensor-parallel-size"]) == decided["tp"]
            assert int(said["--max-num-seqs"]) == decided["max_num_seqs"]


def test_a_mix_has_a_folder_for_each_kind_that_it_takes_and_a_pool_for_each_service_on_each() -> None:
    mix, pool = KINDS["mix"](), _pool()
    assert isinstance(mix, FleetMix)
    assert isinstance(pool, ServicePool)
    taken = {name for name, one in mix.decision().items() if one["nodes"]}
    assert {name.split("/")[0] for name in decided_files(mix, ["vllm"])} == taken
    files = decided_files(pool, ["rayserve"])
    assert len(files) == len(pool.pool.replicas)
    for option, count in pool.pool.replicas:
        text = files[f"{option.model}/{option.kind}-tp{option.width}/ray-serve.yaml"]
        assert f"num_replicas: {count}\n" in text


def test_a_fleet_that_scales_begins_at_its_fewest_and_names_its_bounds() -> None:
    found = _scaling()
    assert isinstance(found, ScalingPlan)
    text = decided_files(found, ["lws"])["lws.yaml"]
    assert f"replicas: {max(1, found.chosen.minimum)}\n" in text
    assert f"bounds {found.chosen.minimum} and {found.chosen.maximum}." in text
    with pytest.raises(InputError, match="scales by its own rule"):
        decided_files(found, ["rayserve"])


@pytest.mark.parametrize(
    ("scenario", "name", "told"),
    [
        ("plan-place-jobs", "slurm", "where jobs stand"),
        ("plan-capacity-regions", "vllm", "own, reserve and rent"),
        ("plan-serve-70b", "megatron", "it trains; for this question there are lws"),
        ("plan-serve-pool", "slurm", "it trains"),
        ("plan-train-7b-deadline", "vllm", "it serves; for this question there are deepspeed"),
    ],
)
def test_what_nothing_can_start_is_refused_before_the_search(scenario: str, name: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        can_start(load_scenario(shipped("scenarios") / f"{scenario}.yaml"), [name])


def test_no_engine_is_no_file() -> None:
    with pytest.raises(InputError, match="names no engine"):
        can_start(load_scenario(shipped("scenarios") / "plan-serve-70b.yaml"), [])


def test_models_that_take_turns_are_refused() -> None:
    found = decide(load_scenario(FILE, [*SMALL, "plan.share=true"]))
    assert isinstance(found, ServicePool)
    assert found.pool.shared
    with pytest.raises(InputError, match="take turns"):
        decided_files(found, ["vllm"])
