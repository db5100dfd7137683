from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import compare, load_scenario, simulate
from simulator.cli import main
from simulator.foundation.errors import InputError
from simulator.foundation.files import canonical_json
from simulator.foundation.shipped import shipped
from simulator.simulation.inputs import inputs_of
from simulator.study.bundles import Bundle, read_bundle
from simulator.study.difference import difference, flat

FILE = shipped("scenarios") / "gpt3-175b-megatron.yaml"
FAST = ("run.fidelity=estimate",)


def bundle(*overrides: str, version: str = "0.1.0") -> Bundle:
    scenario = load_scenario(FILE, [*FAST, *overrides])
    facts = {**simulate(scenario).facts(), "inputs": inputs_of(scenario), "tool_version": version}
    return Bundle(name="x", facts=json.loads(canonical_json(facts)))


def test_the_same_question_twice_differs_in_nothing():
    found = difference(bundle(), bundle())
    assert found.same
    assert found.causes == found.unknown == ()


def test_the_key_that_changed_is_the_cause():
    found = difference(bundle(), bundle("workloads[0].batch.global=3072"))
    assert [(one.name, one.a, one.b) for one in found.causes] == [("workloads[0].batch.global", 1536, 3072)]
    assert "step_time_s" in {one.name for one in found.figures}


def test_another_machine_is_told_by_key_and_by_part():
    found = difference(bundle(), bundle("cluster.nodes[0].profile=dgx-h100"))
    names = {one.name for one in found.causes}
    assert {"cluster.nodes[0].profile", "node dgx-h100"} <= names
    assert any(name.startswith("device nvidia-h100") for name in names)


def test_another_version_and_another_content_of_a_part_are_causes():
    before, after = bundle(), bundle(version="0.2.0")
    after.facts["inputs"]["parts"]["model gpt3-175b"] = "another"
    assert [one.name for one in difference(before, after).causes] == ["version", "model gpt3-175b"]


#: small questions for the planner, and for each a change that moves its decision
PLANS = {
    "service": (
        "plan-serve-70b.yaml",
        ("workloads[0].model=llama-3.1-8b", "workloads[0].traffic.seconds=10 s", "plan.choices.count=[1, 2, 3]",
         "workloads[0].traffic.groups[0].rate=6 /s", "plan.choices.nodes=[aws-g6e.xlarge]",
         "plan.choices.max_num_seqs=[64]", "plan.choices.max_num_batched_tokens=[2048]", "plan.seeds=1"),
        ("workloads[0].traffic.groups[0].rate", "24 /s"),
        "nodes",
    ),
    "cluster": (
        "plan-train-7b-deadline.yaml",
        ("plan.choices.nodes=[aws-p5.48xlarge]", "plan.choices.count=[2, 4]", "workloads[0].model=gpt2-124m",
         "workloads[0].seq_len=1024", "workloads[0].batch.global=512", "workloads[0].tokens=300e9", "slo.finish=3 d",
         "plan.confirm=1"),
        ("slo.finish", "11 h"),
        "nodes",
    ),
    "mix": (
        "plan-serve-mix.yaml",
        ("workloads[0].traffic.seconds=10 s", "plan.choices.nodes=[aws-g6e.xlarge]", "plan.choices.max_num_seqs=[64]",
         "plan.choices.max_num_batched_tokens=[2048]", "plan.seeds=1"),
        ("workloads[0].traffic.groups[0].rate", "99 /s"),
        "aws-g6e.xlarge.nodes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", PLANS)
def test_the_cause_of_another_plan_is_named_whatever_is_planned(kind, capsys, tmp_path):
    name, small, (key, value), decided = PLANS[kind]
    for folder, overrides in (("a", small), ("b", (*small, f"{key}={value}"))):
        words = [word for one in overrides for word in ("--set", one)]
        assert main(["plan", str(shipped("scenarios") / name), *words, "--out", str(tmp_path / folder)]) == 0
    _ = capsys.readouterr()
    found = difference(read_bundle(tmp_path / "a"), read_bundle(tmp_path / "b"))
    assert [one.name for one in found.causes] == [key]
    assert decided in {one.name for one in found.decision}
    assert found.figures
    assert main(["diff", str(tmp_path / "a"), str(tmp_path / "b")]) == 5
    assert key in capsys.readouterr().out


def test_the_price_of_a_machine_that_may_be_taken_is_a_part():
    scenario = load_scenario(shipped("scenarios") / "plan-serve-mix.yaml")
    parts = inputs_of(scenario)["parts"]
    for name in scenario.plan.choices["nodes"]:
        assert {f"node {name}", f"price {name}"} <= set(parts)


def _seeded(mean: float, half: float) -> Bundle:
    interval = {"mean": mean, "half": half, "least": mean - half, "most": mean + half, "runs": 5}
    return Bundle(name="x", facts={"metrics": {"ttft_s": 0.0}, "intervals": {"ttft_s": interval}})


@pytest.mark.parametrize(("change", "within"), [(0.0, True), (0.49, True), (-0.49, True), (0.51, False), (-2.0, False)])
def test_a_change_below_the_noise_of_both_answers_seeds_is_marked(change, within):
    row = compare(_seeded(1.0, 0.3), _seeded(1.0 + change, 0.4)).iloc[0]  # the root of 0.09 + 0.16 is 0.5
    assert row["change"] == pytest.approx(change)
    assert row["within_noise"] == within


def test_noise_is_judged_by_the_answer_that_has_seeds_and_not_at_all_without():
    alone = Bundle(name="y", facts={"metrics": {"ttft_s": 1.2}})
    assert compare(_seeded(1.0, 0.3), alone).iloc[0]["within_noise"]
    assert compare(alone, alone).iloc[0]["within_noise"] is None


def test_the_same_service_with_other_seeds_differs_within_noise(capsys, tmp_path):
    file = str(shipped("scenarios") / "serve-chat-h100.yaml")
    for folder, seed in (("a", 0), ("b", 100)):
        out = str(tmp_path / folder)
        assert main(["run", file, "--set", f"run.seed={seed}", "--seeds", "4", "--out", out]) == 0
    _ = capsys.readouterr()
    frame = compare(read_bundle(tmp_path / "a"), read_bundle(tmp_path / "b")).set_index("metric")
    judged = frame["within_noise"].dropna()
    assert judged.mean() > 0.7
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    assert "noise" in capsys.readouterr().out


def test_an_answer_without_its_question_says_so():
    old = bundle()
    del old.facts["inputs"]
    assert "does not say what it was asked" in difference(old, bundle()).unknown[0]


@given(
    st.recursive(
        st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text("ab", min_size=1), inner)
    )
)
def test_flat_keeps_every_leaf(value):
    def leaves(inner):
        if isinstance(inner, dict):
            return [leaf for one in inner.values() for leaf in leaves(one)]
        return [leaf for one in inner for leaf in leaves(one)] if isinstance(inner, list) else [inner]

    assert list(flat(value).values()) == leaves(value)


def test_compare_says_the_change_of_every_figure():
    one, two = (
        simulate(load_scenario(FILE, FAST)),
        simulate(load_scenario(FILE, [*FAST, "workloads[0].batch.global=3072"])),
    )
    frame = compare(one, two).set_index("metric")
    assert frame.loc["step_time_s", "change"] == two.step_time - one.step_time
    assert frame.loc["step_time_s", "change_fraction"] == pytest.approx(two.step_time / one.step_time - 1)
    with pytest.raises(InputError, match="two answers"):
        compare(one)
    with pytest.raises(InputError, match="no figure in common"):
        compare(one, {"ttft_s": 1.0})


@pytest.mark.parametrize(
    ("text", "told"), [("{", "is no JSON"), ("[]", "no answer of rackcast"), ("{}", "no answer of rackcast")]
)
def test_a_file_that_is_no_answer_is_named(tmp_path, text, told):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(InputError, match=told):
        read_bundle(tmp_path)


def test_a_folder_without_an_answer_is_named(tmp_path):
    with pytest.raises(InputError, match="holds neither"):
        read_bundle(tmp_path)
