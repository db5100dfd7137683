from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.foundation.errors import Infeasible, InputError, InvalidFile
from simulator.foundation.files import canonical_json
from simulator.foundation.yaml_reader import read_yaml
from simulator.scenario import load_scenario
from simulator.scenario.events import SlowDevice, SlowLink
from simulator.scenario.paths import file_beside, folder_beside
from simulator.scenario.train import TrainWorkload
from simulator.scenario.workloads import workload_kinds

BASE = """\
schema_version: 1
name: small
cluster:
  nodes: [{profile: dgx-a100-640gb, count: 4}]
workloads:
  - id: pretrain
    kind: train
    model: gpt3-175b
    batch: {global: 64, micro: 1}
    parallelism: {tp: 8, pp: 2}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(BASE, encoding="utf-8")
    return path


def workload(file: Path, *overrides: str) -> TrainWorkload:
    found = load_scenario(file, overrides).workloads[0]
    assert isinstance(found, TrainWorkload)
    return found


def test_names_are_resolved_to_parts_and_shapes(file: Path) -> None:
    scenario = load_scenario(file)
    assert (scenario.name, scenario.devices) == ("small", 32)
    assert scenario.groups[0].device.name == scenario.groups[0].node.device
    assert scenario.cluster.tiers[-1].span >= 32
    assert workload(file).job.model.layers == 96


def test_a_scenario_is_frozen(file: Path) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_scenario(file).name = "other"  # type: ignore[misc]


def test_a_decided_layout_becomes_a_plan_that_fills_the_cluster(file: Path) -> None:
    plan = workload(file).plan
    assert plan is not None
    assert (plan.tp, plan.pp, plan.dp, plan.micro_batches) == (8, 2, 2, 32)
    assert plan.ranks == 32
    assert plan.global_batch == 64


def test_what_is_left_to_the_planner_is_none(file: Path) -> None:
    free = workload(file, "workloads[0].parallelism=auto", "workloads[0].batch.micro=auto")
    assert free.plan is None
    assert free.micro_batch is None


def test_a_batch_in_tokens_is_the_same_as_in_samples(file: Path) -> None:
    assert workload(file, "workloads[0].batch.global=131072 tokens").job == workload(file).job
    assert workload(file, "workloads[0].batch.global=64 samples").job == workload(file).job


def test_the_run_has_as_many_steps_as_its_tokens_need(file: Path) -> None:
    assert workload(file).steps is None
    assert workload(file, "workloads[0].tokens=131072e3").steps == pytest.approx(1000)


def test_a_sequence_left_out_is_the_longest_the_model_takes(file: Path) -> None:
    assert workload(file).job.seq_len == 2048
    assert workload(file, "workloads[0].seq_len=1024").job.seq_len == 1024


def test_an_override_is_part_of_the_question_and_of_its_digest(file: Path) -> None:
    plain, changed = load_scenario(file), load_scenario(file, ["cluster.nodes[0].count=8"])
    assert changed.devices == 64
    assert plain.sha256 != changed.sha256
    assert changed.overrides == ("cluster.nodes[0].count=8",)


def test_the_resolved_question_loads_again_as_the_same(file: Path, tmp_path: Path) -> None:
    scenario = load_scenario(file, ["cluster.nodes[0].count=8", "plan.objective=cost"])
    again = tmp_path / "again.yaml"
    again.write_text(canonical_json(scenario.resolved), encoding="utf-8")
    assert load_scenario(again).sha256 == scenario.sha256


def test_comments_and_the_order_of_keys_do_not_change_the_digest(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    lines = BASE.splitlines()
    other.write_text("# a comment\n" + "\n".join([lines[1], lines[0], *lines[2:]]) + "\n", encoding="utf-8")
    assert load_scenario(other).sha256 == load_scenario(file).sha256


def test_a_problem_that_an_override_caused_has_it_as_its_place(file: Path) -> None:
    with pytest.raises(InvalidFile) as caught:
        load_scenario(file, ["cluster.nodes[0].count=0", "slo.finihs=3 d"])
    lines = str(caught.value).splitlines()
    assert any(line.startswith("--set cluster.nodes[0].count=0: found 0") for line in lines)
    assert any(line.startswith("--set slo.finihs=3 d: unknown key. Did you mean 'finish'?") for line in lines)


def test_an_override_inside_what_another_one_set_is_told_apart(file: Path) -> None:
    with pytest.raises(InvalidFile, match=r"^--set workloads\[0\]\.parallelism=\{tp: 0\} tp: found 0"):
        load_scenario(file, ["workloads[0].parallelism={tp: 0}"])


def test_problems_of_independent_parts_are_told_together(file: Path) -> None:
    bad = ["cluster.nodes[0].profile=dgx-z100", "models={mine: no-such-model}", "cluster.fabric.shape=ring-of-fire"]
    with pytest.raises(InvalidFile) as caught:
        load_scenario(file, bad)
    assert len(caught.value.problems) == 3


def test_a_model_beside_the_scenario_is_found_by_its_own_name(file: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    shape = (
        "{kind: decoder, layers: 8, hidden: 64, heads: 8, kv_heads: 8, head_dim: 8, ffn: 256, vocab: 100, max_seq: 128}"
    )
    (tmp_path / "models" / "mine.yaml").write_text(
        f"name: mine\nfamily: gpt\nkind: decoder\nsource: {{ref: here, confidence: derived}}\ntransformer: {shape}\n",
        encoding="utf-8",
    )
    found = workload(file, "models={tiny: models/mine.yaml}", "workloads[0].model=tiny")
    assert (found.job.model.layers, found.job.seq_len) == (8, 128)


def test_parts_of_ones_own_come_before_the_shipped_ones(file: Path, tmp_path: Path) -> None:
    node = load_scenario(file).catalogue.nodes.paths["dgx-a100-640gb"]
    (tmp_path / "parts" / "nodes").mkdir(parents=True)
    text = (
        node.read_text(encoding="utf-8")
        .replace("count: 8\nfabric", "count: 4\nfabric")
        .replace("domain: 8", "domain: 4")
    )
    (tmp_path / "parts" / "nodes" / "half-dgx.yaml").write_text(
        text.replace("aliases:", "aliases:\n  - half"), encoding="utf-8"
    )
    assert load_scenario(file, ["parts=parts", "cluster.nodes[0].profile=half-dgx"]).devices == 16


def test_events_name_devices_that_are_there(file: Path) -> None:
    events = "events=[{kind: slow-device, device: 31, factor: 0.7}, {kind: slow-link, device: 0, factor: 0.5}]"
    assert load_scenario(file, [events]).events == (
        SlowDevice(device=31, factor=0.7),
        SlowLink(device=0, tier=None, factor=0.5),
    )
    with pytest.raises(InputError, match="there is no device 32; the cluster has 0 to 31"):
        load_scenario(file, ["events=[{kind: slow-device, device: 32, factor: 0.7}]"])


def test_wishes_arrive_in_base_units(file: Path) -> None:
    scenario = load_scenario(
        file,
        ["slo={finish: 2 d, cost: 1000 USD, mfu: 0.4}", "prices.electricity=0.36 USD/kWh", "plan.choices.tp=[8, 4]"],
    )
    assert (scenario.slo.finish_s, scenario.slo.cost_usd, scenario.slo.mfu) == (172800.0, 1000.0, 0.4)
    assert scenario.prices.energy_usd_per_j == pytest.approx(1e-7)
    assert scenario.plan.choices == {"tp": (8, 4)}


def test_sites_are_joined_by_a_wan(file: Path) -> None:
    nodes = "cluster.nodes=[{profile: dgx-a100-640gb, count: 2, site: a}, {profile: dgx-a100-640gb, count: 2, site: b}]"
    scenario = load_scenario(file, [nodes, "cluster.fabric.wan=[{rtt: 30 ms, bandwidth: 10 Gb/s}]"])
    assert scenario.cluster.tiers[-1].latency >= 0.015


def test_a_fabric_that_does_not_hold_the_nodes_is_infeasible_not_invalid(file: Path) -> None:
    with pytest.raises(Infeasible, match=r"small\.yaml:3:1 cluster\.fabric: a fat-tree of 1 levels"):
        load_scenario(file, ["cluster.fabric={levels: 1, radix: 4}"])


@pytest.mark.parametrize("reference", ["/etc/passwd", "../x.yaml", "a/../../x.yaml", "a\\x.yaml", "x\0.yaml", ".."])
def test_a_reference_never_leaves_the_folder(reference: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="leads out of the scenario's folder"):
        file_beside(tmp_path / "s.yaml", reference)


def test_a_link_that_leads_out_is_refused_and_one_that_stays_is_not(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "out.yaml").write_text("x", encoding="utf-8")
    (inside / "in.yaml").write_text("x", encoding="utf-8")
    (inside / "out.yaml").symlink_to(tmp_path / "out.yaml")
    (inside / "same.yaml").symlink_to(inside / "in.yaml")
    (inside / "up").symlink_to(tmp_path)
    assert file_beside(inside / "s.yaml", "same.yaml") == (inside / "in.yaml").resolve()
    for reference in ("out.yaml", "up/out.yaml"):
        with pytest.raises(InputError, match="link out of the scenario's folder"):
            file_beside(inside / "s.yaml", reference)
    with pytest.raises(InputError, match="link out"):
        folder_beside(inside / "s.yaml", "up")


@pytest.mark.parametrize("name", list(workload_kinds))
def test_every_kind_of_workload_says_its_kind_and_has_an_id(name: str) -> None:
    fields = workload_kinds[name].file.model_fields
    assert {"id", "kind"} <= fields.keys()
    assert str(fields["kind"].annotation) == f"typing.Literal['{name}']"


def test_every_shipped_scenario_loads() -> None:
    folder = Path(__file__).parents[2] / "scenarios"
    for path in sorted(folder.glob("*.yaml")):
        assert load_scenario(path).name == read_yaml(path).data["name"]


def test_json_is_byte_identical_whatever_the_hash_seed(file: Path) -> None:
    root = Path(__file__).parents[2]
    outputs = set()
    for seed in ("0", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
        change = ["--set", "workloads[0].parallelism=auto"]
        command = [sys.executable, "-m", "simulator", "check", str(file), "--json", *change]
        outputs.add(subprocess.run(command, capture_output=True, env=environment, check=True).stdout)
    assert len(outputs) == 1
