"""Services of models that answer in one pass: what they become, how they run, and how mistakes are told."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.foundation.errors import Infeasible, InputError, InvalidFile
from simulator.foundation.shipped import shipped
from simulator.results.predicting import PredictionResult
from simulator.scenario import load_scenario
from simulator.simulation.predicting import simulate_predicting

MACHINES = ("aws-g4dn.xlarge", "intel-2s-xeon-8480plus", "gcp-ct5lp-hightpu-1t", "oem-1x-alveo-u50")


def played(name: str, *overrides: str) -> PredictionResult:
    scenario = load_scenario(shipped("scenarios") / f"{name}.yaml", [f"workloads[0].{text}" for text in overrides])
    return simulate_predicting(scenario, scenario.workloads[0])


@pytest.mark.parametrize("machine", MACHINES)
def test_the_image_line_runs_on_every_kind_of_device_and_loses_no_request(machine: str) -> None:
    path = shipped("scenarios") / "serve-image-line-10ms.yaml"
    scenario = load_scenario(path, [f"cluster.nodes[0].profile={machine}", "workloads[0].traffic.seconds=5 s"])
    result = simulate_predicting(scenario, scenario.workloads[0])
    metrics = result.metrics()
    assert metrics["requests"] == sum(result.predicted.counts().values()) == metrics["finished"] > 500
    assert metrics["network_p50_ms"] == pytest.approx(0.6)  # half a millisecond of wire and a tenth in the gateway
    assert metrics["latency_p50_ms"] > metrics["network_p50_ms"]


def test_an_unloaded_pipeline_takes_its_depth_and_the_network() -> None:
    path = shipped("scenarios") / "serve-image-line-10ms.yaml"
    slow = ["cluster.nodes[0].profile=oem-1x-alveo-u50", "workloads[0].traffic.groups[0].rate=1 /s",
            "workloads[0].batching.policy=none"]  # fmt: skip
    scenario = load_scenario(path, slow)
    result = simulate_predicting(scenario, scenario.workloads[0])
    assert result.metrics()["latency_p50_ms"] == pytest.approx(9.27 + 0.6)


def test_every_millisecond_of_distance_is_a_millisecond_of_latency() -> None:
    near = played("serve-image-line-10ms", "traffic.seconds=5 s")
    far = played("serve-image-line-10ms", "traffic.seconds=5 s", "platform.rtt=8.5 ms")
    difference = far.predicted.latency_s - near.predicted.latency_s
    assert difference == pytest.approx(0.008, abs=1e-9)
    assert far.metrics()["attainment"] < near.metrics()["attainment"]


def test_hits_of_the_catalogue_are_near_ches_and_cold_requests_wait_longer() -> None:
    metrics = played("serve-many-models").metrics()
    assert metrics["hit_rate"] == pytest.approx(metrics["che_hit_rate"], abs=0.03)
    assert metrics["cold_latency_p50_ms"] > metrics["warm_latency_p50_ms"]
    everything = played("serve-many-models", "catalogue.count=8", "traffic.seconds=60 s").metrics()
    assert everything["che_hit_rate"] == 1.0
    assert everything["loads"] == 8


def test_a_recommender_whose_tables_do_not_fit_is_infeasible() -> None:
    path = shipped("scenarios") / "serve-recommender.yaml"
    scenario = load_scenario(path, ["cluster.nodes[0].profile=gcp-a2-highgpu-1g"])
    with pytest.raises(Infeasible, match=r"52\.3 GB of dlrm-dcnv2 do not fit"):
        simulate_predicting(scenario, scenario.workloads[0])


def test_a_graph_takes_at_least_its_longest_way_and_at_most_all_its_stages() -> None:
    result = played("serve-vision-graph", "traffic.groups[0].rate=0.5 /s", "traffic.seconds=200 s")
    stays = result.stages_frame().set_index("stage")["stay_p50_ms"]
    inside = result.metrics()["inside_p50_ms"]
    longest = stays["detect"] + max(stays["classify"], stays["read"]) + stays["score"]
    assert inside == pytest.approx(longest, rel=0.05)
    assert inside < stays.sum()


def test_slices_are_slower_one_by_one() -> None:
    quiet = ("traffic.groups[0].rate=1 /s", "batching.policy=none")
    whole = played("serve-image-line-10ms", *quiet).metrics()
    half = played("serve-image-line-10ms", *quiet, "replicas.slices=2").metrics()
    assert half["latency_p50_ms"] > whole["latency_p50_ms"]


def test_time_slicing_at_no_load_is_as_fast_as_a_queue_of_one() -> None:
    quiet = ("traffic.groups[0].rate=1 /s", "batching.policy=none")
    alone = played("serve-image-line-10ms", *quiet).metrics()["latency_p50_ms"]
    shared = played("serve-image-line-10ms", *quiet, "replicas.time_slicing=true").metrics()["latency_p50_ms"]
    assert shared == pytest.approx(alone)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("engine={max_num_seqs: 4}", "max_num_seqs is for models that generate"),
        ("limits={ttft: 1 s}", "ttft is for models that generate"),
        ("platform.router=nearest", "no router 'nearest'"),
        ("scale={policy: hpaa}", "Did you mean 'hpa'"),
        ("traffic={conversations: {rate: 1 /s, question: {mean: 9}, answer: {mean: 9}}}", "give closed for users"),
        ("replicas={time_slicing: true, partition: [1g.5gb]}", "one model with a batch on each device"),
        ("model=llama-3.1-8b", "is for models that answer in one pass; llama-3.1-8b generates"),
        ("pipeline.interval=1 s", "at most the depth"),
        ("batching.policy=later", "policy"),
    ],
)
def test_a_mistake_is_told_with_its_mend(override: str, message: str) -> None:
    with pytest.raises((InputError, InvalidFile), match=message):
        played("serve-image-line-10ms", override)


def test_stages_have_no_fleet_and_say_so() -> None:
    for override in ("platform.max_inflight=3", "scale={policy: hpa}", "events=[{kind: loss, at: 1 s}]"):
        with pytest.raises(InputError, match="is for one model with a batch on each device"):
            played("serve-vision-graph", override)
    with pytest.raises(InputError, match="max_waiting is for one model"):
        played("serve-many-models", "platform.max_waiting=3")


def test_who_is_turned_away_by_one_stage_reaches_no_later_one() -> None:
    rate = "traffic.groups[0].rate=2000 /s"
    short = "traffic.seconds=3 s"
    result = played("serve-vision-graph", rate, short, "platform={max_waiting: 20, timeout: 200 ms}")
    run = result.predicted
    counts = run.counts()
    assert sum(counts.values()) == result.metrics()["requests"]
    assert counts["rejected"] > 0
    assert counts["pending"] == 0
    assert run.finished.sum() == counts["finished"]
    served = {name: int(np.isfinite(stage.end_s).sum()) for name, stage in run.stages.items()}
    reached = {name: len(stage.reached_s) for name, stage in run.stages.items()}
    assert reached["classify"] == reached["read"] == served["detect"]
    assert counts["finished"] == served["score"] <= min(served["classify"], served["read"])
    again = played("serve-vision-graph", rate, short, "platform={max_waiting: 20, timeout: 200 ms, retries: 3}")
    assert again.metrics()["retries_per_request"] > 0
    loose = played("serve-vision-graph", "traffic.seconds=20 s", "platform={max_waiting: 100000}")
    bare = played("serve-vision-graph", "traffic.seconds=20 s", "platform={}")
    np.testing.assert_allclose(loose.predicted.latency_s, bare.predicted.latency_s, atol=1e-9)
    assert loose.timeline_frame()["waiting"].tolist() == bare.timeline_frame()["waiting"].tolist()


def test_models_that_generate_have_no_queue_in_common() -> None:
    with pytest.raises(InputError, match="from queues of their own"):
        load_scenario(shipped("scenarios") / "serve-chat-h100.yaml", ["workloads[0].platform.router=one-queue"])


def test_stages_in_a_circle_and_unknown_ones_are_told() -> None:
    with pytest.raises(InputError, match="in a circle"):
        played("serve-vision-graph", "stages[0].after=[score]")
    with pytest.raises(InputError, match="no stage 'reed'"):
        played("serve-vision-graph", "stages[3].after=[reed]")
    with pytest.raises(InputError, match="either the model, or stages"):
        played("serve-vision-graph", "model=resnet50-v1.5")
