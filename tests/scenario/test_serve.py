"""Services in scenario files: what they become, how they run, and how mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.foundation.errors import Infeasible, InputError, InvalidFile
from simulator.foundation.shipped import shipped
from simulator.results.serving import requests_frame
from simulator.scenario import load_scenario
from simulator.simulation.knee import knee_of, sweep_rates
from simulator.simulation.serving import simulate_serving

CHAT = shipped("scenarios") / "serve-chat-h100.yaml"
SHORT = ["workloads[0].traffic.seconds=10 s"]


def test_a_service_runs_to_figures_that_add_up() -> None:
    scenario = load_scenario(CHAT, SHORT)
    result = simulate_serving(scenario, scenario.workloads[0])
    metrics = result.metrics()
    assert metrics["requests"] == sum(result.served.counts().values())
    assert metrics["ttft_p50_ms"] <= metrics["ttft_p99_ms"] <= metrics["latency_p99_ms"]
    assert metrics["goodput_per_s"] <= metrics["requests_per_s"]
    assert len(requests_frame(result.served)) == metrics["requests"]
    assert result.groups_frame()["requests"].sum() == metrics["requests"]
    assert "llama-3.1-8b" in result.summary


def test_the_same_seed_gives_the_same_figures() -> None:
    scenario = load_scenario(CHAT, SHORT)
    assert (
        simulate_serving(scenario, scenario.workloads[0]).facts()
        == simulate_serving(scenario, scenario.workloads[0]).facts()
    )


def test_the_knee_is_the_last_rate_that_keeps_the_limits() -> None:
    scenario = load_scenario(CHAT, SHORT)
    rows = sweep_rates(scenario, scenario.workloads[0], [1.0, 20.0])
    assert rows[0]["attainment"] > rows[1]["attainment"]
    assert knee_of(rows, 0.95) == rows[0]["rate_per_s"]


@pytest.mark.parametrize("name", ["serve-70b-spot-a100", "serve-attack", "serve-autoscale", "serve-rollouts"])
def test_every_shipped_service_loads(name: str) -> None:
    assert load_scenario(shipped("scenarios") / f"{name}.yaml").workloads[0].id


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("workloads[0].engine.name=vlm", r"no inference engine 'vlm'\. Did you mean 'vllm'"),
        ("workloads[0].platform.router=fastest", "no router 'fastest'"),
        ("workloads[0].precision=fp7", "no number format 'fp7'"),
        ("workloads[0].model=resnet50-v1.5", "tp is for models that generate"),
        ("workloads[0].traffic.groups[0].process=poison", "Did you mean 'poisson'"),
    ],
)
def test_a_mistake_is_told_with_its_mend(override: str, message: str) -> None:
    with pytest.raises((InputError, InvalidFile), match=message):
        load_scenario(CHAT, [override])


def test_replicas_that_find_no_room_are_infeasible() -> None:
    scenario = load_scenario(CHAT, [*SHORT, "workloads[0].replicas.count=9"])
    with pytest.raises(Infeasible, match="1 find no room"):
        simulate_serving(scenario, scenario.workloads[0])


def test_pictures_are_drawn(tmp_path: Path) -> None:
    from simulator.results.serving_plots import save_all

    scenario = load_scenario(CHAT, SHORT)
    assert len(save_all(simulate_serving(scenario, scenario.workloads[0]), tmp_path)) == 2


def chat(*engine: str) -> dict[str, float]:
    """Return the figures of the chat scenario, short, with the engine's keys changed."""
    scenario = load_scenario(CHAT, [*SHORT, *(f"workloads[0].engine.{text}" for text in engine)])
    return simulate_serving(scenario, scenario.workloads[0]).metrics()


def test_guessing_tokens_pays_when_guesses_are_right_and_costs_when_they_never_are() -> None:
    plain = chat()
    guess = "speculative={tokens: 3, acceptance: %g, draft: llama-3.2-1b}"
    wrong, usual, right = (chat(guess % a) for a in (0.0, 0.7, 1.0))
    assert wrong["tpot_mean_ms"] > plain["tpot_mean_ms"]
    assert right["tpot_mean_ms"] < usual["tpot_mean_ms"] < wrong["tpot_mean_ms"]
    assert right["tpot_mean_ms"] < plain["tpot_mean_ms"]
    assert {m["finished"] for m in (plain, wrong, usual, right)} == {plain["requests"]}


def test_adapters_and_weights_in_host_memory_cost_time() -> None:
    plain = chat()["tpot_mean_ms"]
    assert chat("adapters={count: 32, resident: 8, rank: 32}")["tpot_mean_ms"] > plain
    offloaded = chat("cpu_offload=1 GB")["tpot_mean_ms"]
    assert offloaded > plain


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("speculative={tokens: 3, acceptance: 0.5, draft: gpt2-xl}", "does not speak the 128256 tokens"),
        ("adapters={count: 2, resident: 3}", "cannot be resident"),
        ("speculative={tokens: 3, acceptance: 1.5}", "acceptance"),
    ],
)
def test_a_mistake_in_what_is_added_to_the_engine_is_told(override: str, message: str) -> None:
    with pytest.raises((InputError, InvalidFile), match=message):
        chat(override)


def test_users_under_attack_see_what_admission_makes_of_it() -> None:
    short = [
        "workloads[0].traffic.seconds=40 s",
        "workloads[0].traffic.groups[1].options={factor: 60, start_s: 10, length_s: 10}",
    ]
    bare = ["workloads[0].platform={router: least-requests, rtt: 20 ms}", "workloads[0].traffic.groups[1].priority=0"]

    def kept(*overrides: str) -> float:
        scenario = load_scenario(shipped("scenarios") / "serve-attack.yaml", [*short, *overrides])
        groups = simulate_serving(scenario, scenario.workloads[0]).groups_frame().set_index("group")
        return float(groups.loc["users", "attainment"])

    without, told_apart = kept(*bare), kept("workloads[0].platform.intercept=[attack]")
    assert told_apart > 0.99
    assert without < kept() < told_apart
